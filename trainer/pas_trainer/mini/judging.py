"""Blind judging of complements: items for judges, and the table of their marks."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pas_middleware import PAS

from .examples import Example, bank_rows, read_jsonl

SUFFIX = {
    "en": "Answer thoroughly and step by step, and make sure that the answer is clear and complete.",
    "zh": "请一步一步、详细全面地回答，并确保答案清晰完整。",
}


def items(pas: PAS, examples: Sequence[Example], seed: int = 0) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return blind items and their key: per applied prompt ours, a static suffix and another intent of the category."""
    rng = random.Random(seed)
    bank = bank_rows()
    shown, key = [], []
    for number, example in enumerate(examples):
        result = pas.augment(example.prompt)
        entry = {"item": number, "language": example.language, "status": result.status, "reason": result.reason}
        if not result.applied:
            key.append(entry)
            continue
        others = [
            v["text"]
            for row in bank.values()
            if row["category"] == example.category
            for v in row["complements"].get(example.language, [])
            if v["text"] != result.complement
        ]
        arms = {"pas": result.complement, "suffix": SUFFIX[example.language], "random": rng.choice(others)}
        order = rng.sample(sorted(arms), len(arms))
        shown.append({"item": number, "prompt": example.prompt, "complements": [arms[arm] for arm in order]})
        key.append(entry | {"order": order, "detail": result.detail})
    return shown, key


def sample(examples: Iterable[Example], per_language: int, skip: int = 0) -> list[Example]:
    """Return so many held-out real prompts of each language that need a complement, by the hash of their text.

    `skip` passes over the first so many, which an earlier round judged.
    """
    ranked = sorted(examples, key=lambda e: hashlib.sha256(e.prompt.encode()).hexdigest())
    mine = [e for e in ranked if e.kind == "real" and e.split == "report" and e.needs]
    return [
        e for language in ("en", "zh") for e in [m for m in mine if m.language == language][skip : skip + per_language]
    ]


def table(key: Path, marks: Sequence[Path]) -> str:
    """Return the judges' verdict as Markdown: shares of the applied by language and arm, with 95 % intervals."""
    entries = {row["item"]: row for row in read_jsonl(key)}
    lines = [
        "| language | arm | n | coverage | useful | excellent | neutral | harmful |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for language in ("en", "zh"):
        mine = [e for e in entries.values() if e["language"] == language]
        applied = [e["item"] for e in mine if e["status"] == "applied"]
        for arm in ("pas", "random", "suffix"):
            values = _marks(entries, marks, arm, set(applied))
            shares = " | ".join(
                _share_with_interval(values, low, high) for low, high in ((2, 3), (3, 3), (1, 1), (0, 0))
            )
            coverage = f"{len(applied) / len(mine):.2f}" if arm == "pas" else "–"
            lines.append(f"| {language} | {arm} | {len(applied)} | {coverage} | {shares} |")
    return "\n".join(lines) + "\n"


def _marks(
    entries: dict[int, dict[str, Any]], files: Sequence[Path], arm: str, items: set[int]
) -> np.ndarray[Any, Any]:
    """Return marks of shape (items, judges)."""
    by_judge = [{row["item"]: row["marks"] for row in read_jsonl(path)} for path in files]
    rows = [[judge[i][entries[i]["order"].index(arm)] for judge in by_judge] for i in sorted(items)]
    return np.array(rows, dtype=float)


def _share_with_interval(values: np.ndarray[Any, Any], low: int, high: int, rounds: int = 2_000) -> str:
    # Items are drawn anew, not single marks: two judges of one item are not two observations.
    each = ((values >= low) & (values <= high)).mean(axis=1)
    rng = np.random.default_rng(0)
    means = each[rng.integers(0, len(each), (rounds, len(each)))].mean(axis=1)
    ends = np.quantile(means, [0.025, 0.975])
    return f"{each.mean():.0%} ({ends[0]:.0%}–{ends[1]:.0%})"


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object a line."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
