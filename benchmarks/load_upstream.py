"""The stub upstream of `load.py`, a process of its own: answers after a delay, streams, keeps when streams were cut.

It speaks just enough HTTP/1.1 to cost less than what is measured.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import ClassVar

#: In a target, before a stream's name and the number of its pieces.
STREAM = b"?stream/"
LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
PIECE = b"data: " + b"x" * 16_376 + b"\n\n"


class Stub(asyncio.Protocol):
    """Answers after a delay; of a stream it holds the last piece back until `/finish`, so that every cut is seen.

    Without that a stream could be over for the stub, all of it being in buffers on the way, when its client cuts it.
    """

    delay_s = 0.0
    cuts: ClassVar[dict[str, float]] = {}
    answered: ClassVar[int] = 0
    finish: ClassVar[asyncio.Event]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._out, self._got = transport, bytearray()
        self._stream: asyncio.Task[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        """Answer once a request is whole."""
        self._got += data
        head, found, body = bytes(self._got).partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not found or len(body) < (int(length[1]) if length else 0):
            return
        self._got.clear()
        target = head.split(b" ", 2)[1]
        if STREAM in target:
            name, pieces = target.rsplit(b"/", 2)[1:]
            self._stream = asyncio.ensure_future(self._pieces(name.decode(), int(pieces)))
        elif target == b"/cuts":
            self._answer(json.dumps(self.cuts).encode())
        elif target == b"/answered":
            self._answer(str(self.answered).encode())
        elif target == b"/finish":
            self.finish.set()
            self._answer(b"{}")
        else:
            Stub.answered += 1
            asyncio.get_running_loop().call_later(self.delay_s, self._answer, b'{"choices": []}')

    def _answer(self, body: bytes) -> None:
        self._out.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body))
        self._out.write(body)

    async def _pieces(self, name: str, pieces: int) -> None:
        self._name = name
        self._out.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for piece in range(pieces):
            if piece == pieces - 1:
                await self.finish.wait()
            await self._may_write.wait()
            self._out.write(b"%x\r\n%s\r\n" % (len(PIECE), PIECE))
            await asyncio.sleep(0.002)
        self._out.write(b"0\r\n\r\n")
        self._stream = None

    def pause_writing(self) -> None:
        """Wait for the reader."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._may_write.set()

    def eof_received(self) -> None:
        """See at once that the reader is gone; the connection may still hold what it never took."""
        self.connection_lost(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Keep when a stream was cut."""
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None
            self.cuts[self._name] = time.monotonic()


async def serve(delay_ms: float) -> None:
    """Answer on a free port, and say which on standard error."""
    Stub.delay_s, Stub.finish = delay_ms / 1000, asyncio.Event()
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0, backlog=2_048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
