"""Who may reach the page, and what the browser may do with it."""

from __future__ import annotations

import hmac

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_COOKIE = "pas_review"
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Headers:
    """Add the security headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add to what comes back."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class Token:
    """Let in who brings the token: once in the address, then in a cookie that pages of other sites cannot send."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if it has the token; take the token out of the address; or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if self._is_right(request.cookies.get(_COOKIE, "")):
            await self._app(scope, receive, send)
        elif self._is_right(request.query_params.get("token", "")):
            # Away from an address that holds the token: it would stay in the browser's history.
            response: Response = RedirectResponse("/", status_code=303)
            response.set_cookie(_COOKIE, self._token.decode(), httponly=True, samesite="lax", max_age=30 * 86_400)
            await response(scope, receive, send)
        else:
            text = "Open the whole address that `pas review` printed; it ends in ?token=…\n"
            await PlainTextResponse(text, status_code=401)(scope, receive, send)

    def _is_right(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token)
