"""Load the proxy on this machine: overhead, deadline, overload, streams, shutdown, threads, starts, and the rates held.

    python benchmarks/load.py [--seconds 20] [--only overhead rates …] [--out FILE]

Upstream, proxy and client share the machine. Every figure of the proxy stands beside one of the same upstream without
it, taken in the same run, in turn. The soak is `benchmarks/soak.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from load_life import shutdown, starts, threads
from load_parts import NO_BREAKER, Answered, Client, Server, cuts, proxy_of, request, upstream_of
from load_streams import streams

from pas_middleware.cli.bench import machine

_BLOCK_S = 5.0
Figures = dict[str, Any]


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
        "reasons": Counter(a.reason for a in answers["proxied"]),
    }


async def overhead(seconds: float) -> Figures:
    """L1: 200 requests a second, two workers, a model that takes no time, an upstream that takes 50 ms."""
    with upstream_of(50) as upstream, proxy_of(upstream, workers=2) as proxy:
        return await compared(upstream, proxy, 200, seconds)


async def rates(seconds: float) -> list[Figures]:
    """With pas-mini, whose answer is waited for 100 ms: what each arrival rate adds, and how many came too late."""
    rows: list[Figures] = []
    for workers in (1, 2):
        with upstream_of(50) as upstream, proxy_of(upstream, workers=workers, model="pas-mini") as proxy:
            for rate in (5, 10, 20, 30, 40, 60, 100, 500):
                rows.append({"workers": workers, **await compared(upstream, proxy, rate, seconds)})
                print(json.dumps(rows[-1]), flush=True)
    return rows


async def deadline(seconds: float) -> list[Figures]:
    """L2: a deadline of 300 ms, a model that takes 50 to 2,000 ms, so many clients that ask again after a second.

    Clients that ask without a pause measure the processors, which then have no time that is idle.
    """
    rows = []
    for clients in (1, 8, 32, 128, 512):
        settings = {"deadline_ms": 300, "breaker_failures": NO_BREAKER}
        with upstream_of(0) as upstream, proxy_of(upstream, workers=2, model="50-2000", **settings) as proxy:
            direct, client = Client(upstream.port), Client(proxy.port)
            await client.ready()
            alone = await _all_ask(direct, clients, seconds / 2)
            answers = await _all_ask(client, clients, seconds)
        rows.append({"clients": clients, "direct_ms": cuts(a.ms for a in alone), **_decided(answers)})
        print(json.dumps(rows[-1]), flush=True)
    return rows


async def _all_ask(client: Client, clients: int, seconds: float) -> list[Answered]:
    end = time.monotonic() + seconds

    async def asks() -> list[Answered]:
        answers = []
        await asyncio.sleep(random.random())
        while time.monotonic() < end:
            answers.append(await client.call(request("/v1/chat/completions", number=random.getrandbits(40))))
            await asyncio.sleep(1)
        return answers

    return [answer for each in await asyncio.gather(*(asks() for _ in range(clients))) for answer in each]


def _decided(answers: list[Answered]) -> Figures:
    told = Counter(a.reason or ("applied" if a.applied else "") for a in answers)
    errors = sum(a.status != 200 for a in answers)
    return {"requests": len(answers), "ms": cuts(a.ms for a in answers), "decided": told, "errors": errors}


async def overload(seconds: float) -> list[Figures]:
    """L3: a model of 40 ms at two, five and ten times what it can do, then at a rate that it can do again.

    First with a deadline that the full queue keeps; then with one that it does not, so that the breaker opens.
    """
    return [await _overloaded(deadline_ms, seconds) for deadline_ms in (5_000, 300)]


async def _overloaded(deadline_ms: float, seconds: float) -> Figures:
    with upstream_of(0) as upstream, proxy_of(upstream, model="40-40", deadline_ms=deadline_ms) as proxy:
        client = Client(proxy.port)
        await client.ready()
        before = await client.at_rate(10, 3)
        steady, rows = proxy.memory_mib(), []
        for times in (2, 5, 10):
            rows.append({"times": times, **_decided(await client.at_rate(25 * times, seconds))})
        after = proxy.memory_mib()
        return {
            "deadline_ms": deadline_ms,
            "applied_before": sum(a.applied for a in before) / len(before),
            "rows": rows,
            "memory_mib": {"steady": steady, "after": after},
            "applied_again_after_s": await _recovered(client),
        }


async def _recovered(client: Client) -> int:
    """Return after how many seconds 95 of 100 prompts of a second are augmented again."""
    for second in range(1, 91):
        answers = await client.at_rate(10, 1)
        if sum(a.applied for a in answers) >= 0.95 * len(answers):
            return second
    return -1


#: Loads that last as long as they are told to, and those that end by themselves.
LOADS: dict[str, Callable[[float], Awaitable[Any]]] = {
    "overhead": overhead,
    "rates": rates,
    "deadline": deadline,
    "overload": overload,
}
NAMES = [*LOADS, "streams", "shutdown", "threads", "starts"]


async def measure(options: argparse.Namespace) -> Figures:
    """Return every figure that is asked for."""
    counted: dict[str, Callable[[], Awaitable[Any]]] = {
        "streams": lambda: streams(options.streams, 320),
        "shutdown": lambda: shutdown(options.stops),
        "threads": lambda: asyncio.to_thread(threads, 50),
        "starts": lambda: starts(options.starts),
    }
    figures: Figures = {"machine": machine(), "seconds": options.seconds}
    for name in options.only:
        figures[name] = await (counted[name]() if name in counted else LOADS[name](options.seconds))
        print(json.dumps({name: figures[name]}, indent=1), flush=True)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="how long each load lasts that has no end")
    parser.add_argument("--streams", type=int, default=500, help="how many streams of 5 MiB")
    parser.add_argument("--stops", type=int, default=50, help="how many times it is stopped")
    parser.add_argument("--starts", type=int, default=100, help="how many times it is started")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="which loads")
    parser.add_argument("--out", help="write all figures as JSON to this file")
    options = parser.parse_args()
    figures = asyncio.run(measure(options))
    print(figures["machine"])
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
