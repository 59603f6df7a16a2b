"""Load the proxy on this machine: overhead, deadline, overload, streams, shutdown, and the rates held with pas-mini.

    python benchmarks/load.py [--seconds 20] [--only overhead rates …] [--json]

Upstream, proxy and client share the machine. Every figure of the proxy stands beside one of the same upstream without
it, taken in the same run, in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from load_parts import Answered, Client, Server, proxy_of, request, upstream_of

from pas_middleware.cli.bench import machine

_BLOCK_S = 5.0
Figures = dict[str, Any]


def cuts(values: Iterable[float]) -> dict[str, float]:
    """Return the median, the 95th and the 99th percentile."""
    hundred = statistics.quantiles(list(values), n=100, method="inclusive")
    return {"p50": hundred[49], "p95": hundred[94], "p99": hundred[98]}


async def compared(upstream: Server, proxy: Server, rate: float, seconds: float) -> Figures:
    """Send a rate to the upstream alone and through the proxy, in turn, in blocks of five seconds."""
    clients = {"direct": Client(upstream.port), "proxied": Client(proxy.port)}
    answers: dict[str, list[Answered]] = {"direct": [], "proxied": []}
    await clients["proxied"].ready()
    for client in clients.values():
        await client.at_rate(rate, 1)  # connections
    for _ in range(max(1, round(seconds / _BLOCK_S))):
        for name, client in clients.items():
            answers[name] += await client.at_rate(rate, min(seconds, _BLOCK_S))
    direct, proxied = (cuts(a.ms for a in answers[name]) for name in answers)
    return {
        "rate": rate,
        "requests": len(answers["proxied"]),
        "direct_ms": direct,
        "proxied_ms": proxied,
        "added_ms": {name: proxied[name] - direct[name] for name in direct},
        "errors": sum(a.status != 200 for a in answers["proxied"]),
        "applied": sum(a.applied for a in answers["proxied"]) / len(answers["proxied"]),
    }


async def overhead(seconds: float) -> Figures:
    """L1: 200 requests a second, two workers, a model that takes no time, an upstream that takes 50 ms."""
    with upstream_of(50) as upstream, proxy_of(upstream, workers=2) as proxy:
        return await compared(upstream, proxy, 200, seconds)


async def rates(seconds: float) -> list[Figures]:
    """With pas-mini: what each arrival rate adds, until a rate is no longer held."""
    rows: list[Figures] = []
    with upstream_of(50) as upstream, proxy_of(upstream, workers=2, model="pas-mini") as proxy:
        for rate in (10, 25, 50, 75, 100, 150, 200, 300):
            rows.append(await compared(upstream, proxy, rate, seconds / 2))
            if rows[-1]["proxied_ms"]["p50"] > 1_000 or rows[-1]["errors"]:
                break
    return rows


async def deadline(seconds: float) -> list[Figures]:
    """L2: a deadline of 300 ms, a model that takes 50 to 2,000 ms, so many clients that ask one after the other."""
    rows = []
    for clients in (1, 8, 32, 128):
        with upstream_of(0) as upstream, proxy_of(upstream, model="50-2000", deadline_ms=300) as proxy:
            client = Client(proxy.port)
            await client.ready()
            end = time.monotonic() + seconds / 4
            answers = [a for each in await asyncio.gather(*(_asks(client, end) for _ in range(clients))) for a in each]
            decided = Counter(a.reason or "applied" for a in answers)
            errors = sum(a.status != 200 for a in answers)
            rows.append({"clients": clients, "ms": cuts(a.ms for a in answers), "decided": decided, "errors": errors})
    return rows


async def _asks(client: Client, end: float) -> list[Answered]:
    answers = []
    while time.monotonic() < end:
        answers.append(await client.call(request("/v1/chat/completions", number=random.getrandbits(40))))
    return answers


async def overload(seconds: float) -> Figures:
    """L3: two, five and ten times what a model of 40 ms can do, then a rate that it can do again."""
    with upstream_of(0) as upstream, proxy_of(upstream, model="40-40", deadline_ms=5_000) as proxy:
        client = Client(proxy.port)
        await client.ready()
        before = await client.at_rate(10, 3)
        steady, rows = proxy.memory_mib(), []
        for times in (2, 5, 10):
            answers = await client.at_rate(25 * times, seconds / 2)
            decided = Counter(a.reason or "applied" for a in answers)
            errors = sum(a.status != 200 for a in answers)
            rows.append({"times": times, "ms": cuts(a.ms for a in answers), "decided": decided, "errors": errors})
        after = await client.at_rate(10, 10)
        return {
            "rows": rows,
            "applied_before": sum(a.applied for a in before) / len(before),
            "applied_within_10_s_after": sum(a.applied for a in after) / len(after),
            "memory_mib": {"steady": steady, "after": proxy.memory_mib()},
        }


async def streams(seconds: float) -> Figures:
    """L5: 100 streams of 1 MiB at once, 30 of them cut by their clients, and /healthz meanwhile."""
    pieces = 64
    with upstream_of(0) as upstream, proxy_of(upstream) as proxy:
        client, healthy = Client(proxy.port), asyncio.Event()
        await client.ready()
        health = asyncio.ensure_future(_health(proxy.port, healthy))
        cut_at = {number: random.Random(number).randint(1, 40) for number in range(30)}
        ends = await asyncio.gather(*(_stream(proxy.port, n, pieces, cut_at.get(n)) for n in range(100)))
        await asyncio.sleep(1.5)
        healthy.set()
        seen = await _cuts_seen(upstream.port)
        late = [seen[str(n)] - ends[n][0] for n in cut_at if str(n) in seen]
        return {
            "streams": 100,
            "cut": len(cut_at),
            "aborts_seen": len(late),
            "abort_s_max": max(late, default=0.0),
            "whole": sum(whole for n, (_, whole) in enumerate(ends) if n not in cut_at),
            "health_ms": cuts(await health),
        }


async def _stream(port: int, number: int, pieces: int, cut_at: int | None) -> tuple[float, bool]:
    """Read a stream; return when it ended or was cut, and whether it came whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /v1/stream/{number}/{pieces} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    size = 0
    while piece := await reader.read(16_384):
        size += len(piece)
        if cut_at is not None and size > cut_at * 16_384:
            writer.transport.abort()
            return time.monotonic(), False
    writer.close()
    return time.monotonic(), size >= pieces * 16_384


