"""What `load.py` drives: a stub upstream and a proxy, each in a process of its own, and a client with few costs.

The client and the upstream speak just enough HTTP/1.1 to cost less than what they measure.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

from pas_middleware import PAS, ScriptedModel, Settings
from pas_middleware.proxy.command import build, run
from pas_middleware.proxy.config import ProxyConfig

STREAM = b"/v1/stream"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
_PIECE = b"data: " + b"x" * 16_376 + b"\n\n"


# The upstream.


class Stub(asyncio.Protocol):
    """Answers after a delay; streams pieces where the path says so; keeps when streams were cut."""

    delay_s = 0.0
    cuts: ClassVar[dict[str, float]] = {}

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
        length = _LENGTH.search(head)
        if not found or len(body) < (int(length[1]) if length else 0):
            return
        self._got.clear()
        target = head.split(b" ", 2)[1]
        if target.startswith(STREAM):
            name, pieces = target.rsplit(b"/", 2)[1:]
            self._stream = asyncio.ensure_future(self._pieces(name.decode(), int(pieces)))
        elif target == b"/cuts":
            self._answer(json.dumps(self.cuts).encode())
        else:
            asyncio.get_running_loop().call_later(self.delay_s, self._answer, b'{"choices": []}')

    def _answer(self, body: bytes) -> None:
        self._out.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body))
        self._out.write(body)

    async def _pieces(self, name: str, pieces: int) -> None:
        self._name = name
        self._out.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(pieces):
            await self._may_write.wait()
            self._out.write(b"%x\r\n%s\r\n" % (len(_PIECE), _PIECE))
            await asyncio.sleep(0.002)
        self._out.write(b"0\r\n\r\n")
        self._stream = None

    def pause_writing(self) -> None:
        """Wait for the reader."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._may_write.set()

    def connection_lost(self, error: Exception | None) -> None:
        """Keep when a stream was cut."""
        if self._stream is not None:
            self._stream.cancel()
            self.cuts[self._name] = time.monotonic()


async def _serve_stub(delay_ms: float) -> None:
    Stub.delay_s = delay_ms / 1000
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0, backlog=2_048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)
    await server.serve_forever()


# The proxy.


def scripted(low_ms: float, high_ms: float, settings: Settings) -> PAS:
    """Return a PAS object whose model takes a time drawn anew for each prompt."""
    draw = random.Random(1)

    def script(_: str) -> str:
        if high_ms:
            time.sleep(draw.uniform(low_ms, high_ms) / 1000)
        return "Check every step before you answer."

    return PAS(ScriptedModel(script), settings)


def _serve_proxy(upstream: str, workers: int, model: str, settings: dict[str, float]) -> None:
    policy = Settings(cache_entries=0, **settings)  # type: ignore[arg-type]
    low, high = (float(ms) for ms in model.split("-")) if model != "pas-mini" else (0.0, 0.0)
    load = partial(PAS.load, settings=policy) if model == "pas-mini" else partial(scripted, low, high, policy)
    run(partial(build, ProxyConfig(upstream), load, None, False), "127.0.0.1", 0, workers, 30, upstream)


@dataclass
class Server:
    """A process that serves, and its address."""

    process: subprocess.Popen[str]
    port: int

    def memory_mib(self) -> float:
        """Return the resident memory of the process and its workers."""
        pids = [self.process.pid, *map(int, _children(self.process.pid))]
        pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids]
        return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[Server]:
    """Run this file as a server and give it once it listens."""
    command = [sys.executable, __file__, *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stderr is not None
            line = ""
            while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", line)):
                line = running.stderr.readline()
                if not line:
                    raise SystemExit(f"{arguments[0]} did not start")
            yield Server(running, int(found[1]))
        finally:
            if running.poll() is None:
                running.terminate()
                running.wait(60)


def upstream_of(delay_ms: float) -> contextlib.AbstractContextManager[Server]:
    """Run the stub upstream."""
    return process("upstream", str(delay_ms))


def proxy_of(
    upstream: Server, *, workers: int = 1, model: str = "0-0", **settings: float
) -> contextlib.AbstractContextManager[Server]:
    """Run a proxy in front of an upstream; the model is pas-mini or the least and most milliseconds of a stub."""
    address = f"http://127.0.0.1:{upstream.port}"
    return process("proxy", address, str(workers), model, json.dumps(settings))


# The client.


@dataclass(frozen=True, slots=True)
class Answered:
    """One request's end: when it was due, milliseconds until the answer, its status (0: none), what the proxy said."""

    due: float
    ms: float
    status: int
    reason: str = ""
    applied: bool = False


def request(path: str, words: int = 20, number: int = 0) -> bytes:
    """Return a chat completion of so many words, another prompt for each number."""
    text = " ".join(["Compare renting and buying a flat for a family of four that may move again"] * (words // 15 + 1))
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": f"{text}, case {number}?"}]}).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass
class Client:
    """Sends requests to a port over connections that it keeps."""

    port: int
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def call(self, raw: bytes, due: float = 0.0) -> Answered:
        """Send one request and read its answer; `due` is when it should have been sent."""
        due = due or time.monotonic()
        try:
            while self.idle and self.idle[-1][0].at_eof():  # closed meanwhile
                self.idle.pop()
            pair = self.idle.pop() if self.idle else await asyncio.open_connection("127.0.0.1", self.port)
            reader, writer = pair
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
        except (OSError, asyncio.IncompleteReadError):
            return Answered(due, (time.monotonic() - due) * 1000, 0)
        self.idle.append(pair)
        reason = re.search(rb"x-pas-reason: *(\w*)", head)
        told = reason[1].decode() if reason else ""
        ms = (time.monotonic() - due) * 1000
        return Answered(due, ms, int(head[9:12]), told, b"x-pas-status: applied" in head)

    async def at_rate(self, rate: float, seconds: float, path: str = "/v1/chat/completions") -> list[Answered]:
        """Send so many requests a second, whether the others are answered or not."""
        begun, tasks = time.monotonic(), []
        for number in range(int(rate * seconds)):
            due = begun + number / rate
            if (ahead := due - time.monotonic()) > 0:
                await asyncio.sleep(ahead)
            tasks.append(asyncio.ensure_future(self.call(request(path, number=number), due)))
        return await asyncio.gather(*tasks)

    async def ready(self) -> None:
        """Wait until the proxy, all its workers, is ready."""
        in_a_row = 0
        while in_a_row < 20:
            await asyncio.sleep(0.02)
            with contextlib.suppress(ConnectionError):  # the port is taken before anybody listens
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                in_a_row = in_a_row + 1 if b" 200 " in await reader.readline() else 0
                writer.close()


if __name__ == "__main__":
    if sys.argv[1] == "upstream":
        asyncio.run(_serve_stub(float(sys.argv[2])))
    else:
        _serve_proxy(sys.argv[2], int(sys.argv[3]), sys.argv[4], json.loads(sys.argv[5]))
