"""L6, L7 and L8: how the proxy stops under load, that nobody gets another's complement, how it starts."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from load_parts import Client, cuts, proxy_of, request, upstream_of

from pas_middleware import PAS, Settings
from pas_middleware.cli.bench import prompt_of

_PATIENT = Settings(deadline_ms=600_000, queue_limit=1_000_000, cache_entries=0)


async def shutdown(stops: int) -> dict[str, Any]:
    """L6: the signal to stop, under 100 requests a second, one worker and two in turn."""
    ended: Counter[str] = Counter()
    codes: Counter[int] = Counter()
    times = []
    for number in range(stops):
        with upstream_of(50) as upstream, proxy_of(upstream, workers=1 + number % 2) as proxy:
            client = Client(proxy.port)
            await client.ready()
            load = asyncio.ensure_future(client.at_rate(100, 2))
            await asyncio.sleep(1 + random.Random(number).random() / 10)
            stopped = time.monotonic()
            codes[await asyncio.to_thread(proxy.stop)] += 1
            times.append(time.monotonic() - stopped)
            ended.update(answered.end for answered in await load)
    # A request that was sent and lost is one that was dropped; one that found nobody listening came after the end.
    return {"stops": stops, "requests": dict(ended), "exit_codes": dict(codes), "stop_s": cuts(times)}


def threads(each: int) -> dict[str, Any]:
    """L7: one PAS with pas-mini, 64 threads and 500 tasks with prompts of their own, against one after the other."""
    prompts = [prompt_of(8 + number % 40, number) for number in range(64 * each)]
    with PAS.load(settings=_PATIENT) as pas:
        serial = {prompt: pas.augment(prompt).text for prompt in prompts}

        def ask(thread: int) -> int:
            mine = prompts[thread * each : (thread + 1) * each]
            return sum(pas.augment(prompt).text != serial[prompt] for prompt in mine)

        async def asks(task: int) -> int:
            mine = prompts[task :: len(prompts) // 5]
            return sum([(await pas.aaugment(prompt)).text != serial[prompt] for prompt in mine])

        async def tasks() -> int:
            return sum(await asyncio.gather(*map(asks, range(500))))

        with ThreadPoolExecutor(64) as pool:
            foreign = sum(pool.map(ask, range(64)))
        foreign_in_tasks = asyncio.run(tasks())
        applied = sum(text != prompt for prompt, text in serial.items())
    return {
        "prompts": len(prompts),
        "applied": applied,
        "different": {"64 threads": foreign, "500 tasks": foreign_in_tasks},
    }


async def starts(count: int) -> dict[str, Any]:
    """L8: cold starts with pas-mini; what /readyz says, and a request before and right after it says yes."""
    seen: Counter[str] = Counter()
    times = []
    with upstream_of(0) as upstream:
        for _ in range(count):
            begun = time.monotonic()
            with proxy_of(upstream, model="pas-mini") as proxy:
                client = Client(proxy.port)
                before = await _wait(client)
                times.append(time.monotonic() - begun)
                after = await client.call(request("/v1/chat/completions", number=7))
                seen["passed untouched while not ready"] += before > 0
                seen["augmented right after it was ready"] += after.status == 200 and after.applied
    return {"starts": count, "seen": dict(seen), "ready_s": cuts(times)}


async def _wait(client: Client) -> int:
    """Ask until it is ready, and have a request passed each time that it is not; return how often it was not."""
    times = 0
    while True:
        told = await client.call(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
        if told.status == 200:
            return times
        if told.status == 503:
            passed = await client.call(request("/v1/chat/completions"))
            times += passed.status == 200 and passed.reason == "not_ready"
        await asyncio.sleep(0.005)
