"""Training examples of pas-mini: where they come from and how they are held out."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pas_middleware.language import detect

Split = Literal["train", "threshold", "report"]
DATA = Path(__file__).parent / "data"
#: Intents whose prompts are left alone: nothing to add, or a request for harm.
LEFT_ALONE = frozenset({"conversation.no_complement", "conversation.unsafe_roleplay", "writing.deceptive_request"})


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled prompt; an empty `intent` or a None `needs` is a label that nobody gave."""

    prompt: str
    language: str
    intent: str = ""
    also: tuple[str, ...] = ()
    wrong: str = ""
    category: str = ""
    needs: bool | None = None
    kind: str = "bank"
    split: Split = "train"


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON Lines file; a broken line raises ValueError with its number."""
    # Split on "\n" alone: prompts hold U+2028 and other characters that splitlines() breaks at.
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}, line {number}: not JSON ({error.msg})") from error


def language_of(prompt: str) -> str:
    """Return the language that the middleware finds, "en" for any that pas-mini does not know."""
    return "zh" if detect(prompt) == "zh" else "en"


def normalized(prompt: str) -> str:
    """Reduce a prompt to what duplicates share: its letters and digits in lower case."""
    return re.sub(r"\W+", "", prompt.lower())


def _order(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def held_out(examples: Iterable[Example], threshold: float, report: float) -> list[Example]:
    """Split examples by the hash of their prompt, within each intent and language.

    A prompt keeps its place when others are added only as far as the shares allow; what never
    changes is that the three parts are disjoint and that the same data gives the same split.
    """
    groups: dict[tuple[str, ...], list[Example]] = defaultdict(list)
    for example in examples:
        groups[(example.kind, example.intent or example.category, example.language)].append(example)
    out: list[Example] = []
    for group in groups.values():
        ranked = sorted(group, key=lambda e: _order(e.prompt))
        first, second = round(len(ranked) * threshold), round(len(ranked) * (threshold + report))
        for place, example in enumerate(ranked):
            split: Split = "threshold" if place < first else "report" if place < second else "train"
            out.append(replace(example, split=split))
    return out


def bank_rows() -> dict[str, dict[str, Any]]:
    """Return the intent bank by id: description, complements and prompts."""
    return {row["id"]: row for path in sorted((DATA / "intents").glob("*.jsonl")) for row in read_jsonl(path)}


def bank_examples() -> list[Example]:
    """Return the bank's written prompts: 20 % choose thresholds, 12 % are kept for the report."""
    rows = [
        Example(
            prompt,
            language,
            intent=row["id"],
            category=row["category"],
            needs=row["id"] not in LEFT_ALONE,
        )
        for row in bank_rows().values()
        for language, prompts in row["prompts"].items()
        for prompt in prompts
    ]
    return held_out(rows, 0.20, 0.12)


def pair_examples() -> list[Example]:
    """Return the prompts of the prompt–complement pairs: category labels, and the empty ones for the gate."""
    rows = [
        Example(
            row["prompt"],
            row["language"],
            category=row["category"] if row["complement"] else "",
            needs=bool(row["complement"]),
            kind="pairs",
        )
        for row in read_jsonl(DATA / "pairs.jsonl")
    ]
    return held_out(rows, 0.10, 0.13)


def gate_examples() -> list[Example]:
    """Return the prompts written for the gate: nothing to add, near misses, harm and distress."""
    rows = [
        Example(
            row["prompt"],
            row["language"],
            intent=row["intent"] or "",
            category=(row["intent"] or "").split(".")[0],
            needs=row["intent"] is not None and row["intent"] not in LEFT_ALONE,
            kind="gate",
        )
        for row in read_jsonl(DATA / "gate.jsonl")
    ]
    return held_out(rows, 0.15, 0.15)


def trick_examples() -> list[Example]:
    """Return puzzles with a trap, with their like that have none; all train, as the held-out ones are apart."""
    return [_labelled(row, "tricks") for row in read_jsonl(DATA / "tricks.jsonl")]


def labelled_examples(rows: Iterable[dict[str, Any]]) -> list[Example]:
    """Return real prompts labelled with `best`, `also` and `wrong` intents: 20 % thresholds, 20 % report."""
    return held_out([_labelled(row, "real") for row in rows], 0.20, 0.20)


def _labelled(row: dict[str, Any], kind: str) -> Example:
    return Example(
        row["prompt"],
        language_of(row["prompt"]),
        intent=row["best"],
        also=tuple(row["also"]),
        wrong=row.get("wrong") or "",
        category=row["best"].split(".")[0],
        needs=row["best"] not in LEFT_ALONE,
        kind=kind,
    )


def _grams(text: str) -> frozenset[str]:
    return frozenset(text[i : i + 3] for i in range(len(text) - 2)) or frozenset({text})


class HeldOut:
    """The trick questions and greetings on which nobody trains; `resembles` finds near copies too."""

    def __init__(self, rows: Iterable[dict[str, str]]) -> None:
        self.rows = tuple(rows)
        grams = [_grams(normalized(row["prompt"])) for row in self.rows]
        self._sizes = [len(each) for each in grams]
        self._places: dict[str, list[int]] = defaultdict(list)
        for place, each in enumerate(grams):
            for gram in each:
                self._places[gram].append(place)

    @classmethod
    def read(cls) -> HeldOut:
        """Read the held-out set of the package."""
        return cls(read_jsonl(DATA / "heldout.jsonl"))

    def resembles(self, prompt: str) -> bool:
        """Tell whether a prompt shares half of its character trigrams with a held-out one."""
        mine = _grams(normalized(prompt)[:400])
        shared = Counter(place for gram in mine for place in self._places.get(gram, ()))
        return any(n >= 0.5 * (len(mine) + self._sizes[place] - n) for place, n in shared.items())


def all_examples(labelled: Iterable[Example] = ()) -> list[Example]:
    """Return every example once; what is held out anywhere, or resembles the held-out set, never trains."""
    rows = [*bank_examples(), *pair_examples(), *gate_examples(), *trick_examples(), *labelled]
    kept = {normalized(row.prompt) for row in rows if row.split != "train"}
    held = HeldOut.read()
    seen: set[str] = set()
    out = []
    for row in rows:
        key = normalized(row.prompt) or row.prompt
        if key in seen or (row.split == "train" and (key in kept or held.resembles(row.prompt))):
            continue
        seen.add(key)
        out.append(row)
    return out
