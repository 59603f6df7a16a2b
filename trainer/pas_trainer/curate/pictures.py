"""The figures of a curation's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..report.charts import INK

#: More dots than this take minutes to arrange and say no more.
_DOTS = 1000
_SECOND = "#d98b3a"


def distribution(cells: Mapping[tuple[str, str], int], categories: Sequence[str], languages: Sequence[str]) -> Figure:
    """Return a bar for each category, in parts by language."""
    figure = Figure(figsize=(7.5, 0.32 * max(4, len(categories)) + 0.9), layout="constrained")
    axes = figure.subplots()
    left: NDArray[np.float64] = np.zeros(len(categories))
    for place, language in enumerate(languages):
        counts = np.array([cells.get((category, language), 0) for category in categories], float)
        axes.barh(categories, counts, left=left, label=language, color=_colour(place))
        left += counts
    axes.invert_yaxis()
    axes.set_xlabel("prompts")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _colour(place: int) -> Any:
    return (INK, _SECOND)[place] if place < 2 else colormaps["tab20"](place % 20)


def histograms(lengths: NDArray[np.int64], quality: NDArray[np.float32], languages: NDArray[Any]) -> Figure:
    """Return two histograms, a line for each language."""
    figure = Figure(figsize=(8.5, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    known = sorted(set(languages.tolist()))
    edges = np.geomspace(1, max(10, int(lengths.max(initial=10))), 40)
    for place, language in enumerate(known):
        mine = languages == language
        left.hist(lengths[mine], edges, histtype="step", linewidth=1.6, label=language, color=_colour(place))
        right.hist(quality[mine], 30, histtype="step", linewidth=1.6, label=language, color=_colour(place))
    left.set(xscale="log", xlabel="characters", ylabel="prompts")
    right.set(xlabel="quality")
    right.legend(frameon=False)
    return figure


def embedding_map(vectors: NDArray[np.float32], categories: NDArray[Any], languages: NDArray[Any]) -> Figure:
    """Return a panel for each of the two commonest languages: their vectors may be of different kinds."""
    names, counts = np.unique(languages, return_counts=True)
    shown = names[np.argsort(-counts, kind="stable")][:2]
    figure = Figure(figsize=(5 * max(1, len(shown)) + 1.5, 4.6), layout="constrained")
    panels = figure.subplots(1, max(1, len(shown)), squeeze=False)[0]
    colours = {name: colormaps["tab20"](place % 20) for place, name in enumerate(sorted(set(categories.tolist())))}
    for axes, language in zip(panels, shown, strict=False):
        rows = np.flatnonzero(languages == language)
        rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), _DOTS)).astype(int)]
        flat = _flattened(vectors[rows])
        axes.scatter(flat[:, 0], flat[:, 1], s=6, c=[colours[name] for name in categories[rows]], linewidths=0)
        axes.set(title=language, xticks=[], yticks=[])
    marks = [panels[0].scatter([], [], s=24, color=colour, label=name) for name, colour in colours.items()]
    figure.legend(handles=marks, loc="outside right center", frameon=False, fontsize=8)
    return figure


def _flattened(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    from sklearn.manifold import TSNE

    if len(vectors) < 5:
        return vectors[:, :2]
    made = TSNE(init="pca", perplexity=min(30.0, (len(vectors) - 1) / 3), max_iter=500, random_state=0)
    return np.asarray(made.fit_transform(vectors), np.float32)
