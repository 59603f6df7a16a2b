"""Near duplicates by MinHash: over bags of words, and over runs of letters where an encoder reads none of a text.

Bags, not shingles: a reordered prompt is the same request. What keeps apart prompts that differ in one word ("the
capital of France", "… of Spain") is the threshold, and that both must hold the same numbers and names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa
from datasketch import MinHash
from numpy.typing import NDArray

from .cleaning import comparable
from .engine import Engine
from .pairs import POLITE, Pairs, Places
from .table import Outcome, Rejects, split, texts

Bag = frozenset[str]
Bagging = Callable[[str], Bag]
Signatures = NDArray[np.uint32]
#: A single Han or kana character, or a word with what makes it another: C, C++ and C#.
_TOKEN = re.compile("[\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]|[^\\W\\d_]+(?:\\+\\+|#)?|\\d+(?:[.,]\\d+)*")
_HASHES, _BANDS, _SEED = 64, 16, 1
_MIXER = np.uint64(0x9E3779B97F4A7C15)
#: In a band's bucket each prompt is compared with so many before it, and with the first.
_BACK = 8
#: Sixty-four hashes tell a similarity to about this; what looks worse by more is not compared word by word.
_DOUBT = 0.2
_PART = 100_000


@lru_cache(maxsize=50_000)
def words(text: str) -> Bag:
    """Return the words of a text as it is compared, the second of a kind as another word."""
    counts: Counter[str] = Counter()
    found = set()
    plain = comparable(text)
    for word in _TOKEN.findall(POLITE.sub(" ", plain)) or _TOKEN.findall(plain) or [plain]:
        counts[word] += 1
        found.add(f"{word}#{counts[word]}")
    return frozenset(found)


@lru_cache(maxsize=50_000)
def letters(text: str) -> Bag:
    """Return the runs of two and three letters of a text as it is compared."""
    plain = re.sub(r"[\W_]+", "", POLITE.sub("", comparable(text)))
    return frozenset(plain[i : i + n] for n in (2, 3) for i in range(len(plain) - n + 1)) or frozenset({plain})


def jaccard(left: Bag, right: Bag) -> float:
    """Return the share of common members in all members of two sets."""
    return len(left & right) / len(left | right)


def signatures(table: pa.Table, bagging: Bagging, engine: Engine, label: str = "signatures") -> Signatures:
    """Return the MinHash of each prompt."""
    found = engine.map(table.select(["prompt"]), partial(_signed, bagging=bagging), label)
    raw = b"".join(found.column("signature").to_pylist())
    return np.frombuffer(raw, np.uint32).reshape(-1, _HASHES)


def _signed(part: pa.Table, bagging: Bagging) -> pa.Table:
    bags = ([word.encode("utf-8", "surrogatepass") for word in bagging(text)] for text in texts(part))
    # Hashes have 32 bits, though the library holds them in 64.
    made = MinHash.generator(bags, num_perm=_HASHES, seed=_SEED)
    return pa.table({"signature": pa.array([m.hashvalues.astype(np.uint32).tobytes() for m in made], pa.binary())})


def candidates(found: Signatures, least: float) -> tuple[Places, Places]:
    """Return rows that share a band of their signatures and so much of the whole, the later ones first.

    By sorting, and each band's told apart at once: a million rows fit where dictionaries or all pairs do not.
    """
    pairs = [np.empty(0, np.int64)]
    for band in range(_BANDS):
        later, earlier = _bucketed(found, band)
        likely = _looks_alike(found, later, earlier) >= least
        pairs.append(later[likely] * len(found) + earlier[likely])
    both = np.unique(np.concatenate(pairs))
    return both // max(1, len(found)), both % max(1, len(found))


def _bucketed(found: Signatures, band: int) -> tuple[Places, Places]:
    width = _HASHES // _BANDS
    # One number for a band's four: it sorts faster, and what falls together by chance is told apart later.
    halves = np.ascontiguousarray(found[:, band * width : (band + 1) * width]).view(np.uint64)
    keys = halves[:, 0] * _MIXER ^ halves[:, 1]
    order = np.argsort(keys, kind="stable")
    starts = np.ones(len(order), dtype=bool)
    starts[1:] = np.diff(keys[order]) != 0
    first = np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    # Only rows with others before them in their bucket: those are few, and rows are many.
    place = np.flatnonzero(~starts)
    others = [first[place], *(np.maximum(place - back, first[place]) for back in range(1, _BACK + 1))]
    return np.tile(order[place], len(others)), order[np.concatenate(others)]


def near_pairs(prompts: Sequence[str], found: Signatures, bagging: Bagging, least: float) -> Pairs:
    """Return the pairs of prompts whose bags overlap at least so much."""
    later, earlier = candidates(found, least - _DOUBT)
    similarity = np.array(
        [jaccard(bagging(prompts[a]), bagging(prompts[b])) for a, b in zip(later, earlier, strict=True)], np.float32
    )
    return Pairs.sorted(later, earlier, similarity).at(least)


def _looks_alike(found: Signatures, left: Places, right: Places) -> NDArray[np.float64]:
    """Return the share of equal hashes of each pair, a part at a time: all at once would not fit."""
    parts = [
        (found[left[start : start + _PART]] == found[right[start : start + _PART]]).mean(1)
        for start in range(0, len(left), _PART)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def contaminated(table: pa.Table, benchmark: Sequence[tuple[str, str]], least: float, engine: Engine) -> Outcome:
    """Remove prompts that equal or nearly equal one of a benchmark, given as its name and the text."""
    # The benchmark stands first, so that it is the earlier one of each pair.
    both = pa.table({"prompt": [text for _, text in benchmark] + texts(table)})
    rejects = Rejects()
    for later, earlier, similarity in near_pairs(
        texts(both), signatures(both, words, engine, "benchmarks"), words, least
    ).rows():
        if earlier < len(benchmark) <= later:
            rejects.add(later - len(benchmark), "benchmark", f"{benchmark[earlier][0]}, {similarity:.2f}")
    return split(table, rejects, "decontaminate", questions=len(benchmark), found=len(rejects.reasons))
