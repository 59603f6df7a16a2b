"""Arena-Hard v2.0: scores under style control, a Bradley–Terry fit beside length and markdown.

As upstream does it: length and the density of headings, lists and bold runs, each as the difference of the two answers
over their sum, scaled over all games. A score is the chance of winning at the average style of all games.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arena import Game
from .effects import Drawn, Floats, Indices, samples

_BLOCK = re.compile(r"```[^`]*```")
_TOKEN = re.compile(r"[^\W_\u3040-\u9fff]+|[\u3040-\u9fff]|[^\w\s]")
_HEADER = re.compile(r"^#{1,6}\s", re.MULTILINE)
_LIST = re.compile(r"^\s*(?:\d+\.|[-*+])\s", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")
#: So small that it moves no score, and keeps one finite that no game limits.
RIDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Style:
    """What of an answer's looks is held constant: its length in tokens, its headings, list items and bold runs."""

    tokens: int
    headers: int
    lists: int
    bolds: int

    @classmethod
    def of(cls, answer: str) -> Style:
        """Count an answer's style; markdown inside code blocks does not count."""
        text = _BLOCK.sub("", answer)
        counts = (len(pattern.findall(text)) for pattern in (_HEADER, _LIST, _BOLD))
        return cls(max(1, len(_TOKEN.findall(answer))), *counts)


@dataclass(frozen=True, slots=True)
class StyledGame:
    """A game with the style of the judged answer and of the baseline's."""

    game: Game
    style: Style
    baseline: Style


def style_controlled(
    models: Mapping[str, Sequence[StyledGame]], rounds: int | None = None, seed: int = 0
) -> dict[str, Drawn]:
    """Return every model's chance in percent to beat the baseline at equal style; all are drawn on the same samples."""
    fitted = Fitted.of(models)
    values = fitted.again(np.ones(fitted.questions))
    draws = np.array([fitted.again(fitted.counts(sample)) for sample in samples(fitted.questions, rounds, seed)])
    return {name: Drawn(float(values[i]), draws[:, i]) for i, name in enumerate(models)}


@dataclass(frozen=True, slots=True)
class Fitted:
    """The games of all models as rows of a regression, and the question of each."""

    features: Floats
    outcomes: Floats
    weights: Floats
    question: NDArray[np.intp]
    models: int

    @classmethod
    def of(cls, models: Mapping[str, Sequence[StyledGame]]) -> Fitted:
        """Lay out the games of several models against one baseline."""
        games = [game for mine in models.values() for game in mine]
        owner = np.repeat(np.arange(len(models)), [len(mine) for mine in models.values()])
        weights = np.array([g.game.weight for g in games], dtype=float)
        place = {q: i for i, q in enumerate(dict.fromkeys(g.game.question for g in games))}
        return cls(
            np.column_stack([np.eye(len(models))[owner], _scaled(_differences(games), weights)]),
            np.array([g.game.outcome for g in games]),
            weights,
            np.array([place[g.game.question] for g in games]),
            len(models),
        )

    @property
    def questions(self) -> int:
        """Return how many questions were played."""
        return int(self.question.max()) + 1

    def counts(self, sample: Indices) -> Floats:
        """Return how often each question is in a sample."""
        return np.bincount(sample, minlength=self.questions).astype(float)

    def again(self, counts: Floats) -> Floats:
        """Return the scores where each question counts so many times."""
        weights = _logistic(self.features, self.outcomes, self.weights * counts[self.question])
        return np.asarray(100 / (1 + np.exp(-weights[: self.models])))


def _differences(games: Sequence[StyledGame]) -> Floats:
    mine, theirs = (
        np.array([[s.tokens, s.headers, s.lists, s.bolds] for s in styles], dtype=float)
        for styles in ([g.style for g in games], [g.baseline for g in games])
    )
    length = (mine[:, :1] - theirs[:, :1]) / (mine[:, :1] + theirs[:, :1])
    dense, sparse = mine[:, 1:] / mine[:, :1], theirs[:, 1:] / theirs[:, :1]
    return np.hstack([length, (dense - sparse) / (dense + sparse + 1)])


def _scaled(values: Floats, weights: Floats) -> Floats:
    mean = np.average(values, axis=0, weights=weights)
    variance = np.average((values - mean) ** 2, axis=0, weights=weights)
    return np.asarray((values - mean) / np.sqrt(np.where(variance > 0, variance, 1)))


def _logistic(features: Floats, outcomes: Floats, weights: Floats) -> Floats:
    """Return the weights of a logistic regression on outcomes between 0 and 1, by Newton's steps."""
    found = np.zeros(features.shape[1])
    ridge = RIDGE * np.eye(len(found))
    for _ in range(50):
        expected = 1 / (1 + np.exp(-np.clip(features @ found, -30, 30)))
        slope = features.T @ (weights * (outcomes - expected)) - RIDGE * found
        curve = (features.T * (weights * expected * (1 - expected))) @ features + ridge
        step = np.linalg.solve(curve, slope)
        # A model that wins every game has no finite score: steps stay short, and stop where they no longer matter.
        found += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8 or np.abs(found).max() > 15:
            break
    return found
