"""The one upstream: requests go to it and nowhere else, once; what it answers is relayed piece by piece."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import httpx
from starlette.types import Send

from .config import ProxyConfig
from .inbound import Inbound
from .replies import failure

if TYPE_CHECKING:
    from .metrics import Metrics

RawHeaders = list[tuple[bytes, bytes]]
#: Headers that concern one connection alone (RFC 9110, 7.6.1), and those that httpx writes itself.
_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade expect host".split()
)
_CREDENTIALS = frozenset((b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"))
_MAX_IDLE = 200
_DOTS = re.compile(rb"(?:^|[/\\])\.{1,2}(?:[/\\;]|$)")


class Upstream:
    """Sends requests to the configured origin and relays the answers."""

    def __init__(self, config: ProxyConfig, metrics: Metrics) -> None:
        self._config, self._metrics = config, metrics
        url = httpx.URL(config.upstream)
        self._origin, self._base = url.copy_with(raw_path=b"/"), url.raw_path.rstrip(b"/")
        timeout = httpx.Timeout(config.read_timeout_s, connect=config.connect_timeout_s)
        self._extensions = {"timeout": timeout.as_dict()}
        self._context = ssl.create_default_context()
        self._idle: list[httpx.AsyncHTTPTransport] = []

    async def close(self) -> None:
        """Close the connections that are idle."""
        while self._idle:
            await self._idle.pop().aclose()

    def _take(self) -> httpx.AsyncHTTPTransport:
        # A transport for each connection: the pool inside one looks at every connection for every request. Nothing of
        # the environment reaches it, no proxy and no .netrc; a transport follows no redirect and sends nothing twice.
        if self._idle:
            return self._idle.pop()
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        return httpx.AsyncHTTPTransport(verify=self._context, trust_env=False, limits=limits)

    async def _give_back(self, transport: httpx.AsyncHTTPTransport) -> None:
        if len(self._idle) < _MAX_IDLE:
            self._idle.append(transport)
        else:
            await transport.aclose()

    def url(self, target: bytes) -> httpx.URL | None:
        """Return the upstream's address of a request target, None where that is no plain path.

        The upstream's own path stands for the client's /v1: both are what comes before the API's.
        """
        path = target.partition(b"?")[0]
        if not path.startswith(b"/") or path.startswith(b"//") or _DOTS.search(unquote_to_bytes(path)):
            return None
        if self._base and (path == b"/v1" or path.startswith(b"/v1/")):
            target = target.removeprefix(b"/v1")
        try:
            return self._origin.copy_with(raw_path=self._base + target)
        except httpx.InvalidURL:  # too long
            return None

    async def relay(self, inbound: Inbound, send: Send, body: bytes | None, told: RawHeaders) -> None:
        """Forward one request, with a body or with the client's own, and relay the answer; `told` joins its headers."""
        url = self.url(inbound.target)
        if url is None:
            await failure(send, 400, "bad_target", "the request's target is no plain path.", told)
            return
        await self._exchange(self._request(inbound, url, body), send, told)

    def _request(self, inbound: Inbound, url: httpx.URL, body: bytes | None) -> httpx.Request:
        headers = self._headers(inbound)
        if body is not None:
            headers = [*without(headers, b"content-length"), (b"content-length", str(len(body)).encode())]
            return httpx.Request(inbound.method, url, headers=headers, content=body, extensions=self._extensions)
        names = {name for name, _ in inbound.raw}
        content: AsyncIterator[bytes] | None = None
        if b"content-length" in names or b"transfer-encoding" in names:
            content = inbound.pieces()
        else:
            inbound.no_body()
        return httpx.Request(inbound.method, url, headers=headers, content=content, extensions=self._extensions)

    def _headers(self, inbound: Inbound) -> RawHeaders:
        headers = [(n, v) for n, v in end_to_end(inbound.raw) if not n.startswith(b"x-pas")]
        if self._config.client_keys or self._config.upstream_key:
            headers = without(headers, *_CREDENTIALS)
        if key := self._config.upstream_key.reveal():
            # Anthropic's clients send x-api-key, and its API wants it.
            anthropic = "anthropic-version" in inbound.headers
            headers.append((b"x-api-key", key.encode()) if anthropic else (b"authorization", b"Bearer " + key.encode()))
        return headers

    async def _exchange(self, request: httpx.Request, send: Send, told: RawHeaders) -> None:
        transport = self._take()
        try:
            await self._answer(transport, request, send, told)
        finally:
            await self._give_back(transport)

    async def _answer(
        self, transport: httpx.AsyncHTTPTransport, request: httpx.Request, send: Send, told: RawHeaders
    ) -> None:
        try:
            response = await transport.handle_async_request(request)
        except (httpx.HTTPError, httpx.StreamError, OSError, ValueError) as error:
            self._metrics.upstream.labels("none").inc()
            await _unreachable(error, send, told)
            return
        self._metrics.upstream.labels(f"{response.status_code // 100}xx").inc()
        try:
            await _relay_response(response, send, told)
        except (httpx.HTTPError, httpx.StreamError, OSError):
            # Half an answer went out: to end without an end is what tells the client that it was cut.
            self._metrics.cut.inc()
        finally:
            await response.aclose()


async def _relay_response(response: httpx.Response, send: Send, told: RawHeaders) -> None:
    headers = [(n, v) for n, v in end_to_end(response.headers.raw) if not n.lower().startswith(b"x-pas-")]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers + told})
    async for piece in response.aiter_raw():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _unreachable(error: Exception, send: Send, told: RawHeaders) -> None:
    # Only the kind of error: its message may hold the address, and with it what somebody put into the query.
    kind = type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        await failure(send, 504, "upstream_timeout", f"the upstream did not answer in time ({kind}).", told)
    else:
        await failure(send, 502, "upstream_unreachable", f"the upstream gave no answer ({kind}).", told)


def end_to_end(headers: Sequence[tuple[bytes, bytes]]) -> RawHeaders:
    """Return the headers that are meant for the other end, without those of this connection alone."""
    named = b",".join(value for name, value in headers if name.lower() == b"connection").lower()
    hop = _HOP | {name.strip() for name in named.split(b",")} - {b"content-length", b"content-type"}
    return without(headers, *hop)


def without(headers: Sequence[tuple[bytes, bytes]], *names: bytes) -> RawHeaders:
    """Return the headers but those named."""
    return [(name, value) for name, value in headers if name.lower() not in names]
