"""Arena-Hard v0.1: Bradley–Terry scores against one shared baseline, with bootstrap intervals.

Where every game is played against the same baseline, the maximum of the Bradley–Terry likelihood has a closed form: the
weighted share of wins. A decisive verdict counts three times, a tie half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pas_middleware.errors import InputError

from .effects import Drawn, Floats, drawn
from .verdicts import outcome


@dataclass(frozen=True, slots=True)
class Game:
    """One game of one question: how well the judged answer did, and its weight."""

    question: str
    outcome: float
    weight: int


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure in percent with the ends of its interval."""

    value: float
    low: float
    high: float


def games_of(judgements: Sequence[Mapping[str, Any]]) -> list[Game]:
    """Return the games of rows {id, game, verdict}; those without a verdict are left out, never guessed."""
    return [Game(row["id"], *outcome(row["verdict"], row["game"])) for row in judgements if row["verdict"] is not None]


def score(games: Sequence[Game]) -> float:
    """Return the Bradley–Terry score in percent: the odds of winning against the baseline."""
    if not games:
        raise InputError("There is no game with a verdict to score;", hint="look at `problem` in the judgements.")
    weights = np.array([g.weight for g in games], dtype=float)
    return float(100 * np.average([g.outcome for g in games], weights=weights))


def scored(games: Sequence[Game], rounds: int | None = None, seed: int = 0) -> Drawn:
    """Return the score with draws for its interval: of questions, as the two games of one are not independent."""
    score(games)
    wins, weights = _by_question(games)
    return drawn(lambda sample: float(100 * wins[sample].sum() / weights[sample].sum()), len(wins), rounds, seed)


def _by_question(games: Sequence[Game]) -> tuple[Floats, Floats]:
    place = {q: i for i, q in enumerate(dict.fromkeys(g.question for g in games))}
    index = [place[g.question] for g in games]
    weights = np.array([g.weight for g in games], dtype=float)
    wins = weights * [g.outcome for g in games]
    return np.bincount(index, wins).astype(float), np.bincount(index, weights).astype(float)


def leaderboard(models: Mapping[str, Sequence[Game]], rounds: int = 100, seed: int = 42) -> dict[str, Interval]:
    """Return every model's score with its interval as upstream's leaderboards print it.

    Upstream draws battles, not questions, does not anchor a draw at the baseline, and compares the ends of a model's
    ratings with the ends of the baseline's: its intervals are narrower than those of `scored`.
    """
    names = list(models)
    outcomes = np.concatenate([np.repeat([g.outcome for g in m], [g.weight for g in m]) for m in models.values()])
    owner = np.repeat(np.arange(len(names)), [sum(g.weight for g in m) for m in models.values()])
    ends = _end_ratings(outcomes, owner, len(names), rounds, seed)
    shares = 100 / (1 + np.exp(ends[:, -1:] - ends[:, :-1]))
    return {
        name: Interval(score(models[name]), float(shares[0, i]), float(shares[1, i])) for i, name in enumerate(names)
    }


def _end_ratings(outcomes: Floats, owner: NDArray[np.intp], models: int, rounds: int, seed: int) -> Floats:
    """Return the 2.5 and 97.5 % ends of each rating over the draws, the baseline's last."""
    rng = np.random.default_rng(seed)
    ratings = np.zeros((rounds, models + 1))
    for row in ratings:
        drawn = rng.integers(0, len(outcomes), len(outcomes))
        played = np.bincount(owner[drawn], minlength=models)
        # A model that a draw lets win or lose every game has no finite rating; half a game keeps it on the scale.
        won = np.clip(np.bincount(owner[drawn], outcomes[drawn], models), 0.5, np.maximum(played - 0.5, 0.5))
        row[:models] = np.log(won / np.maximum(played - won, 0.5))
        row -= row.mean()
    return np.asarray(np.percentile(ratings, [2.5, 97.5], axis=0))
