"""One connection to the upstream: HTTP/1.1 as h11 reads and writes it, straight over asyncio's transport.

An HTTP client of the usual kind costs about a millisecond a request, more than all the rest of the proxy.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import h11

_Event = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]
#: Bytes that are taken at once: with asyncio's 256 KiB a few hundred fast streams would keep all others waiting.
_AT_ONCE = 32_768
#: Bytes that wait to be read before the upstream is told to wait, and those of the longest head of an answer.
_MUCH, _LONGEST_HEAD = 65_536, 102_400
#: An upstream may close what was idle for longer: the request sent in that moment would be lost.
_IDLE_S = 5.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the upstream is, with what its connections need."""

    host: str
    port: int
    context: ssl.SSLContext | None
    connect_s: float
    read_s: float


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as it goes to the upstream; a body in pieces is read while it is sent."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes | AsyncIterator[bytes]


class _Wire(asyncio.BufferedProtocol):
    """What came over a connection and was not read yet."""

    def __init__(self) -> None:
        self._buffer = bytearray(_AT_ONCE)
        self._came: deque[bytes] = deque()
        self._size = 0
        self._paused = self._ended = False
        self._may_read, self._may_write = asyncio.Event(), asyncio.Event()
        self._may_write.set()

    @property
    def silent(self) -> bool:
        """Tell whether it is open and nothing has come: what comes unasked is no answer to what is asked next."""
        return not self._came and not self._ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._came.append(bytes(memoryview(self._buffer)[:nbytes]))
        self._size += nbytes
        if self._size > _MUCH and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._may_read.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._ended = True
        self._may_read.set()
        self._may_write.set()

    def eof_received(self) -> None:
        self.connection_lost(None)

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    async def read(self, patience_s: float) -> bytes:
        """Return what comes next, nothing at the end."""
        if not self._came and not self._ended:
            self._may_read.clear()
            await _soon(self._may_read, patience_s)
        if not self._came:
            return b""
        data = self._came.popleft()
        self._size -= len(data)
        if self._paused and self._size <= _MUCH and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()
        return data

    async def write(self, data: bytes, patience_s: float) -> None:
        """Send, and wait while much is on its way; raises ConnectionError where nobody reads any more."""
        if self.transport.is_closing():
            raise ConnectionError
        self.transport.write(data)
        if not self._may_write.is_set():
            await _soon(self._may_write, patience_s)


class Connection:
    """Sends one request at a time and gives its answer: the head, then the body piece by piece."""

    def __init__(self, wire: _Wire, read_s: float) -> None:
        self._wire, self._read_s = wire, read_s
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        self._rested = 0.0

    @classmethod
    async def open(cls, origin: Origin) -> Connection:
        """Connect; raises OSError or TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(origin.connect_s):
            _, wire = await loop.create_connection(
                _Wire, origin.host, origin.port, ssl=origin.context, happy_eyeballs_delay=0.25
            )
        return cls(wire, origin.read_s)

    async def ask(self, ask: Ask) -> h11.Response:
        """Send a request and return the head of its answer; raises OSError, TimeoutError or h11.ProtocolError."""
        with suppress(ConnectionError):  # it may have answered and hung up before it was sent everything
            await self._send(ask)
        while not isinstance(event := await self._next(), h11.Response):
            pass  # one that says only that it goes on
        return event

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body of the answer as it comes; raises as `ask` does where it breaks off."""
        event: _Event = await self._next()
        while isinstance(event, h11.Data):
            # What is here already goes on in one piece: an upstream's chunks are nobody's messages.
            parts = []
            while isinstance(event, h11.Data):
                parts.append(event.data)
                event = self._http.next_event()
            yield b"".join(parts)
            if event is h11.NEED_DATA:
                event = await self._next()

    def rest(self) -> bool:
        """Make ready for another request; return False where it takes none."""
        if self._http.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE} or self._http.trailing_data[0]:
            return False
        self._http.start_next_cycle()
        self._rested = asyncio.get_running_loop().time()
        return self.fresh

    @property
    def fresh(self) -> bool:
        """Tell whether a request can be sent over a connection that rested."""
        return self._wire.silent and asyncio.get_running_loop().time() - self._rested < _IDLE_S

    def close(self) -> None:
        """Hang up at once: whoever is behind stops working."""
        self._wire.transport.abort()

    async def _send(self, ask: Ask) -> None:
        head = self._http.send(h11.Request(method=ask.method, target=ask.target, headers=ask.headers)) or b""
        if isinstance(ask.body, bytes):
            rest = [self._http.send(event) or b"" for event in (h11.Data(data=ask.body), h11.EndOfMessage())]
            await self._write(b"".join([head, *rest]))
            return
        await self._write(head)
        async for piece in ask.body:
            await self._write(self._http.send(h11.Data(data=piece)) or b"")
        await self._write(self._http.send(h11.EndOfMessage()) or b"")

    async def _write(self, data: bytes) -> None:
        await self._wire.write(data, self._read_s)

    async def _next(self) -> _Event:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._wire.read(self._read_s))
        return event


async def _soon(event: asyncio.Event, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await event.wait()
