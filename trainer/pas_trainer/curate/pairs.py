"""Pairs of prompts that lie near each other, kept apart from the thresholds that are applied to them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .cleaning import comparable
from .table import Rejects

Places = NDArray[np.int64]
Similarities = NDArray[np.float32]
#: A number with the operators behind it: 91-33 and 91+33 are two questions.
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:\s*[-+*/×÷^=<>%]+)?")
_LONG = 40
#: Courtesies, in a text as it is compared: they make no other question.
POLITE = re.compile(
    r"\b(?:please|pls|plz|kindly|thanks?(?: you)?(?: very much| so much| a lot)?|thx|asap|hi|hello|hey|"
    r"(?:can|could|would|will) you|i (?:want|need) you to|help me(?: to)?|in advance)\b|"
    "请|谢谢|麻烦[你您]?了?|你好|您好|帮我|帮忙|能不能|可以吗|一下"
)
_WORD = re.compile("[a-z]+")
#: A word in capitals that no sentence begins with, or a foreign one beside Chinese: a name, mostly.
_NAME = re.compile("(?<=[a-z,;] )[A-Z][A-Za-z]+|(?<=[\u4e00-\u9fff])[A-Za-z]{2,}|[A-Za-z]{2,}(?=[\u4e00-\u9fff])")


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows of a table with their similarity, the later row first, sorted by it."""

    later: Places
    earlier: Places
    similarity: Similarities

    def table(self) -> pa.Table:
        """Return them as columns, to be kept on disk."""
        return pa.table({"later": self.later, "earlier": self.earlier, "similarity": self.similarity})

    @classmethod
    def of(cls, table: pa.Table) -> Pairs:
        """Return what `table` gave."""
        return cls(*(table.column(name).to_numpy() for name in ("later", "earlier", "similarity")))

    @classmethod
    def sorted(cls, left: Places, right: Places, similarity: Similarities) -> Pairs:
        """Return pairs given in any order, each once."""
        later, earlier = np.maximum(left, right), np.minimum(left, right)
        order = np.lexsort((earlier, later))
        later, earlier, similarity = later[order], earlier[order], similarity[order]
        new = np.ones(len(later), dtype=bool)
        new[1:] = (later[1:] != later[:-1]) | (earlier[1:] != earlier[:-1])
        return cls(later[new], earlier[new], similarity[new])

    def at(self, least: float) -> Pairs:
        """Return those at least so similar."""
        good = self.similarity >= least
        return Pairs(self.later[good], self.earlier[good], self.similarity[good])

    def rows(self) -> list[tuple[int, int, float]]:
        """Return them as tuples of later, earlier and similarity."""
        return list(zip(self.later.tolist(), self.earlier.tolist(), self.similarity.tolist(), strict=True))


def same_details(left: str, right: str) -> bool:
    """Tell whether two texts hold the same numbers, short ones in order, and each mentions what the other names."""
    numbers, others = _NUMBER.findall(left), _NUMBER.findall(right)
    # "3 minus 2" and "2 minus 3" are two questions; a longer text has been reordered.
    if sorted(numbers) != sorted(others) or (numbers != others and len(left) < _LONG):
        return False
    return _mentions(left, right) and _mentions(right, left)


def _mentions(text: str, other: str) -> bool:
    # "Thanks" behind a sentence without a full stop looks like a name.
    names = {name.casefold() for name in _NAME.findall(text) if not POLITE.fullmatch(name.casefold())}
    return not names or names <= set(_WORD.findall(comparable(other)))


def remove_duplicates(rejects: Rejects, pairs: Pairs, prompts: list[str], reason: str) -> None:
    """Keep the first of prompts that pair up; each that goes names the nearest one that stays."""
    # Sorted by the later row, so that whether an earlier one stays is known when it is asked for.
    for later, earlier, similarity in pairs.rows():
        if earlier in rejects.reasons or (later in rejects.reasons and later not in rejects.duplicates):
            continue
        if not same_details(prompts[later], prompts[earlier]):
            continue
        known = rejects.duplicates.get(later)
        if known is None or similarity > known[1]:
            rejects.duplicate(later, earlier, reason, similarity)


def remove_crowded(rejects: Rejects, pairs: Pairs, most: int) -> None:
    """Keep a prompt only while fewer than `most` kept ones pair up with it."""
    kept: Counter[int] = Counter()
    nearest: dict[int, tuple[int, float]] = {}
    place = -1

    def decide(row: int) -> None:
        if kept[row] >= most and row not in rejects.reasons:
            rejects.duplicate(row, *nearest[row][:1], "crowded", nearest[row][1])

    for later, earlier, similarity in pairs.rows():
        if later != place:
            decide(place)
            place = later
        if earlier not in rejects.reasons:
            kept[later] += 1
            if similarity > nearest.get(later, (0, -1.0))[1]:
                nearest[later] = (earlier, similarity)
    decide(place)
