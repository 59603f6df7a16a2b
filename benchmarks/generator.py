"""Compare this runtime with those that an engineer would use instead, side by side on the same random weights.

    python benchmarks/generator.py [--shape 30M --shape 0.5B] [--rounds 7] [--device cpu] [--work DIR] [--png FILE]

Needs the extras `trainer` and `export`; llama-cpp-python and gguf take part where they are installed. Each contestant
runs in a process of its own; they take turns, prompt by prompt. Time to first token is the time of a complement of one
token; milliseconds a token are what 39 more take. Prints Markdown tables and writes a picture.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import random_models
from contestants import THREADS
from random_models import SHAPES, Entry
from tqdm import tqdm

from pas_middleware.cli.bench import machine

TOKENS = 40
CROWDS = (1, 8, 32)


class Process:
    """A contestant in its process."""

    def __init__(self, entry: Entry, ours: Path, texts: list[str], device: str) -> None:
        self.entry = entry
        started = time.perf_counter()
        command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("contestants.py"))]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        self.reuses = bool(
            self.ask(
                {"engine": entry.engine, "folder": str(entry.path), "ours": str(ours), "texts": texts, "device": device}
            )["reuses"]
        )
        self.ask({"prompt": 0, "tokens": TOKENS, "reuse": self.reuses})
        self.cold_start = time.perf_counter() - started

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """Send one command and return the answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.entry.name} has died at {command}")
        return json.loads(line)  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@dataclass
class Row:
    """Measurements of one contestant, with or without its prefix reused: seconds."""

    name: str
    reuse: bool
    cold_start: float
    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    crowds: dict[int, list[float]] = field(default_factory=dict)
    written: list[list[int]] = field(default_factory=list)
    peak: int = 0

    @property
    def first_ms(self) -> float:
        """Return the median time to the first token."""
        return 1000 * statistics.median(self.first)

    @property
    def total_ms(self) -> float:
        """Return the median time of a complement."""
        return 1000 * statistics.median(self.whole)

    @property
    def token_ms(self) -> float:
        """Return the median time of a further token."""
        each = [(w - f) / (TOKENS - 1) for f, w in zip(self.first, self.whole, strict=True)]
        return 1000 * statistics.median(each)


def bandwidth(rounds: int = 40) -> float:
    """Return the greatest rate at which all threads together read memory, bytes a second."""
    part = np.ones(64 * 2**20, np.float32)
    parts = [part.copy() for _ in range(THREADS)]
    best = 0.0
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(rounds):
            started = time.perf_counter()
            list(pool.map(lambda a: float(a.dot(a)), parts))
            best = max(best, part.nbytes * THREADS / (time.perf_counter() - started))
    return best


def copy_bandwidth_cuda() -> float:
    """Return the rate at which the GPU copies its memory, bytes read and written a second."""
    import torch

    source = torch.empty(2**30, dtype=torch.float16, device="cuda")
    target = torch.empty_like(source)
    best = 0.0
    for _ in range(10):
        torch.cuda.synchronize()
        started = time.perf_counter()
        target.copy_(source)
        torch.cuda.synchronize()
        best = max(best, 2 * source.nbytes / (time.perf_counter() - started))
    return best


