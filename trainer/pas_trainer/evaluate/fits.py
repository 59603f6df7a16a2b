"""The regression behind the length-controlled win rate: L1 logistic regression on probabilities, strength by folds."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
FOLDS = 5
SEED = 123
#: Instead of nothing, so that the solver sees a label of which no row weighs anything.
LEAST = 1e-9
STRENGTHS = np.logspace(-4, 4, 10)


@dataclass(frozen=True, slots=True)
class Design:
    """Rows of features, the probability that each is a win, and how much each weighs."""

    features: Floats
    probabilities: Floats
    weights: Floats

    def take(self, rows: Indices) -> Design:
        """Return the design of some rows, in their order."""
        return Design(self.features[rows], self.probabilities[rows], self.weights[rows])


@dataclass(frozen=True, slots=True)
class Fit:
    """The weights of the features, and the strength (scikit-learn's C) that the folds chose."""

    weights: Floats
    strength: float


def fit(design: Design) -> Fit:
    """Fit with the `alpaca-eval` package where it can be imported, else with scikit-learn alone; both give the same."""
    # The package imports pkg_resources, which setuptools no longer has from version 81 on.
    usable = all(find_spec(name) for name in ("alpaca_eval", "pkg_resources"))
    return package_fit(design) if usable else own_fit(design)


def own_fit(design: Design) -> Fit:
    """Choose the strength with the least log loss over folds, then fit all rows."""
    rows = np.arange(len(design.features))
    losses = np.zeros(len(STRENGTHS))
    # Folds are cut on the doubled rows, as upstream cuts them, a row's win and loss staying together.
    doubled = np.tile(rows, 2)
    for train, test in GroupKFold(FOLDS).split(doubled, groups=doubled):
        fold, held = design.take(np.unique(doubled[train])), design.take(np.unique(doubled[test]))
        # One generator for the strengths of a fold, as scikit-learn's own path has: the large ones nearly tie.
        random = np.random.RandomState(SEED)
        losses += [_loss(refit(fold, strength, random), held) for strength in STRENGTHS]
    strength = float(STRENGTHS[losses.argmin()])
    return Fit(refit(design, strength), strength)


def free_fit(design: Design) -> Fit:
    """Fit all rows with next to no penalty."""
    return Fit(refit(design, STRENGTHS[-1]), float(STRENGTHS[-1]))


def refit(design: Design, strength: float, random: int | np.random.RandomState = SEED) -> Floats:
    """Return the weights at one strength, every row counted once as a win and once as a loss."""
    model = LogisticRegression(C=strength, l1_ratio=1, solver="liblinear", fit_intercept=False, random_state=random)
    sides = np.concatenate([design.probabilities, 1 - design.probabilities]) * np.tile(design.weights, 2)
    # Quiet: scikit-learn's notes on fits that end early; the recipe is upstream's. Its checks cost more than the fit.
    with (
        warnings.catch_warnings(action="ignore"),
        sklearn.config_context(assume_finite=True, skip_parameter_validation=True),
    ):
        model.fit(
            np.vstack([design.features, design.features]),
            np.repeat([1, 0], len(design.features)),
            sample_weight=np.maximum(sides, LEAST),
        )
    return np.asarray(model.coef_[0], dtype=float)


def package_fit(design: Design) -> Fit:
    """Fit with the `alpaca-eval` package."""
    import pandas as pd
    from alpaca_eval.metrics.glm_winrate import fit_LogisticRegressionCV

    table = pd.DataFrame(design.features).rename(columns=str).assign(preference=design.probabilities)
    # The package changes scikit-learn's global settings; the context puts them back.
    with sklearn.config_context(), warnings.catch_warnings(action="ignore"):
        model = fit_LogisticRegressionCV(table, "preference", sample_weight=pd.Series(design.weights))
    return Fit(np.asarray(model.coef_[0], dtype=float), float(np.ravel(model.C_)[0]))


def _loss(weights: Floats, held: Design) -> float:
    expected = np.clip(1 / (1 + np.exp(-held.features @ weights)), 1e-15, 1 - 1e-15)
    losses = held.probabilities * np.log(expected) + (1 - held.probabilities) * np.log(1 - expected)
    return -float(np.mean(losses * held.weights))
