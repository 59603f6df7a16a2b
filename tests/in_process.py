"""One ASGI request in this process, and all that was sent: no server and no thread; a model with fixed answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from http_servers import COMPLEMENT, PROMPT
from pas_middleware import Augmentation, ModelInfo
from pas_middleware.proxy.app import Proxy
from pas_middleware.proxy.config import ProxyConfig

Pairs = list[tuple[bytes, bytes]]
CHAT = "/v1/chat/completions"
JSON: Pairs = [(b"content-type", b"application/json")]
CHAT_BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": PROMPT}]}).encode()
#: Nobody is there: for what must not be sent on.
NOBODY = "http://127.0.0.1:1"
APPLIED = Augmentation(PROMPT, f"{PROMPT}\n\n{COMPLEMENT}", COMPLEMENT, "applied", "", 1250.0, "fixed", COMPLEMENT)
SKIPPED = Augmentation(PROMPT, PROMPT, "", "skipped", "unsure", 250.0, "fixed", COMPLEMENT, "too close")


class Client:
    """Gives the pieces of a body, then waits or leaves; keeps what is sent to it."""

    def __init__(self, *pieces: bytes, leaves: bool = False) -> None:
        self._coming: list[dict[str, Any]] = [
            {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
            for number, piece in enumerate(pieces, 1)
        ]
        self._leaves = leaves
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        if self._coming:
            return self._coming.pop(0)
        if not self._leaves:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def headers(self) -> Pairs:
        return self.sent[0]["headers"]

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def told(self) -> tuple[int, dict[bytes, bytes], Any]:
        """What an answer of the proxy's own says: its status, its headers without the length, its JSON."""
        headers = dict(self.headers)
        assert headers.pop(b"content-length") == str(len(self.body)).encode()
        return self.status, headers, json.loads(self.body)


def scope(path: str = CHAT, method: str = "POST", headers: Pairs = JSON, query: bytes = b"") -> dict[str, Any]:
    raw = {"raw_path": path.encode(), "query_string": query, "headers": list(headers)}
    return {"type": "http", "method": method, "path": path, **raw}


async def call(app: Any, *pieces: bytes, leaves: bool = False, **request: Any) -> Client:
    client = Client(*(pieces or (b"",)), leaves=leaves)
    async with asyncio.timeout(10):  # else what goes wrong is a test without an end
        await app(scope(**request), client.receive, client.send)
    return client


def refusal(status: int, code: str, message: str, *told: tuple[bytes, bytes]) -> tuple[int, dict[bytes, bytes], Any]:
    """Return what `Client.told` is where the proxy refuses."""
    retry = {b"retry-after": b"1"} if status in (429, 503) else {}
    error = {"message": f"pas proxy: {message}", "type": "pas_proxy_error", "code": code, "param": None}
    return status, {b"content-type": b"application/json", **retry, **dict(told)}, {"type": "error", "error": error}


class FixedPAS:
    """Says the same of every prompt, or raises; keeps what it was asked."""

    model = ModelInfo("fixed", "scripted", "1", ("en",), 1_000.0)

    def __init__(self, *said: Any) -> None:
        self.said = said or (APPLIED,)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.closed = 0

    def _say(self, prompt: str, options: dict[str, Any]) -> Iterator[Any]:
        self.asked.append((prompt, options))
        for item in self.said:
            if isinstance(item, BaseException):
                raise item
            yield item if isinstance(item, str) else replace(item, prompt=prompt, text=prompt + item.insertion)

    async def aaugment(self, prompt: str, **options: Any) -> Augmentation:
        return list(self._say(prompt, options))[-1]

    async def astream(self, prompt: str, **options: Any) -> AsyncIterator[Any]:
        for item in self._say(prompt, options):
            yield item

    def close(self) -> None:
        self.closed += 1


def ready_proxy(pas: Any = None, upstream: str = NOBODY, **options: Any) -> Proxy:
    """Return a proxy that has its model, without having been started."""
    proxy = Proxy(ProxyConfig(upstream, **options), lambda: pas)
    proxy.engine.pas = pas or FixedPAS()
    return proxy


def sample(proxy_metrics: Any, name: str, **labels: str) -> float | None:
    return proxy_metrics._registry.get_sample_value(name, labels)


class LocalUpstream:
    """Answers every request with the same bytes; keeps the requests as they came, connection by connection."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.connections: list[list[bytes]] = []
        self.url = ""

    @property
    def requests(self) -> list[bytes]:
        return [request for requests in self.connections for request in requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(requests := [])
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                requests.append(head + await _rest(reader, head.lower()))
                writer.write(self.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def _rest(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"transfer-encoding: chunked" in head:
        return await reader.readuntil(b"0\r\n\r\n")
    _, found, length = head.partition(b"\r\ncontent-length: ")
    return await reader.readexactly(int(length.split(b"\r\n")[0])) if found else b""


def ok(body: bytes = b"{}", *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, *headers, b"content-length: %d" % len(body)]
    return b"\r\n".join([*lines, b"", body])


@asynccontextmanager
async def answering_here(answer: bytes = ok()) -> AsyncIterator[LocalUpstream]:
    """Serve an upstream on this event loop."""
    upstream = LocalUpstream(answer)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield upstream
    finally:
        server.close()
