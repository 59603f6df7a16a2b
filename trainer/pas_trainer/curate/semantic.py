"""Prompts that mean the same: neighbours among sentence vectors, by faiss, in the cells that are near."""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

from .embedding import Vectors
from .pairs import Pairs

#: Neighbours that are kept of each prompt, and the least similarity at which one is.
COUNT, FLOOR = 16, 0.7
#: Vectors in a cell on average, and cells that are looked through for each prompt: what a prompt costs stays the same
#: however many there are, where a graph (HNSW) grew with the 1.48th power of its size and found fewer.
_CELL, _PROBES = 512, 8
#: Vectors for each cell that k-means places the cells by, in so many rounds.
_SAMPLE, _ROUNDS = 64, 5
_CHUNK = 20_000

Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


def neighbours(vectors: Vectors, places: NDArray[np.int64]) -> Pairs:
    """Return the near pairs among unit vectors that stand at `places` of a table; the same again for the same ones."""
    if len(vectors) < 2:
        empty = np.empty(0, np.int64)
        return Pairs(empty, empty, np.empty(0, np.float32))
    index = _index(vectors)
    parts = [_search(index, vectors, start) for start in range(0, len(vectors), _CHUNK)]
    left, right, near = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Pairs.sorted(places[left], places[right], near)


def _index(vectors: Vectors) -> faiss.IndexIVF:
    count, width = max(1, len(vectors) // _CELL), vectors.shape[1]
    kind, metric = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(width), width, count, kind, metric)
    index.cp.seed, index.cp.niter, index.cp.spherical = 0, _ROUNDS, True
    index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, _SAMPLE
    drawn = np.random.default_rng(0).permutation(len(vectors))[: _SAMPLE * count]
    index.train(vectors[np.sort(drawn)].astype(np.float32))
    for start in range(0, len(vectors), _CHUNK):
        index.add(vectors[start : start + _CHUNK].astype(np.float32))
    index.nprobe = _PROBES
    return index


def _search(index: faiss.IndexIVF, vectors: Vectors, start: int) -> Found:
    part = vectors[start : start + _CHUNK].astype(np.float32)
    # One more: each is its own nearest.
    near, keys = index.search(part, COUNT + 1)
    rows = np.broadcast_to(np.arange(start, start + len(part))[:, None], keys.shape)
    good = (near >= FLOOR) & (keys >= 0) & (rows != keys)
    return rows[good], keys[good], near[good]
