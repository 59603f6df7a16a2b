"""Vectors parted into cells of near ones, so that a neighbour is looked for in a few cells and not everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .embedding import Vectors

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
#: Vectors in a cell on average.
_SIZE = 512
#: For each centre so many vectors are looked at to place it, so many times.
_SAMPLE, _ROUNDS = 32, 5
_PART = 1024


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows sorted by their cell, where each cell starts, and the cells nearest to each row, in any order."""

    rows: Rows
    starts: Rows
    nearest: NDArray[np.int32]

    @classmethod
    def of(cls, vectors: Vectors, probes: int) -> Cells:
        """Part unit vectors; the same ones always come out the same."""
        centres = _centres(vectors, max(1, len(vectors) // _SIZE))
        home = np.empty(len(vectors), np.int32)
        nearest = np.empty((len(vectors), min(probes, len(centres))), np.int32)
        for start in range(0, len(vectors), _PART):
            close = vectors[start : start + _PART].astype(np.float32) @ centres.T
            home[start : start + _PART] = close.argmax(1)
            nearest[start : start + _PART] = _greatest(close, nearest.shape[1])
        rows = np.argsort(home, kind="stable")
        return cls(rows, np.searchsorted(home[rows], np.arange(len(centres) + 1)), nearest)

    def asked(self) -> Iterator[tuple[Rows, Rows]]:
        """Yield the members of each cell, and the rows that the cell is near to."""
        asked = self.nearest.ravel()
        order = np.argsort(asked, kind="stable")
        ends = np.searchsorted(asked[order], np.arange(len(self.starts)))
        for cell in range(len(self.starts) - 1):
            asking = order[ends[cell] : ends[cell + 1]] // self.nearest.shape[1]
            yield self.rows[self.starts[cell] : self.starts[cell + 1]], asking


def _greatest(close: Floats, count: int) -> Rows:
    """Return the columns of the greatest of each row, by their values: those numpy finds ten times faster."""
    least = np.partition(close, -count, axis=1)[:, -count, None]
    rows, columns = np.nonzero(close >= least)
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return columns[rank < count].reshape(len(close), count)


def _centres(vectors: Vectors, count: int) -> Floats:
    """Return centres by k-means on a seeded sample. They start as vectors: where there are many, cells are many."""
    rng = np.random.default_rng(0)
    drawn = rng.choice(len(vectors), min(len(vectors), _SAMPLE * count), replace=False)
    sample = vectors[np.sort(drawn)].astype(np.float32)
    centres = sample[rng.choice(len(sample), count, replace=False)]
    for _ in range(_ROUNDS):
        centres = _moved(centres, sample)
    return centres


def _moved(centres: Floats, sample: Floats) -> Floats:
    """Return each centre moved to the middle of what lies nearest to it; one that nothing is near to stays."""
    parts = [(sample[start : start + _PART] @ centres.T).argmax(1) for start in range(0, len(sample), _PART)]
    home = np.concatenate(parts)
    order = np.argsort(home, kind="stable")
    used, starts = np.unique(home[order], return_index=True)
    sums = np.add.reduceat(sample[order], starts, axis=0)
    moved = centres.copy()
    moved[used] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
    return moved
