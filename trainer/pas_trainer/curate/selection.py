"""Selection: so many prompts, balanced over categories and languages, diverse within them, the good ones first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .embedding import Vectors
from .table import Outcome, Rejects, split

Cell = tuple[str, str]
#: Of a cell so many times its quota are looked at, the best ones: quality first, then diversity.
_POOL = 3


def quotas(sizes: Mapping[Cell, int], count: int) -> dict[Cell, int]:
    """Share `count` evenly among cells; what one lacks goes to those that have more, evenly again."""
    left = min(count, sum(sizes.values()))
    found = dict.fromkeys(sorted(sizes), 0)
    while left:
        open_cells = [cell for cell in found if found[cell] < sizes[cell]]
        # The last few go to the first cells in order, one each.
        share = max(1, left // len(open_cells))
        for cell in open_cells:
            given = min(share, sizes[cell] - found[cell], left)
            found[cell] += given
            left -= given
    return found


def spread(vectors: Vectors, quality: NDArray[np.float32], count: int) -> list[int]:
    """Return `count` rows: of the best ones first the very best, then always the one farthest from all chosen.

    That is the greedy k-centre of Gonzalez (1985), at most twice as wide as the best one.
    """
    pool = np.argsort(-quality, kind="stable")[: _POOL * count]
    points = vectors[pool].astype(np.float32)
    chosen = [0]
    nearest = points @ points[0]
    while len(chosen) < min(count, len(pool)):
        nearest[chosen[-1]] = np.inf
        farthest = int(nearest.argmin())
        chosen.append(farthest)
        nearest = np.maximum(nearest, points @ points[farthest])
    return [int(pool[row]) for row in chosen]


def select(table: pa.Table, vectors: Vectors, count: int, seed: int) -> Outcome:
    """Keep `count` prompts; figures say which cells ran short of an even share. The seed breaks ties of quality."""
    cells: dict[Cell, list[int]] = {}
    labels = zip(table.column("category").to_pylist(), table.column("language").to_pylist(), strict=True)
    for place, cell in enumerate(labels):
        cells.setdefault(cell, []).append(place)
    wanted = quotas({cell: len(places) for cell, places in cells.items()}, count)
    quality = table.column("quality").to_numpy().astype(np.float32)
    mixed = np.random.default_rng(seed).permutation(len(table))
    stays: set[int] = set()
    for cell, places in sorted(cells.items()):
        rows = np.array(sorted(places, key=mixed.__getitem__))
        if wanted[cell]:
            stays.update(int(rows[row]) for row in spread(vectors[rows], quality[rows], wanted[cell]))
    rejects = Rejects()
    for place in range(len(table)):
        if place not in stays:
            rejects.add(place, "not_selected")
    even = count // max(1, len(cells))
    short = {"/".join(cell): taken for cell, taken in wanted.items() if taken < even}
    return split(table, rejects, "select", asked=count, even_share=even, short=short)
