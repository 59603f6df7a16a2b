"""The pairs that a fine-tune learns from, checked before anything is loaded."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pas_middleware import guard
from pas_middleware.errors import GuardRejected, InputError

from ..mini.examples import language_of, read_jsonl

MAX_WORDS = 30


@dataclass(frozen=True, slots=True)
class Pair:
    """A prompt and its complement, "" where it is better left alone; `rejected` are complements that were refused."""

    prompt: str
    complement: str
    category: str = ""
    language: str = ""
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pairs:
    """What is trained on, what is held out, and why rows were dropped."""

    train: tuple[Pair, ...]
    held_out: tuple[Pair, ...]
    dropped: dict[str, int]


def read_pairs(path: Path) -> list[Pair]:
    """Return the pairs of a JSON Lines file; raises InputError naming the row or the column that cannot be used."""
    try:
        rows = list(read_jsonl(path))
    except FileNotFoundError:
        raise InputError(f"{path} is not there;", hint="give the pairs.jsonl of `pas synthesize`.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    if not rows:
        raise InputError(f"{path} holds no rows;", hint="give JSON Lines with prompt and complement.")
    pairs = [_pair(path, number, row) for number, row in enumerate(rows, 1)]
    if not any(pair.complement for pair in pairs):
        raise InputError(
            f"{path}: the column 'complement' is empty in all {len(pairs):,} rows;", hint="nothing can be learnt of it."
        )
    return pairs


def _pair(path: Path, number: int, row: Any) -> Pair:
    if not isinstance(row, dict):
        raise InputError(f"{path}, row {number}: no object;", hint='write {"prompt": …, "complement": …}.')
    for name in ("prompt", "complement"):
        if not isinstance(row.get(name), str):
            raise InputError(f"{path}, row {number}: {name!r} is {row.get(name)!r};", hint="it must be a text.")
    if not row["prompt"].strip():
        raise InputError(f"{path}, row {number}: 'prompt' is empty;", hint="remove the row.")
    return Pair(
        row["prompt"],
        row["complement"].strip(),
        str(row.get("category") or ""),
        str(row.get("language") or language_of(row["prompt"])),
        _rejected(row),
    )


def _rejected(row: dict[str, Any]) -> tuple[str, ...]:
    """Return the refused complements of a row: `rejected` (texts, or objects with one), or `bad_complement`."""
    found = [row["bad_complement"]] if row.get("bad_complement") else []
    found += row.get("rejected") or []
    texts = [item.get("complement", "") if isinstance(item, dict) else str(item) for item in found]
    kept = row["complement"].strip()
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip() and text.strip() != kept))


def split(pairs: Sequence[Pair], share: float) -> Pairs:
    """Drop what the guard would refuse, then hold out a share of each category and language by the prompts' hash."""
    dropped: Counter[str] = Counter()
    groups: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    seen: set[str] = set()
    for pair in pairs:
        why = "duplicate" if pair.prompt in seen else _refusal(pair)
        seen.add(pair.prompt)
        if why:
            dropped[why] += 1
        else:
            groups[pair.category, pair.language].append(pair)
    train: list[Pair] = []
    held: list[Pair] = []
    for group in groups.values():
        ranked = sorted(group, key=lambda pair: hashlib.sha256(pair.prompt.encode()).hexdigest())
        count = round(len(ranked) * share)
        held += ranked[:count]
        train += ranked[count:]
    if not train:
        raise InputError(f"No pair is left to train on: {dict(dropped)};", hint="look at the pairs again.")
    return Pairs(tuple(train), tuple(held), dict(dropped))


def _refusal(pair: Pair) -> str:
    if not pair.complement:
        return ""
    try:
        whole = guard.check(pair.complement, pair.prompt, max_words=MAX_WORDS, prompt_language=pair.language)
    except GuardRejected as refused:
        return refused.reason
    # What the guard would cut is not to be learnt either.
    return "" if whole == pair.complement else "guard_words"


def preferred(pairs: Sequence[Pair], *, needed: bool = True) -> tuple[Pair, ...]:
    """Return the pairs with a refused complement beside the kept one; raises InputError where `needed` and none is."""
    found = tuple(pair for pair in pairs if pair.complement and pair.rejected)
    if needed and not found:
        raise InputError(
            "No pair has a refused complement beside the one that was kept;",
            hint="DPO needs rows with 'rejected' (texts) or 'bad_complement'.",
        )
    return found
