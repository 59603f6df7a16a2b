"""Real prompts for `build --also`: labelled files, and labels whose prompts lie elsewhere."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .examples import read_jsonl

#: Labels by one careful reader, for prompts that may be used but are not copied here: found again by their sha256.
LABELS = Path(__file__).parent / "data" / "real_labels.jsonl"
_KEYS = ("instruction", "prompt")


def fingerprint(prompt: str) -> str:
    """Return the sha256 by which a label finds its prompt."""
    return hashlib.sha256(prompt.strip().encode()).hexdigest()


def labelled_rows(path: Path) -> list[dict[str, Any]]:
    """Read a labelled JSON Lines file: `prompt`, `best`, `also`, `wrong`; raises ValueError naming file and key."""
    rows = list(read_jsonl(path))
    for number, row in enumerate(rows, 1):
        missing = {"prompt", "best", "also"} - row.keys()
        if missing:
            raise ValueError(f"{path}, row {number}: no {sorted(missing)[0]!r}")
    return rows


def own_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the project's own labels with their prompts, found in the files of a folder."""
    labels = {row["sha256"]: row for row in read_jsonl(LABELS)}
    found: dict[str, dict[str, Any]] = {}
    for prompt in prompts_in(folder):
        label = labels.get(fingerprint(prompt))
        if label is not None:
            found[label["sha256"]] = {**label, "prompt": prompt.strip()[:1200]}
    return [found[key] for key in labels if key in found]


def prompts_in(folder: Path) -> Iterator[str]:
    """Yield the prompts of every JSON, JSON Lines and CSV file below a folder; an input follows its instruction."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".json", ".jsonl", ".csv"):
            yield from map(_prompt, _rows(path))


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".jsonl":
        return list(read_jsonl(path))
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def _prompt(row: dict[str, Any]) -> str:
    text = next((str(row[key]).strip() for key in _KEYS if row.get(key)), "")
    given = row.get("input") or next((i.get("input") for i in row.get("instances", [])), "")
    return f"{text}\n\n{given.strip()}" if given and given.strip() else text
