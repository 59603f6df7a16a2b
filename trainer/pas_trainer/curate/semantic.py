"""Prompts that mean the same: neighbours in an HNSW index over sentence vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from usearch.index import Index

from .embedding import Vectors
from .pairs import Pairs

#: Neighbours that are kept of each prompt, and the least similarity at which one is.
_COUNT, FLOOR = 16, 0.7
_CHUNK = 20_000


def neighbours(vectors: Vectors, places: NDArray[np.int64]) -> Pairs:
    """Return the near pairs among unit vectors that stand at `places` of a table."""
    if len(vectors) < 2:
        empty = np.empty(0, np.int64)
        return Pairs(empty, empty, np.empty(0, np.float32))
    index = Index(
        ndim=vectors.shape[1], metric="ip", dtype="f16", connectivity=16, expansion_add=64, expansion_search=64
    )
    # One thread builds: with several the graph, and so what is found, differs from run to run.
    index.add(np.arange(len(vectors), dtype=np.uint64), vectors, threads=1)
    parts = [_search(index, vectors, start) for start in range(0, len(vectors), _CHUNK)]
    left, right, near = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Pairs.sorted(places[left], places[right], near)


def _search(
    index: Index, vectors: Vectors, start: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    part = vectors[start : start + _CHUNK]
    found = index.search(part, min(_COUNT, len(index)))
    # A single query comes back as one row.
    keys = np.asarray(found.keys).reshape(len(part), -1).astype(np.int64)
    near = 1.0 - np.asarray(found.distances, np.float32).reshape(keys.shape)
    rows = np.broadcast_to(np.arange(start, start + len(part), dtype=np.int64)[:, None], keys.shape)
    good = (near >= FLOOR) & (rows != keys)
    return rows[good], keys[good], near[good]
