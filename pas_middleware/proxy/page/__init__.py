"""The web page at `/`: a prompt, its complement as it comes, and the answers with and without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from starlette.types import Send

from ..inbound import Inbound
from ..replies import answer_bytes, failure

_FILES = {
    "/": ("index.html", b"text/html; charset=utf-8"),
    "/pas-page/page.css": ("page.css", b"text/css; charset=utf-8"),
    "/pas-page/page.js": ("page.js", b"text/javascript; charset=utf-8"),
    "/pas-page/reasons.js": ("reasons.js", b"text/javascript; charset=utf-8"),
}
_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-cache"),
)


def endpoints() -> dict[str, Callable[[Inbound, Send], Awaitable[None]]]:
    """Return what answers for each path of the page, its files read once."""
    folder = Path(__file__).parent
    return {path: partial(_serve, (folder / name).read_bytes(), kind) for path, (name, kind) in _FILES.items()}


async def _serve(content: bytes, kind: bytes, inbound: Inbound, send: Send) -> None:
    if inbound.method not in ("GET", "HEAD"):
        await failure(send, 405, "method", "use GET.", [(b"allow", b"GET, HEAD")])
        return
    await answer_bytes(send, 200, kind, content, _HEADERS)
