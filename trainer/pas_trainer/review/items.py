"""What is reviewed: prompts with the answers of two or more arms, from JSON Lines or an evaluation's results folder."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pas_middleware.errors import ConfigError, InputError

from ..stages import digest

#: What an evaluation writes: one line per question, model and arm, with the answer of arm `none` beside.
DIFFERENCES = "differences.jsonl"
_NONE = "none"


@dataclass(frozen=True, slots=True)
class Item:
    """A prompt and, by the name of its arm, each answer to it."""

    id: str
    prompt: str
    category: str
    arms: dict[str, str]


@dataclass(frozen=True, slots=True)
class Selection:
    """The items to review; `identical` of the read ones have one answer in all arms, `incomplete` lack an arm."""

    items: list[Item]
    source: str  # the sha256 of what they were read from
    identical: int = 0
    incomplete: int = 0


def read_items(source: Path, sample: int = 0) -> Selection:
    """Read a JSON Lines file of items or an evaluation's folder; draw `sample` of them by the hash of their id."""
    path = source / DIFFERENCES if source.is_dir() else source
    if not path.is_file():
        raise ConfigError(f"{path} is not a file;", hint="give a JSON Lines file, or a folder that `pas eval` wrote.")
    rows = _rows(path)
    items, incomplete = _from_run(rows, path) if source.is_dir() else (_from_items(rows, path), 0)
    different = [item for item in items if len(set(item.arms.values())) > 1 or len(item.arms) == 1]
    if not different:
        raise InputError(f"{path} has no item whose answers differ;", hint="there is nothing to review.")
    return Selection(_drawn(different, sample), digest(path), len(items) - len(different), incomplete)


def _drawn(items: list[Item], sample: int) -> list[Item]:
    if not sample or sample >= len(items):
        return items
    ranked = sorted(items, key=lambda item: hashlib.sha256(item.id.encode()).digest())
    chosen = {item.id for item in ranked[:sample]}
    return [item for item in items if item.id in chosen]


def _rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return each object of the file with the place it stands at."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 at byte {error.start};", hint="convert it first.") from error
    # Split on "\n" alone: answers hold U+2028 and other characters that splitlines() breaks at.
    numbered = [(f"{path}, line {number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not numbered:
        raise InputError(f"{path} is empty;", hint="write one item a line: {id, prompt, category, arms}.")
    return [(place, _parsed(place, line)) for place, line in numbered]


def _parsed(place: str, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{place}: not JSON ({error.msg});", hint="write one JSON object a line.") from error
    if not isinstance(row, dict):
        raise InputError(f"{place}: a {type(row).__name__}, not an object;", hint="write {id, prompt, category, arms}.")
    return row


def _text(place: str, row: dict[str, Any], key: str, *, empty: bool = False) -> str:
    value = row.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and key == "id":
        value = str(value)
    if not isinstance(value, str) or not (empty or value.strip()):
        raise InputError(f"{place}: {key} is {value!r:.60};", hint=f"give a {'' if empty else 'non-empty '}string.")
    return value


def _from_items(rows: Sequence[tuple[str, dict[str, Any]]], path: Path) -> list[Item]:
    items = [_item(place, row) for place, row in rows]
    _refuse_duplicates((item.id for item in items), path)
    names = list(dict.fromkeys(name for item in items for name in item.arms))
    lacking = [f"{item.id} lacks {name}" for item in items for name in names if name not in item.arms]
    if lacking:
        raise InputError(f"{path}: {_some(lacking)};", hint="every item needs an answer of every arm.")
    return [Item(item.id, item.prompt, item.category, {name: item.arms[name] for name in names}) for item in items]


def _item(place: str, row: dict[str, Any]) -> Item:
    arms = row.get("arms")
    if not isinstance(arms, dict) or not arms:
        raise InputError(f"{place}: arms is {arms!r:.60};", hint="give an object of arm names and answers.")
    answers = {name: _text(f"{place}, arms", arms, name, empty=True) for name in arms}
    category = _text(place, row, "category") if "category" in row else "other"
    return Item(_text(place, row, "id"), _text(place, row, "prompt"), category, answers)


def _from_run(rows: Sequence[tuple[str, dict[str, Any]]], path: Path) -> tuple[list[Item], int]:
    """Return an item for each question and model that has every arm, and how many others there are."""
    keys = [" / ".join(_text(place, row, key) for key in ("benchmark", "target", "id", "arm")) for place, row in rows]
    _refuse_duplicates(keys, path)
    items: dict[str, Item] = {}
    for place, row in rows:
        key = " / ".join(_text(place, row, key) for key in ("benchmark", "target", "id"))
        none = {_NONE: _text(place, row, "answer_none", empty=True)}
        item = items.setdefault(key, Item(key, _text(place, row, "prompt"), row.get("category") or "other", none))
        item.arms[_text(place, row, "arm")] = _text(place, row, "answer", empty=True)
    names = {name for item in items.values() for name in item.arms}
    complete = [item for item in items.values() if set(item.arms) == names]
    return complete, len(items) - len(complete)


def _refuse_duplicates(ids: Iterable[str], path: Path) -> None:
    twice = [id for id, count in Counter(ids).items() if count > 1]
    if twice:
        raise InputError(f"{path}: more than one item {_some(twice)};", hint="give every item an id of its own.")


def _some(things: Sequence[str], most: int = 5) -> str:
    more = f" and {len(things) - most} more" if len(things) > most else ""
    return ", ".join(things[:most]) + more
