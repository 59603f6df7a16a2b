"""What the loads drive: a stub upstream and a proxy, each in a process of its own, and a client with few costs.

The client speaks just enough HTTP/1.1 to cost less than what it measures.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from load_upstream import LENGTH
from starlette.types import Receive, Scope, Send

from pas_middleware import PAS, Breaker, ScriptedModel, Settings
from pas_middleware.proxy.app import Proxy
from pas_middleware.proxy.command import run
from pas_middleware.proxy.config import ProxyConfig
from pas_middleware.proxy.replies import answer

_HERE = Path(__file__)
#: For loads that are about the deadline: a breaker that opens would keep most requests from it.
NO_BREAKER = 1_000_000


def cuts(values: Iterable[float]) -> dict[str, float]:
    """Return the median, the 95th and the 99th percentile."""
    given = list(values)
    hundred = statistics.quantiles(given * (1 + (len(given) == 1)), n=100, method="inclusive")
    return {"p50": hundred[49], "p95": hundred[94], "p99": hundred[98]}


# The proxy.


def scripted(low_ms: float, high_ms: float, settings: Settings) -> PAS:
    """Return a PAS object whose model takes a time drawn anew for each prompt."""
    draw = random.Random(1)

    def script(_: str) -> str:
        if high_ms:
            time.sleep(draw.uniform(low_ms, high_ms) / 1000)
        return "Check every step before you answer."

    return PAS(ScriptedModel(script), settings)


class Watched(Proxy):
    """The proxy, that also says how many tasks its event loop has."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer /tasks here, the rest as ever."""
        if scope.get("path") == "/tasks":
            await answer(send, 200, {"tasks": len(asyncio.all_tasks())})
        else:
            await super().__call__(scope, receive, send)


def _serve_proxy(upstream: str, workers: int, model: str, settings: dict[str, float]) -> None:
    breaker = Breaker(int(settings.pop("breaker_failures", 5)))
    policy = Settings(cache_entries=0, breaker=breaker, **settings)  # type: ignore[arg-type]
    low, high = (float(ms) for ms in model.split("-")) if model != "pas-mini" else (0.0, 0.0)
    load = partial(PAS.load, settings=policy) if model == "pas-mini" else partial(scripted, low, high, policy)
    run(partial(Watched, ProxyConfig(upstream), load), "127.0.0.1", 0, workers, 30, upstream)


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
def process(script: str, *arguments: str) -> Iterator[Server]:
    """Run a script beside this one as a server and give it once it listens."""
    command = [sys.executable, str(_HERE.with_name(script)), *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stderr is not None
            line = ""
            while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", line)):
                line = running.stderr.readline()
                if not line:
                    raise SystemExit(f"{script} did not start")
            yield Server(running, int(found[1]))
        finally:
            if running.poll() is None:
                running.terminate()
                running.wait(60)


def upstream_of(delay_ms: float) -> contextlib.AbstractContextManager[Server]:
    """Run the stub upstream."""
    return process("load_upstream.py", str(delay_ms))


def proxy_of(
    upstream: Server, *, workers: int = 1, model: str = "0-0", **settings: float
) -> contextlib.AbstractContextManager[Server]:
    """Run a proxy in front of an upstream; the model is pas-mini or the least and most milliseconds of a stub."""
    address = f"http://127.0.0.1:{upstream.port}"
    return process("load_parts.py", address, str(workers), model, json.dumps(settings))


# The client.


@dataclass(frozen=True, slots=True)
class Answered:
    """One request's end: milliseconds since it was due, its status (0: lost, -1: not taken), what the proxy said."""

    ms: float
    status: int
    reason: str = ""
    applied: bool = False

    @property
    def end(self) -> str:
        """Say how it ended."""
        return {0: "lost", -1: "not taken", 200: "answered"}.get(self.status, str(self.status))


def request(path: str, words: int = 20, number: int = 0) -> bytes:
    """Return a chat completion of so many words, another prompt for each number."""
    text = " ".join(["Compare renting and buying a flat for a family of four that may move again"] * (words // 15 + 1))
    return chat(path, f"{text}, case {number}?")


def chat(path: str, text: str) -> bytes:
    """Return a chat completion with this prompt."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
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
            pair = await self._connected()
        except OSError:
            return Answered((time.monotonic() - due) * 1000, -1)
        reader, writer = pair
        try:
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
        except (OSError, asyncio.IncompleteReadError):
            return Answered((time.monotonic() - due) * 1000, 0)
        self.idle.append(pair)
        reason = re.search(rb"x-pas-reason: *(\w*)", head)
        told = reason[1].decode() if reason else ""
        return Answered((time.monotonic() - due) * 1000, int(head[9:12]), told, b"x-pas-status: applied" in head)

    async def text(self, raw: bytes) -> bytes:
        """Send one request over a connection of its own and return the body of its answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(raw)
        length = LENGTH.search(await reader.readuntil(b"\r\n\r\n"))
        body = await reader.readexactly(int(length[1]) if length else 0)
        writer.close()
        return body

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof():  # not closed meanwhile
                return reader, writer
        return await asyncio.open_connection("127.0.0.1", self.port)

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
    _serve_proxy(sys.argv[1], int(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]))
