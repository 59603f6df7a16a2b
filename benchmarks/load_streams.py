"""L5: many streams through the proxy at once, some cut by their clients, and what /healthz takes meanwhile."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
import zlib
from contextlib import suppress
from functools import lru_cache
from typing import Any

from load_parts import Client, Server, cuts, proxy_of, request, upstream_of
from load_upstream import PIECE, STREAM

_SEEN_S = 1.5


async def streams(count: int, pieces: int) -> dict[str, Any]:
    """Send so many streams of 16 KiB pieces, three of ten cut at a random piece; every one is augmented before."""
    with upstream_of(0) as upstream, proxy_of(upstream, workers=2) as proxy:
        await Client(proxy.port).ready()
        prober = subprocess.Popen(
            [sys.executable, __file__, str(proxy.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        begun = time.monotonic()
        ends, seen = await _all(upstream, proxy, count, pieces)
        lasted = time.monotonic() - begun
        told, _ = await asyncio.to_thread(prober.communicate, "")
    cut = {n: end for n, (end, _) in enumerate(ends) if _is_cut(n)}
    late = [seen[str(n)] - end for n, end in cut.items() if str(n) in seen]
    health = json.loads(told)
    return {
        "streams": count,
        "mib_each": pieces * len(PIECE) / 2**20,
        "seconds": lasted,
        "cut": len(cut),
        "aborts_seen": len(late),
        "abort_s": cuts(late) | {"max": max(late)},
        "whole_and_equal": sum(whole for n, (_, whole) in enumerate(ends) if not _is_cut(n)),
        "health_probes": len(health),
        "health_ms": cuts(health) | {"max": max(health)},
    }


def _is_cut(number: int) -> bool:
    return number % 10 < 3


async def _all(
    upstream: Server, proxy: Server, count: int, pieces: int
) -> tuple[list[tuple[float, bool]], dict[str, float]]:
    """Return when each stream ended and whether it came whole; and when the upstream saw those that were cut."""
    cut_at = {n: random.Random(n).randint(1, pieces - 1) for n in range(count) if _is_cut(n)}
    running = [asyncio.ensure_future(_stream(proxy.port, n, pieces, cut_at.get(n))) for n in range(count)]
    await asyncio.wait([running[n] for n in cut_at])
    await asyncio.sleep(_SEEN_S)
    stub = Client(upstream.port)
    await stub.text(b"GET /finish HTTP/1.1\r\n\r\n")
    return await asyncio.gather(*running), json.loads(await stub.text(b"GET /cuts HTTP/1.1\r\n\r\n"))


async def _stream(port: int, number: int, pieces: int, cut_at: int | None) -> tuple[float, bool]:
    """Read a stream; return when it ended or was cut, and whether every byte of it came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    target = f"/v1/chat/completions{STREAM.decode()}{number}/{pieces}"
    writer.write(request(target, number=number))
    await reader.readuntil(b"\r\n\r\n")
    size = check = 0
    while length := int(await reader.readuntil(b"\r\n"), 16):
        data = (await reader.readexactly(length + 2))[:-2]
        size, check = size + length, zlib.crc32(data, check)
        if cut_at is not None and size >= cut_at * len(PIECE):
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()  # until then the connection is open
            return time.monotonic(), False
    writer.close()
    return time.monotonic(), (size, check) == (pieces * len(PIECE), _checksum(pieces))


@lru_cache
def _checksum(pieces: int) -> int:
    check = 0
    for _ in range(pieces):
        check = zlib.crc32(PIECE, check)
    return check


async def _probe(port: int) -> None:
    """Ask /healthz fifty times a second until standard input ends; print what each took.

    In a process of its own: in the one that reads the streams it would wait for its turn there, too.
    """
    client, times = Client(port), []
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    while not ended.done():
        answered = await client.call(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        times.append(answered.ms if answered.status == 200 else float("inf"))
        await asyncio.sleep(0.02)
    print(json.dumps(times))


if __name__ == "__main__":
    asyncio.run(_probe(int(sys.argv[1])))
