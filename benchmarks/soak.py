"""L4: the proxy with pas-mini under a steady load for long; what leaks, drops or slows down shows in the samples.

    python benchmarks/soak.py --minutes 60 --rate 20 --out soak.jsonl
    python benchmarks/soak.py --plot soak.jsonl soak.png

A sample is written every ten seconds as it is taken, so that a run that breaks off loses nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import time
from pathlib import Path
from typing import Any, TextIO

from load_parts import NO_BREAKER, Answered, Client, Server, chat, cuts, proxy_of, upstream_of

from pas_middleware.cli.bench import machine

_SAMPLE_S = 10.0
#: Languages by how often they come; pas-mini knows the first two.
_TEXTS = {
    "Compare renting and buying a flat for a family of four that may move again within five years. ": 6,
    "请比较四口之家租房和买房的利弊，并说明五年内可能再次搬家时该如何选择。": 3,
    "Vergleiche Miete und Kauf einer Wohnung für eine Familie, die vielleicht bald wieder umzieht. ": 1,
}
#: One request in so many is left by its client before it is answered.
_LEFT_ONE_IN = 50
Sample = dict[str, float]


def prompt(draw: random.Random) -> str:
    """Return a prompt of 15 to 3,000 characters in one of three languages, never the same."""
    text = draw.choices(list(_TEXTS), list(_TEXTS.values()))[0]
    return f"{(text * 40)[: draw.choice((15, 60, 120, 300, 800, 3_000))]} {draw.getrandbits(40)}?"


async def _leave(client: Client, raw: bytes) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(raw)
    await asyncio.sleep(0.02)
    writer.transport.abort()


async def _load(client: Client, rate: float, draw: random.Random) -> list[Answered]:
    begun, tasks = time.monotonic(), []
    for number in range(int(rate * _SAMPLE_S)):
        due = begun + number / rate
        if (ahead := due - time.monotonic()) > 0:
            await asyncio.sleep(ahead)
        raw = chat("/v1/chat/completions", prompt(draw))
        if number % _LEFT_ONE_IN == _LEFT_ONE_IN - 1:
            await _leave(client, raw)
        else:
            tasks.append(asyncio.ensure_future(client.call(raw, due)))
    return await asyncio.gather(*tasks)


async def _state(proxy: Server, client: Client) -> Sample:
    """Return what a process holds: memory, files, threads, tasks of its event loop."""
    place = Path(f"/proc/{proxy.process.pid}")
    threads = re.search(r"Threads:\s*(\d+)", (place / "status").read_text())
    told = await client.text(b"GET /tasks HTTP/1.1\r\nhost: x\r\n\r\n")
    return {
        "memory_mib": proxy.memory_mib(),
        "files": len(list((place / "fd").iterdir())),
        "threads": int(threads[1]) if threads else 0,
        "tasks": json.loads(told)["tasks"],
    }


async def soak(minutes: float, rate: float, out: TextIO) -> None:
    """Load the proxy and write a line for every ten seconds, the machine in the first."""
    draw, begun = random.Random(1), time.monotonic()
    # So patient that the model runs for every prompt also while other work takes the processors.
    settings = {"deadline_ms": 5_000, "breaker_failures": NO_BREAKER}
    with upstream_of(50) as upstream, proxy_of(upstream, model="pas-mini", **settings) as proxy:
        client = Client(proxy.port)
        await client.ready()
        print(json.dumps({"machine": machine(), "rate": rate}), file=out, flush=True)
        while (at := time.monotonic() - begun) < minutes * 60:
            answers = await _load(client, rate, draw)
            sample: dict[str, Any] = {"at_s": at, "requests": len(answers), **cuts(a.ms for a in answers)}
            sample["unanswered"] = sum(a.status != 200 for a in answers)
            sample["applied"] = sum(a.applied for a in answers)
            late = {"deadline", "queue_full", "breaker_open", "model_error"}
            sample["failed"] = sum(a.reason in late for a in answers)
            print(json.dumps(sample | await _state(proxy, client)), file=out, flush=True)


def read(path: Path) -> tuple[dict[str, Any], list[Sample]]:
    """Return the first line of a soak's file, and its samples."""
    first, *rest = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return first, rest


def summary(samples: list[Sample]) -> dict[str, Any]:
    """Return what must hold: the slope of memory and the span of the rest in the second half, drift of latency."""
    half = samples[len(samples) // 2 :]
    hours = [s["at_s"] / 3_600 for s in half]
    slope = statistics.linear_regression(hours, [s["memory_mib"] for s in half]).slope
    sixth = max(1, len(samples) // 6)
    first, last = (statistics.median(s["p99"] for s in part) for part in (samples[:sixth], samples[-sixth:]))
    return {
        "minutes": (samples[-1]["at_s"] + _SAMPLE_S) / 60,
        **{name: sum(s[name] for s in samples) for name in ("requests", "unanswered", "applied", "failed")},
        "memory_mib": [samples[0]["memory_mib"], half[0]["memory_mib"], half[-1]["memory_mib"]],
        "memory_slope_mib_per_hour_second_half": slope,
        **{name: [min(s[name] for s in half), max(s[name] for s in half)] for name in ("files", "threads", "tasks")},
        "p99_ms_first_and_last_sixth": [first, last],
    }


def plot(path: Path, picture: Path) -> None:
    """Draw the samples over time: memory, files, threads and tasks, latency."""
    from matplotlib.figure import Figure

    _, samples = read(path)
    minutes = [s["at_s"] / 60 for s in samples]
    figure = Figure(figsize=(9, 8), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    panels = [("memory, MiB", ["memory_mib"]), ("held", ["files", "threads", "tasks"]), ("ms", ["p50", "p95", "p99"])]
    for axis, (label, names) in zip(axes, panels, strict=True):
        for name in names:
            axis.plot(minutes, [s[name] for s in samples], label=name, linewidth=1)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        axis.legend(loc="upper left", ncols=3, fontsize=8)
    axes[2].set_yscale("log")
    for axis in axes[:2]:
        axis.set_ylim(0, axis.get_ylim()[1] * 1.25)
    axes[2].set_xlabel("minutes")
    figure.savefig(picture, dpi=110)


def main() -> None:
    """Soak, or draw what was soaked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=20, help="requests a second")
    parser.add_argument("--out", type=Path, default=Path("soak.jsonl"), help="where the samples go")
    parser.add_argument("--plot", type=Path, nargs=2, metavar=("SAMPLES", "PICTURE"), help="draw samples of before")
    options = parser.parse_args()
    if options.plot:
        plot(*options.plot)
        path = options.plot[0]
    else:
        with options.out.open("w", encoding="utf-8") as out:
            asyncio.run(soak(options.minutes, options.rate, out))
        path = options.out
    first, samples = read(path)
    print(json.dumps(first | summary(samples), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
