"""AlpacaEval 2: win rate, standard error, discrete rate and the length-controlled win rate.

A preference is between 0 (the baseline's answer is better) and 1 (the model's); upstream's files write it as 1 to 2.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pas_middleware.errors import InputError

from .fits import FOLDS, Design, Fit, Indices, fit, free_fit, refit

Floats = NDArray[np.float64]
#: How much a row of the two gamed baselines weighs beside a row of the model: 0.2, shared by the two.
GAMED_WEIGHT = 0.1


@dataclass(frozen=True, slots=True)
class WinRate:
    """Win rate and discrete win rate in percent, the former with its standard error."""

    win_rate: float
    standard_error: float
    discrete: float
    n: int


@dataclass(frozen=True, slots=True)
class LengthControlled:
    """What the fit expects at equal lengths; the model's own rows are the last `n` of the design."""

    design: Design
    fit: Fit
    n: int

    @property
    def value(self) -> float:
        """Return the length-controlled win rate in percent."""
        return 100 * float(self._expected(self.fit.weights).mean())

    @property
    def standard_error(self) -> float:
        """Return its standard error as upstream reports it: the spread of what is expected of the questions."""
        return float(100 * self._expected(self.fit.weights).std(ddof=1) / np.sqrt(self.n))

    def again(self, drawn: Indices) -> float:
        """Return the rate on questions drawn anew, at the strength found; the gamed rows stay as they are."""
        before = len(self.design.features) - self.n
        rows = np.concatenate([np.arange(before), before + drawn])
        weights = refit(self.design.take(rows), self.fit.strength)
        return 100 * float(self._expected(weights)[drawn].mean())

    def _expected(self, weights: Floats) -> Floats:
        logits = self.design.features[-self.n :, 1:] @ weights[1:]
        return np.asarray(1 / (1 + np.exp(-logits)))


@dataclass(frozen=True, slots=True)
class Controls:
    """What the fit knows beside the model's own rows: the difficulty of each question and the gamed baselines' rows.

    Upstream's file `df_gamed.csv` holds both; its licence is NonCommercial, so it is read from a path.
    """

    difficulty: Floats
    gamed: Floats
    gamed_preferences: Floats

    @classmethod
    def read(cls, path: Path) -> Controls:
        """Read upstream's `df_gamed.csv`; raises InputError where a column or a number is missing."""
        names = ("preference", "index", "std_delta_len", "instruction_difficulty")
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = np.array([[float(row[name]) for name in names] for row in csv.DictReader(file)])
        except (KeyError, ValueError, TypeError) as error:
            raise InputError(
                f"{path} is no df_gamed.csv: {error};", hint=f"it needs the columns {', '.join(names)}."
            ) from error
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error};", hint="give upstream's df_gamed.csv.") from error
        if not len(rows):
            raise InputError(f"{path} holds no row;", hint="give the path of upstream's df_gamed.csv.")
        # Difficulty stands by the question's place in the file of questions, once for each gamed baseline.
        count = len(np.unique(rows[:, 1]))
        if sorted(set(rows[:, 1].astype(int))) != list(range(count)):
            raise InputError(f"{path}: `index` does not count the questions from 0;", hint="take upstream's file.")
        difficulty = np.zeros(count)
        difficulty[rows[:, 1].astype(int)] = rows[:, 3]
        return cls(difficulty, np.column_stack([np.tanh(rows[:, 2]), rows[:, 3], np.zeros(len(rows))]), rows[:, 0])


def from_upstream(preferences: Sequence[float]) -> Floats:
    """Return preferences of upstream's files (1 to 2, 0 for a draw) as 0 to 1; raises InputError for any other."""
    values = np.asarray(preferences, dtype=float)
    values = np.where(values == 0, 1.5, values) - 1
    _check(values)
    return values


def win_rate(preferences: Sequence[float] | Floats) -> WinRate:
    """Return win rate, standard error and discrete rate of preferences between 0 and 1."""
    values = np.asarray(preferences, dtype=float)
    _check(values)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    wins = np.where(values == 0.5, 0.5, values > 0.5)
    return WinRate(100 * float(values.mean()), 100 * spread / len(values) ** 0.5, 100 * float(wins.mean()), len(values))


def length_controlled(
    preferences: Sequence[float] | Floats,
    baseline_lengths: Sequence[int],
    model_lengths: Sequence[int],
    controls: Controls | None = None,
    rows: Sequence[int] | None = None,
) -> LengthControlled:
    """Return the length-controlled win rate; lengths are in characters, in the order of the questions.

    Without `controls` the fit has length and model alone, which is what one's own questions allow, and holds nothing
    back: on few questions upstream's would pull the rate to 50. `rows` are the places of the questions in their file;
    upstream counts the rows that are there.
    """
    values = np.asarray(preferences, dtype=float)
    _check(values)
    if not len(values) == len(baseline_lengths) == len(model_lengths):
        raise InputError(
            f"{len(values)} preferences, {len(baseline_lengths)} baseline and {len(model_lengths)} model lengths;",
            hint="give one of each for every question.",
        )
    if len(values) < FOLDS:
        raise InputError(f"{len(values)} rows cannot be fitted;", hint=f"judge at least {FOLDS} questions.")
    difference = np.asarray(baseline_lengths, dtype=float) - np.asarray(model_lengths, dtype=float)
    design = _design(difference, values, controls, range(len(values)) if rows is None else rows)
    return LengthControlled(design, fit(design) if controls else free_fit(design), len(values))


def _design(difference: Floats, preferences: Floats, controls: Controls | None, rows: Sequence[int]) -> Design:
    spread = float(difference.std(ddof=1))
    length = np.tanh(difference / spread) if spread > 0 else np.zeros(len(difference))
    ones = np.ones(len(length))
    if controls is None:
        return Design(np.column_stack([length, ones]), preferences, ones)
    if max(rows) >= len(controls.difficulty):
        raise InputError(
            f"Row {max(rows)} has no difficulty, which {len(controls.difficulty)} questions have;",
            hint="use the df_gamed.csv of the same set of questions, or leave it out.",
        )
    own = np.column_stack([length, controls.difficulty[list(rows)], ones])
    return Design(
        np.vstack([controls.gamed, own]),
        np.concatenate([controls.gamed_preferences, preferences]),
        np.concatenate([np.full(len(controls.gamed), GAMED_WEIGHT), ones]),
    )


def _check(values: Floats) -> None:
    if not len(values):
        raise InputError("There is no preference to score;", hint="judge at least one answer.")
    wrong = np.flatnonzero(~((values >= 0) & (values <= 1)))
    if len(wrong):
        shown = ", ".join(f"row {i}" for i in wrong[:5])
        raise InputError(
            f"{len(wrong)} preferences are missing or out of range ({shown});",
            hint="judge them again or leave their questions out; they are never counted as a tie.",
        )
