"""Quality without an endpoint: what pas-mini makes of a prompt, and what its surface shows."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pas_middleware.models.directory import open_directory
from pas_middleware.models.selector import Bank, Selector

from ..mini.embedded import EMBEDDED
from ..mini.examples import Example, language_of
from ..mini.floats import in_floats
from ..mini.scoring import score
from .engine import Engine
from .shards import sharded
from .table import Outcome, Rejects, split, texts, with_column

Scores = NDArray[np.float32]
#: The columns that `signals` returns besides the category.
SIGNALS = ("needs", "confidence", "surface")
_WORD = re.compile("[\u3400-\u9fff]|[^\\W_]+")


@lru_cache(maxsize=1)
def bank() -> Bank:
    """Return pas-mini's intents and categories."""
    return Selector(open_directory(EMBEDDED)).bank


def signals(table: pa.Table, cache: Path, engine: Engine) -> pa.Table:
    """Return for each prompt its category by pas-mini, how surely, whether it needs a complement, and its surface."""
    # A model that was built anew decides anew.
    return sharded(table, _signals, cache, engine, f"categories {open_directory(EMBEDDED).digest[:12]}")


def _signals(part: pa.Table) -> pa.Table:
    prompts = texts(part)
    examples = [Example(prompt, language_of(prompt)) for prompt in prompts]
    found = {}
    if examples:
        with in_floats(EMBEDDED / "model.onnx") as graph:
            scored = score(graph, EMBEDDED / "tokenizer.json", examples)
        found = {id(e): decision for e, decision in zip(scored.examples, scored.decisions(bank()), strict=True)}
    decisions = [found[id(example)] for example in examples]
    return pa.table(
        {
            "category": pa.array([decision.category for decision in decisions], pa.string()),
            "needs": pa.array([decision.gate for decision in decisions], pa.float32()),
            "confidence": pa.array([decision.category_confidence for decision in decisions], pa.float32()),
            "surface": pa.array([surface(prompt) for prompt in prompts], pa.float32()),
        }
    )


def surface(text: str) -> float:
    """Return how much a text looks like a worked-out request, from 0 to 1: length, letters, repetition."""
    words = _WORD.findall(text)
    if not words:
        return 0.0
    length: float = min(1.0, len(words) / 12) * min(1.0, (600 / len(words)) ** 0.5)
    letters = sum(character.isalpha() for character in text) / max(1, len(re.sub(r"\s", "", text)))
    raw = text.encode("utf-8", "replace")
    # Long repetitive texts shrink to little; short ones never do, and are not punished for it.
    fresh = 1.0 if len(raw) < 200 else min(1.0, 2.5 * len(zlib.compress(raw)) / len(raw))
    return length * min(1.0, letters / 0.7) * fresh


def by_rule(found: pa.Table) -> Scores:
    """Return a quality from 0 to 10 for each row of `signals`: half need, a fifth clarity of kind, the rest surface."""
    needs, confidence, looks = (np.asarray(found.column(name).to_numpy(), np.float32) for name in SIGNALS)
    return np.asarray(10 * (0.5 * needs + 0.2 * confidence + 0.3 * looks), np.float32)


def good_ones(table: pa.Table, scores: Scores, least: float, why: Sequence[str] = ()) -> Outcome:
    """Keep the prompts of at least this quality; `why` says for those without a score (NaN) why they have none."""
    rejects = Rejects()
    for place in np.flatnonzero(scores < least).tolist():
        rejects.add(place, "low_quality", f"{scores[place]:.1f}")
    for place in np.flatnonzero(np.isnan(scores)).tolist():
        rejects.add(place, "unscored", why[place] if why else "")
    return split(with_column(table, "quality", scores), rejects, "quality")


def rank_correlation(left: Scores, right: Scores) -> float | None:
    """Return Spearman's correlation over the rows that both have scored; None where there are too few."""
    from scipy.stats import spearmanr

    both = ~(np.isnan(left) | np.isnan(right))
    if both.sum() < 3 or np.ptp(left[both]) == 0 or np.ptp(right[both]) == 0:
        return None
    return round(float(spearmanr(left[both], right[both]).statistic), 3)
