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

#: Tasks of many kinds, so that complements differ and one that went to another's prompt is seen.
_TASKS = (
    "Compare renting and buying a flat for a family of {} people that may move again.",
    "Write a short poem about {} lighthouses in the fog.",
    "Solve {} + 3x = 90 for x and say how.",
    "Translate 'I lost {} keys on the train' into French.",
    "Plan {} days in Lisbon with two children and little money.",
    "Write a Python function that returns the {}th prime number.",
    "Write an email to my landlord: the heating has been broken for {} days.",
    "Summarise the causes of the First World War in a way that pupil number {} understands.",
    "Why is the sky blue? Explain it to {} children.",
    "I feel sad since {} weeks and cannot sleep. What can I do?",
    "请写一篇关于第{}届运动会的新闻稿。",
    "请解释为什么冰会浮在水上，给{}个学生听。",
    "帮我制定一个{}天的健身计划。",
)
_PATIENT = Settings(deadline_ms=600_000, queue_limit=1_000_000, cache_entries=0)


async def shutdown(stops: int) -> dict[str, Any]:
    """L6: the signal to stop, under 100 requests a second, one worker and two in turn."""
    ended: Counter[str] = Counter()
    codes: Counter[int] = Counter()
    times, dropped = [], 0
    for number in range(stops):
        with upstream_of(50) as upstream, proxy_of(upstream, workers=1 + number % 2) as proxy:
            client = Client(proxy.port)
            await client.ready()
            load = asyncio.ensure_future(client.at_rate(100, 2))
            await asyncio.sleep(1 + random.Random(number).random() / 10)
            stopped = time.monotonic()
            codes[await asyncio.to_thread(proxy.stop)] += 1
            times.append(time.monotonic() - stopped)
            answers = await load
            ended.update(answered.end for answered in answers)
            reached = int(await Client(upstream.port).text(b"GET /answered HTTP/1.1\r\n\r\n"))
            dropped += reached - sum(answered.status == 200 for answered in answers)
    # Lost without having reached the upstream: sent into a connection that closed before anybody had read it.
    return {
        "stops": stops,
        "dropped_under_way": dropped,
        "requests": dict(ended),
        "exit_codes": dict(codes),
        "stop_s": cuts(times) | {"max": max(times)},
    }


def threads(each: int) -> dict[str, Any]:
    """L7: one PAS with pas-mini, 64 threads and 500 tasks with prompts of their own, against one after the other."""
    prompts = [_TASKS[number % len(_TASKS)].format(number) for number in range(64 * each)]
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
        complements = Counter(text.removeprefix(prompt) for prompt, text in serial.items())
    return {
        "prompts": len(prompts),
        "applied": len(prompts) - complements[""],
        "complements": len(complements),
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