def measure(shape: str, work: Path, device: str, rounds: int) -> dict[str, Any]:
    """Return every figure of one shape."""
    random_models.checkpoint(shape, work, half=device == "cuda")
    entries = random_models.entries(work, device)
    ours = next(entry.path for entry in entries if entry.engine == "ours")
    texts = json.loads((work / "prompts.json").read_text(encoding="utf-8"))
    rate = copy_bandwidth_cuda() if device == "cuda" else bandwidth()
    processes = [Process(entry, ours, texts, device) for entry in tqdm(entries, desc=f"{shape}: starting")]
    rows = [(p, Row(p.entry.name, reuse, p.cold_start)) for p in processes for reuse in _ways(p)]
    for number in tqdm(range(rounds), desc=f"{shape}: one by one"):
        rows = [*rows[1:], rows[0]]
        for process, row in rows:
            _one(process, row, number)
    for _ in tqdm(range(max(2, rounds // 3)), desc=f"{shape}: many at once"):
        for process, row in rows:
            if row.reuse or not process.reuses:
                _crowd(process, row, CROWDS if device == "cpu" else (*CROWDS, 128))
    for process in processes:
        process.close()
    read = {e.name: random_models.weight_bytes(e.path) for e in entries if e.engine == "ours"}
    return {
        "shape": shape,
        "rows": sorted((row for _, row in rows), key=lambda r: r.total_ms),
        "rate": rate,
        "read": read,
    }


def _ways(process: Process) -> tuple[bool, ...]:
    return (True, False) if process.reuses else (False,)


def _one(process: Process, row: Row, number: int) -> None:
    # Once unmeasured: another contestant has had the caches meanwhile.
    process.ask({"prompt": number + 20, "tokens": 2, "reuse": row.reuse})
    row.first.append(process.ask({"prompt": number, "tokens": 1, "reuse": row.reuse})["seconds"])
    found = process.ask({"prompt": number, "tokens": TOKENS, "reuse": row.reuse})
    row.whole.append(found["seconds"])
    row.written.append(found["written"])
    row.peak = found["peak"]


def _crowd(process: Process, row: Row, crowds: tuple[int, ...]) -> None:
    if process.entry.engine == "llama.cpp":
        return
    for count in crowds:
        found = process.ask({"together": count, "tokens": TOKENS})
        row.crowds.setdefault(count, []).append(count * TOKENS / found["seconds"])


def markdown(found: dict[str, Any]) -> str:
    """Return the tables of one shape."""
    rows: list[Row] = found["rows"]
    slowest = next(row for row in rows if row.name.startswith("transformers") and not row.reuse)
    same = slowest.written
    lines = [
        f"### {found['shape']}",
        "",
        "| contestant | prefix | first token | ms a token | 40 tokens (quartiles) | × transformers | same tokens | "
        "peak | cold start |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        low, _, high = statistics.quantiles(row.whole, n=4)
        equal = sum(a == b for a, b in zip(row.written, same, strict=True))
        lines.append(
            f"| {row.name} | {'kept' if row.reuse else 'read'} | {row.first_ms:.0f} ms | {row.token_ms:.1f} | "
            f"{row.total_ms:.0f} ms ({1000 * low:.0f}–{1000 * high:.0f}) | {slowest.total_ms / row.total_ms:.1f} | "
            f"{equal}/{len(same)} | {row.peak / 1e9:.1f} GB | {row.cold_start:.1f} s |"
        )
    lines += ["", f"Memory is read at {found['rate'] / 1e9:.1f} GB/s. What the weights alone take at that rate:", ""]
    for name, size in found["read"].items():
        floor = 1000 * size / found["rate"]
        row = next(r for r in rows if r.name == name and r.reuse)
        lines.append(
            f"- {name}: {size / 1e6:.0f} MB, {floor:.1f} ms a token; measured {row.token_ms / floor:.2f} times that."
        )
    crowds = sorted({count for row in rows for count in row.crowds})
    lines += ["", f"| tokens a second, {', '.join(map(str, crowds))} at once |" + " |" * len(crowds)]
    lines += ["|---|" + "---|" * len(crowds)]
    for row in rows:
        if row.crowds:
            lines.append(
                f"| {row.name} | " + " | ".join(f"{statistics.median(row.crowds[c]):.0f}" for c in crowds) + " |"
            )
    return "\n".join(lines)


def picture(results: list[dict[str, Any]], file: Path) -> None:
    """Draw the time of a complement by contestant, one panel a shape."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(results), figsize=(6.5 * len(results), 5), squeeze=False)
    for panel, found in zip(panels[0], results, strict=True):
        best = {row.name: row for row in sorted(found["rows"], key=lambda r: -r.total_ms)}
        rows = sorted(best.values(), key=lambda r: -r.total_ms)
        colours = ["tab:orange" if row.name.startswith("ours") else "tab:gray" for row in rows]
        bars = panel.barh([row.name for row in rows], [row.total_ms for row in rows], color=colours)
        panel.bar_label(bars, fmt="%.0f", padding=3)
        panel.set(title=f"{found['shape']}: a complement of {TOKENS} tokens", xlabel="milliseconds, median")
        panel.margins(x=0.15)
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", action="append", choices=sorted(SHAPES), help="default: 30M and 0.5B")
    parser.add_argument("--rounds", type=int, default=7, help="prompts a contestant")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--work", type=Path, default=Path("build/generator-benchmark"), help="keeps the models")
    parser.add_argument("--png", type=Path, default=Path("docs/assets/generator.png"))
    options = parser.parse_args()
    results = []
    for shape in options.shape or ["30M", "0.5B"]:
        work = options.work / f"{shape}-{options.device}"
        work.mkdir(parents=True, exist_ok=True)
        results.append(measure(shape, work, options.device, options.rounds))
        print(markdown(results[-1]), end="\n\n", flush=True)
    picture(results, options.png)
    print(f"Machine: {machine()}, onnxruntime {onnxruntime.__version__}, {THREADS} threads each.")


if __name__ == "__main__":
    main()
