"""The page on a synthesis: what became of the prompts, what was rejected on the way, what it cost, how it reads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..mini.examples import read_jsonl
from ..report import Page, Sample, bars
from ..stages import Record

_SAMPLES = 8
#: Of a prompt in a sample, so that what was written for it is seen, too.
_PROMPT = 240
_COSTS = ("calls", "input_tokens", "output_tokens", "lost_calls", "lost_usd_at_most")


def page(folder: Path) -> Page:
    """Return the report of a finished synthesis."""
    record = Record.read(folder)
    assert record is not None  # `pas report` looked
    pairs, dropped = (list(read_jsonl(folder / name)) for name in ("pairs.jsonl", "rejected.jsonl"))
    counts = record.counts
    made = Page(
        "Synthesis of complements",
        f"{counts['prompts']:,} prompts, {counts['kept']:,} kept, {counts['left_alone']:,} of them to be left alone; "
        f"{record.usd:.2f} USD.",
    )
    outcome(made, record)
    _categories(made, pairs, record)
    _samples(made, pairs, dropped)
    made.section("Settings")
    made.table(("setting", "value"), [(name, str(value)) for name, value in record.settings.items()])
    made.table(("input", "sha256"), list(record.inputs.items()))
    return made


def outcome(made: Page, record: Record) -> None:
    """Add the sections on rounds, flaws and spend, which the page of a whole run has as well."""
    figures = record.figures
    ways = {f"kept in round {number}": count for number, count in figures["rounds"].items()}
    ways |= {f"dropped: {why}": count for why, count in record.rejected.items()}
    made.section("Rounds", "A rejected complement goes back with its flaw and reason, and is written anew.")
    made.figure(bars(ways, "prompts"), "prompts kept in each round, and dropped")
    _shares(made, "what became of a prompt", "prompts", ways)
    made.section("Flaws", "What the guard, unpaid, and the critic rejected on the way, dropped prompts included.")
    flaws = dict(sorted(figures["flaws"].items(), key=lambda item: -item[1]))
    if flaws:
        made.figure(bars(flaws, "complements"), "rejected complements by who found which flaw")
    _shares(made, "by whom, and which flaw", "complements", flaws)
    made.section("Spend", f"{record.usd:.4f} USD. Calls that broke off may have been billed; they count at their most.")
    made.table(("figure", "value"), [(name, figures[name]) for name in _COSTS])


def _shares(made: Page, title: str, unit: str, counts: dict[str, int]) -> None:
    whole = sum(counts.values())
    made.table((title, unit, "%"), [(name, count, 100 * count / whole) for name, count in counts.items()])


def _categories(made: Page, pairs: Sequence[dict[str, Any]], record: Record) -> None:
    made.section("Categories and languages", "Pairs that were kept.")
    cells = Counter((row["category"], row["language"]) for row in pairs)
    languages = sorted({language for _, language in cells})
    rows = [(name or "none", *(cells[name, code] for code in languages)) for name in sorted({n for n, _ in cells})]
    made.table(("category", *languages), rows)
    if record.figures["without_examples"]:
        made.text("These categories have no golden example; their prompts were shown some of all the others:")
        made.table(("category", "prompts"), list(record.figures["without_examples"].items()))


def _samples(made: Page, pairs: Sequence[dict[str, Any]], dropped: Sequence[dict[str, Any]]) -> None:
    made.section("Samples", "Prompt, what was rejected for it (✗), and what was kept (✓).")
    groups: dict[str, list[Sample]] = defaultdict(list)
    for row in pairs:
        title = "Left alone" if not row["complement"] else "Kept" if row["rounds"] == 1 else "Kept after rejections"
        groups[title].append(_sample(row, row["rejected"], f"✓ {row['complement'] or '(left alone)'}"))
    for row in dropped:
        groups[f"Dropped: {row['why']}"].append(_sample(row, row["rounds"]))
    for title, found in groups.items():
        made.samples(f"{title} ({len(found):,})", _spread(found))


def _sample(row: dict[str, Any], history: Iterable[dict[str, Any]], kept: str = "") -> Sample:
    text, prompt = [f"✗ {_told(each)}" for each in history], row["prompt"]
    shown = prompt if len(prompt) <= _PROMPT else f"{prompt[:_PROMPT]}…"
    return Sample("\n".join([shown, *text, *([kept] if kept else [])]), f"{row['category']}, {row['language']}")


def _told(rejected: dict[str, Any]) -> str:
    written = rejected["complement"] or "(left alone)"
    return f"{written} [{': '.join(part for part in (rejected['by'], rejected['flaw'], rejected['reason']) if part)}]"


def _spread(found: Sequence[Sample]) -> list[Sample]:
    """Return some of the samples, from the first to the last."""
    places = np.linspace(0, len(found) - 1, min(len(found), _SAMPLES)).astype(int).tolist()
    return [found[place] for place in places]
