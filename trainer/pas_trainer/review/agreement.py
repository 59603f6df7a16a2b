"""How far reviewers agree: Cohen's kappa for two of them, Krippendorff's alpha for more, with bootstrap intervals."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score

#: Means over so many samples drawn anew.
ROUNDS = 1_000
_NAMES = {
    (True, True): "Cohen's kappa (quadratic weights)",
    (True, False): "Cohen's kappa",
    (False, True): "Krippendorff's alpha (interval)",
    (False, False): "Krippendorff's alpha (nominal)",
}
_Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """A coefficient with its 95 % interval, over the units that two or more marked; None: it is not defined."""

    coefficient: str
    value: float | None
    low: float | None
    high: float | None
    units: int
    note: str = ""


def agreement(marks: _Array, clusters: Sequence[object], *, ordered: bool) -> Agreement:
    """Return the agreement of marks of shape (units, reviewers), NaN where there is none.

    Units of one cluster (the answers to one prompt) are drawn together. `ordered`: the marks are grades, and those
    further apart disagree more.
    """
    shared = (~np.isnan(marks)).sum(axis=1) > 1
    kept, reviewers = marks[shared], int((~np.isnan(marks)).any(axis=0).sum())
    name = _NAMES[reviewers == 2, ordered]
    if not len(kept):
        return Agreement(name, None, None, None, 0, "no answer was marked by two reviewers")
    if len(np.unique(kept[~np.isnan(kept)])) < 2:
        return Agreement(name, None, None, None, len(kept), "all marks are the same: there is nothing to agree on")
    kept = kept[:, (~np.isnan(kept)).any(axis=0)]
    score = _kappa(kept, ordered) if reviewers == 2 else _alpha(kept, ordered)
    _, cluster = np.unique([str(c) for c, s in zip(clusters, shared, strict=True) if s], return_inverse=True)
    low, high = _interval(score, cluster)
    return Agreement(name, _defined(score(np.ones(len(kept)))), low, high, len(kept))


def _interval(score: Callable[[_Array], float], cluster: _Array) -> tuple[float | None, float | None]:
    rng = np.random.default_rng(0)
    count = int(cluster.max()) + 1
    drawn = rng.multinomial(count, np.full(count, 1 / count), ROUNDS)
    scores = np.array([score(weights[cluster].astype(float)) for weights in drawn])
    scores = scores[~np.isnan(scores)]
    if not len(scores):
        return None, None
    low, high = np.quantile(scores, [0.025, 0.975])
    return float(low), float(high)


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _kappa(marks: _Array, ordered: bool) -> Callable[[_Array], float]:
    """Return Cohen's kappa of two reviewers as a function of the units' weights."""
    first, second = marks.astype(int).T
    kind = "quadratic" if ordered else None

    def score(weights: _Array) -> float:
        with warnings.catch_warnings():  # a sample in which all marks are the same has none, and is left out
            warnings.simplefilter("ignore")
            return float(cohen_kappa_score(first, second, weights=kind, sample_weight=weights))

    return score


def _alpha(marks: _Array, ordered: bool) -> Callable[[_Array], float]:
    """Return Krippendorff's alpha as a function of the units' weights: 1 - observed / expected disagreement."""
    values = np.unique(marks[~np.isnan(marks)])
    apart = (values[:, None] - values[None, :]) ** 2 if ordered else (values[:, None] != values[None, :]).astype(float)
    counts = (marks[:, :, None] == values).sum(axis=1).astype(float)
    observed = np.einsum("ui,ij,uj->u", counts, apart, counts) / (counts.sum(axis=1) - 1)

    def score(weights: _Array) -> float:
        totals = weights @ counts
        expected = totals @ apart @ totals / (totals.sum() - 1)
        return float(1 - weights @ observed / expected) if expected else float("nan")

    return score
