"""Prompts that mean the same: neighbours among sentence vectors, looked for in the cells that are near."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .cells import Cells, Floats, Rows
from .embedding import Vectors
from .pairs import Pairs

#: Neighbours that are kept of each prompt, and the least similarity at which one is.
COUNT, FLOOR = 16, 0.7
#: Cells that are looked through for each prompt.
_PROBES = 8
_BLOCK = 4096
#: With so many pairs beyond those that are kept, the farther ones of each prompt are let go.
_SPARE = 20_000_000

Found = tuple[NDArray[np.int32], NDArray[np.int32], Floats]


def neighbours(vectors: Vectors, places: NDArray[np.int64]) -> Pairs:
    """Return the near pairs among unit vectors that stand at `places` of a table.

    Within a cell all are compared, by matrix products: that is faster than a graph, and its cost for a prompt stays
    nearly the same however many there are.
    """
    if len(vectors) < 2:
        empty = np.empty(0, np.int64)
        return Pairs(empty, empty, np.empty(0, np.float32))
    parts: list[Found] = []
    for members, asking in Cells.of(vectors, _PROBES).asked():
        parts += _near(vectors, asking, members)
        if sum(len(part[0]) for part in parts) > COUNT * len(vectors) + _SPARE:
            parts = [_nearest(parts)]
    left, right, near = _nearest(parts)
    return Pairs.sorted(places[left], places[right], near)


def _near(vectors: Vectors, asking: Rows, members: Rows) -> Iterator[Found]:
    """Yield the pairs of rows and members of a cell that are near each other."""
    others = vectors[members].astype(np.float32).T
    for start in range(0, len(asking), _BLOCK):
        rows = asking[start : start + _BLOCK]
        close = vectors[rows].astype(np.float32) @ others
        left, right = np.nonzero(close >= FLOOR)
        apart = rows[left] != members[right]
        left, right = left[apart], right[apart]
        yield rows[left].astype(np.int32), members[right].astype(np.int32), close[left, right]


def _nearest(parts: list[Found]) -> Found:
    """Return of each left row the nearest others, at most so many."""
    left, right, near = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((-near, left))
    left, right, near = left[order], right[order], near[order]
    first = np.arange(len(left)) - np.searchsorted(left, left) < COUNT
    return left[first], right[first], near[first]
