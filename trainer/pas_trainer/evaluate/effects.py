"""What an arm changes against none: the difference, its 95 % interval, and the sample that it would take to see it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
#: A figure in percent on questions drawn anew, by their places; all places in order give the figure itself.
Figure = Callable[[Indices], float]

ROUNDS = 200
#: Both ends of 95 %, and the power of 80 % that a needed sample is reckoned for.
Z, POWER = 1.96, 0.84


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure in percent, and what it is on samples of its questions, drawn with replacement."""

    value: float
    draws: Floats

    @property
    def ends(self) -> tuple[float, float]:
        """Return the ends of the 95 % interval."""
        low, high = np.percentile(self.draws, [2.5, 97.5])
        return float(low), float(high)

    def minus(self, other: Drawn | float) -> Drawn:
        """Return the difference from a figure that was drawn on the same samples, or from a constant."""
        if isinstance(other, Drawn):
            return Drawn(self.value - other.value, self.draws - other.draws)
        return Drawn(self.value - other, self.draws - other)


@dataclass(frozen=True, slots=True)
class Effect:
    """A difference in points with its interval; `n_needed` questions would show one of this size four times in five."""

    value: float
    low: float
    high: float
    n: int
    n_needed: int | None

    @classmethod
    def of(cls, difference: Drawn, n: int) -> Effect:
        """Return the effect that a difference drawn over n questions is."""
        low, high = difference.ends
        return cls(difference.value, low, high, n, needed(difference.value, (high - low) / (2 * Z), n))


def samples(n: int, rounds: int | None = None, seed: int = 0) -> list[Indices]:
    """Return samples of n questions, the same ones for every arm."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, n, n) for _ in range(rounds or ROUNDS)]


def drawn(figure: Figure, n: int, rounds: int | None = None, seed: int = 0) -> Drawn:
    """Return a figure with what it is on samples of its questions."""
    return Drawn(figure(np.arange(n)), np.array([figure(sample) for sample in samples(n, rounds, seed)]))


def mean(values: Floats) -> Drawn:
    """Return the mean of values between 0 and 1, in percent."""
    return drawn(lambda sample: 100 * float(values[sample].mean()), len(values))


def needed(value: float, standard_error: float, n: int) -> int | None:
    """Return the questions needed to tell a difference from zero, None where there is none to tell."""
    if abs(value) < 1e-9:
        return None
    return max(2, math.ceil(n * ((Z + POWER) * standard_error / value) ** 2))
