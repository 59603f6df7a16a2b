"""The one upstream: requests go to it and nowhere else, once; what it answers is relayed piece by piece."""

from __future__ import annotations

import re
import ssl
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes, urlsplit

import h11
from starlette.types import Send

from .config import ProxyConfig
from .connection import Ask, Connection, Origin
from .inbound import Inbound
from .replies import failure
from .turns import Turns

if TYPE_CHECKING:
    from .metrics import Metrics

RawHeaders = list[tuple[bytes, bytes]]
#: Headers that concern one connection alone (RFC 9110, 7.6.1), and those that are written anew.
_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade expect host".split()
)
_CREDENTIALS = frozenset((b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"))
_MAX_IDLE = 200
#: Pieces of answers relayed in one turn of the event loop: some five milliseconds of work.
_PIECES = 16
_PORTS = {"http": 80, "https": 443}
_WITH_BODY = frozenset((b"POST", b"PUT", b"PATCH"))
_PLAIN = re.compile(rb"/[!-~]*")
_DOTS = re.compile(rb"(?:^|[/\\])\.{1,2}(?:[/\\;]|$)")


class Upstream:
    """Sends requests to the configured origin and relays the answers."""

    def __init__(self, config: ProxyConfig, metrics: Metrics) -> None:
        self._config, self._metrics = config, metrics
        self._origin, self._host, self._base = _place(config)
        self._idle: deque[Connection] = deque()
        self._turns = Turns(_PIECES)

    async def close(self) -> None:
        """Close the connections that are idle."""
        while self._idle:
            self._idle.pop().close()

    async def _take(self) -> Connection:
        # Nothing of the environment reaches it, no proxy and no .netrc; no redirect is followed, nothing sent twice.
        while self._idle:
            if (connection := self._idle.pop()).fresh:
                return connection
            connection.close()
        return await Connection.open(self._origin)

    def _give_back(self, connection: Connection) -> None:
        if not connection.rest():
            connection.close()
            return
        self._idle.append(connection)
        while len(self._idle) > _MAX_IDLE or not self._idle[0].fresh:
            self._idle.popleft().close()

    def target(self, asked: bytes) -> bytes | None:
        """Return the upstream's target for a client's, None where that is no plain path.

        The upstream's own path stands for the client's /v1: both are what comes before the API's.
        """
        path = asked.partition(b"?")[0]
        if not _PLAIN.fullmatch(asked) or path.startswith(b"//") or _DOTS.search(unquote_to_bytes(path)):
            return None
        if self._base and (path == b"/v1" or path.startswith(b"/v1/")):
            asked = asked.removeprefix(b"/v1")
        return self._base + asked

    async def relay(self, inbound: Inbound, send: Send, body: bytes | None, told: RawHeaders) -> None:
        """Forward one request, with a body or with the client's own, and relay the answer; `told` joins its headers."""
        target = self.target(inbound.target)
        if target is None:
            await failure(send, 400, "bad_target", "the request's target is no plain path.", told)
            return
        content, length = self._body(inbound, body)
        headers = [(b"host", self._host), *without(self._headers(inbound), b"content-length"), *length]
        await self._exchange(Ask(inbound.method.encode(), target, headers, content), send, told)

    def _body(self, inbound: Inbound, body: bytes | None) -> tuple[bytes | AsyncIterator[bytes], RawHeaders]:
        """Return what to send, and the header that says where it ends."""
        if body is not None:
            return body, [(b"content-length", str(len(body)).encode())]
        if (length := inbound.headers.get("content-length")) is not None:
            return inbound.pieces(), [(b"content-length", length.encode())]
        if "transfer-encoding" in inbound.headers:
            return inbound.pieces(), [(b"transfer-encoding", b"chunked")]
        inbound.no_body()
        return b"", [(b"content-length", b"0")] if inbound.method.encode() in _WITH_BODY else []

    def _headers(self, inbound: Inbound) -> RawHeaders:
        headers = [(n, v) for n, v in end_to_end(inbound.raw) if not n.startswith(b"x-pas")]
        if self._config.client_keys or self._config.upstream_key:
            headers = without(headers, *_CREDENTIALS)
        if key := self._config.upstream_key.reveal():
            # Anthropic's clients send x-api-key, and its API wants it.
            anthropic = "anthropic-version" in inbound.headers
            headers.append((b"x-api-key", key.encode()) if anthropic else (b"authorization", b"Bearer " + key.encode()))
        return headers

    async def _exchange(self, ask: Ask, send: Send, told: RawHeaders) -> None:
        try:
            connection = await self._take()
        except OSError as error:
            await self._unanswered(error, send, told)
            return
        try:
            await self._answer(connection, ask, send, told)
        finally:
            self._give_back(connection)

    async def _answer(self, connection: Connection, ask: Ask, send: Send, told: RawHeaders) -> None:
        try:
            response = await connection.ask(ask)
        except (OSError, h11.ProtocolError) as error:
            await self._unanswered(error, send, told)
            return
        self._metrics.upstream.labels(f"{response.status_code // 100}xx").inc()
        headers = end_to_end(response.headers.raw_items())
        own = [(name, value) for name, value in headers if not name.lower().startswith(b"x-pas-")]
        await send({"type": "http.response.start", "status": response.status_code, "headers": own + told})
        try:
            async for piece in connection.pieces():
                await self._turns.take()
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except (OSError, h11.ProtocolError):
            # Half an answer went out: to end without an end is what tells the client that it was cut.
            self._metrics.cut.inc()
            return
        await send({"type": "http.response.body", "body": b""})

    async def _unanswered(self, error: Exception, send: Send, told: RawHeaders) -> None:
        self._metrics.upstream.labels("none").inc()
        # Only the kind of error: its message may hold the address, and with it what somebody put into the query.
        kind = type(error).__name__
        if isinstance(error, TimeoutError):
            await failure(send, 504, "upstream_timeout", f"the upstream did not answer in time ({kind}).", told)
        else:
            await failure(send, 502, "upstream_unreachable", f"the upstream gave no answer ({kind}).", told)


def _place(config: ProxyConfig) -> tuple[Origin, bytes, bytes]:
    """Return where the upstream is, what its Host header says, and the path before the API's."""
    parts = urlsplit(config.upstream)
    host = (parts.hostname or "").encode("idna").decode()
    usual = _PORTS[parts.scheme]
    port = parts.port or usual
    name = f"[{host}]" if ":" in host else host
    context = None
    if parts.scheme == "https":
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
    origin = Origin(host, port, context, config.connect_timeout_s, config.read_timeout_s)
    base = quote(parts.path, safe="/%:@!$&'()*+,;=~").rstrip("/").encode()
    return origin, (name if port == usual else f"{name}:{port}").encode(), base


def end_to_end(headers: Sequence[tuple[bytes, bytes]]) -> RawHeaders:
    """Return the headers that are meant for the other end, without those of this connection alone."""
    named = b",".join(value for name, value in headers if name.lower() == b"connection").lower()
    hop = _HOP | {name.strip() for name in named.split(b",")} - {b"content-length", b"content-type"}
    return without(headers, *hop)


def without(headers: Sequence[tuple[bytes, bytes]], *names: bytes) -> RawHeaders:
    """Return the headers but those named."""
    return [(name, value) for name, value in headers if name.lower() not in names]
