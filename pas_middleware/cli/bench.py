"""`pas bench`: measure what an augmentation takes on this machine."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..pas import PAS
from .inputs import UNHURRIED, DeviceOption, JsonOption, ModelOption

if TYPE_CHECKING:
    from rich.table import Table

#: Words of the prompts that are measured.
LENGTHS = (20, 50, 100, 200)
_SENTENCE = "Compare renting and buying a flat for a family of four that may move again within five years. "
_PAUSE_S = 0.2
_BLOCK, _WARM_UP = 20, 3


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of many calls: median, quartiles, 99th percentile."""

    p50: float
    q1: float
    q3: float
    p99: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Timing:
        """Sum up single measurements."""
        cuts = statistics.quantiles(sorted(values), n=100, method="inclusive")
        return cls(cuts[49], cuts[24], cuts[74], cuts[98])


def prompt_of(words: int, number: int) -> str:
    """Return a prompt of so many words, another one for each number, so that no cache knows it."""
    return " ".join((_SENTENCE * (words // 17 + 1)).split()[: words - 1]) + f" {number}?"


def milliseconds(action: Callable[[Any], object], given: object) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    action(given)
    return (time.perf_counter() - started) * 1000


def side_by_side(actions: dict[str, Callable[[str], object]], words: int, rounds: int) -> dict[str, Timing]:
    """Time several actions in turn, a block of prompts each, every time in another order: busy moments fall on all."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    order, number = list(actions.items()), 0
    for _ in range(math.ceil(rounds / _BLOCK)):
        order = [*order[1:], order[0]]
        for name, action in order:
            # Threads spin on after their work is done, torch's for long, and would slow down the next action.
            time.sleep(_PAUSE_S)
            for place in range(-_WARM_UP, _BLOCK):
                number += 1  # prompts of its own for each action: one must not warm a cache for the next
                spent = milliseconds(action, prompt_of(words, number))
                if place >= 0:
                    times[name].append(spent)
    return {name: Timing.of(values) for name, values in times.items()}


def batch_of_32(pas: PAS, rounds: int) -> dict[str, float]:
    """Return the median milliseconds a prompt for 32 prompts at once and for 32 one by one, in turn."""
    together, apart = [], []
    for number in range(rounds):
        prompts = [prompt_of(20, 1_000_000 + 64 * number + i) for i in range(64)]
        together.append(milliseconds(pas.augment_batch, prompts[:32]) / 32)
        apart.append(sum(milliseconds(pas.augment, p) for p in prompts[32:]) / 32)
    return {"together": statistics.median(together), "one_by_one": statistics.median(apart)}


def machine() -> str:
    """Name the machine: processor, cores, Python."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{names[0] if names else platform.machine()}, {cores} cores, Python {platform.python_version()}"


def bench(
    rounds: Annotated[int, typer.Option(min=20, help="Prompts of each length.")] = 200,
    as_json: JsonOption = False,
    model: ModelOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Measure what an augmentation takes on this machine, by length of the prompt, and in a batch.

    Example:
      pas bench --rounds 100

    """
    # Imported here: rich takes a tenth of the time in which `pas augment` starts, and that needs none of it.
    from rich.console import Console
    from rich.progress import track

    with PAS.load(model, device=device, settings=UNHURRIED) as pas:
        lengths = track(LENGTHS, "measuring", console=Console(stderr=True), transient=True)
        rows = {words: side_by_side({"pas": pas.augment}, words, rounds)["pas"] for words in lengths}
        batch = batch_of_32(pas, max(3, rounds // 20))
        label = pas.model.label
    if as_json:
        timings = {str(words): asdict(timing) for words, timing in rows.items()}
        typer.echo(json.dumps({"model": label, "machine": machine(), "ms": timings, "batch_of_32_ms": batch}))
        return
    console = Console(soft_wrap=True)
    console.print(_table(rows))
    console.print(f"Batch of 32: {batch['together']:.1f} ms a prompt, one by one {batch['one_by_one']:.1f} ms.")
    console.print(f"{label} on {machine()}.")


def _table(rows: dict[int, Timing]) -> Table:
    from rich.table import Table

    table = Table("words", "median", "quartiles", "99 %", box=None, header_style="bold")
    for words, t in rows.items():
        table.add_row(f"{words:,}", f"{t.p50:.1f} ms", f"{t.q1:.1f}-{t.q3:.1f} ms", f"{t.p99:.1f} ms")
    return table