async def _health(port: int, end: asyncio.Event) -> list[float]:
    client, times = Client(port), []
    while not end.is_set():
        times.append((await client.call(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")).ms)
        await asyncio.sleep(0.02)
    return times


async def _cuts_seen(port: int) -> dict[str, float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /cuts HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    found: dict[str, float] = json.loads(await reader.read(65_536))
    writer.close()
    return found


async def shutdown(seconds: float) -> Figures:
    """L6: the signal to stop, under 100 requests a second, five times."""
    dropped, refused, codes, times = 0, 0, [], []
    for _ in range(5):
        with upstream_of(50) as upstream, proxy_of(upstream, workers=2) as proxy:
            client = Client(proxy.port)
            await client.ready()
            load = asyncio.ensure_future(client.at_rate(100, 3))
            await asyncio.sleep(1.5)
            stopped = time.monotonic()
            codes.append(await asyncio.to_thread(proxy.stop))
            times.append(time.monotonic() - stopped)
            failed = [a for a in await load if a.status != 200]
            # 20 ms: what was sent while the signal was on its way may find the port closed.
            dropped += sum(a.due < stopped - 0.02 for a in failed)
            refused += len(failed)
    return {"stops": 5, "dropped_in_flight": dropped, "refused_after": refused - dropped, "exit_codes": codes,
            "seconds_max": max(times)}  # fmt: skip


async def soak(seconds: float) -> Figures:
    """L4: 20 requests a second with pas-mini, 20 words each; memory and open files every tenth of the time."""
    with upstream_of(50) as upstream, proxy_of(upstream, model="pas-mini") as proxy:
        client = Client(proxy.port)
        await client.ready()
        rows = []
        for _ in range(10):
            answers = await client.at_rate(20, seconds / 10)
            files = len(os.listdir(f"/proc/{proxy.process.pid}/fd"))
            errors = sum(a.status != 200 for a in answers)
            memory = proxy.memory_mib()
            rows.append({"ms": cuts(a.ms for a in answers), "memory_mib": memory, "files": files, "errors": errors})
        return {"seconds": seconds, "tenths": rows}


#: What runs unless others are named; a soak only by name.
LOADS: dict[str, Callable[[float], Awaitable[Any]]] = {
    "overhead": overhead,
    "rates": rates,
    "deadline": deadline,
    "overload": overload,
    "streams": streams,
    "shutdown": shutdown,
    "soak": soak,
}


async def measure(names: list[str], seconds: float) -> Figures:
    """Return every figure that is asked for."""
    figures: Figures = {"machine": machine(), "seconds": seconds}
    for name in names:
        figures[name] = await LOADS[name](seconds)
        print(json.dumps({name: figures[name]}, indent=1), flush=True)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="how long each load lasts, about")
    parser.add_argument(
        "--only", nargs="+", choices=LOADS, default=[name for name in LOADS if name != "soak"], help="which loads"
    )
    parser.add_argument("--out", help="write all figures as JSON to this file")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.only, options.seconds))
    print(figures["machine"])
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
