"""Counts as bars."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

#: The colour of what stands alone in a figure.
INK = "#3b6ea8"


def bars(counts: Mapping[str, int], unit: str) -> Figure:
    """Return a bar for each count, the first on top, its number behind it."""
    figure = Figure(figsize=(7.5, 0.4 * len(counts) + 0.8), layout="constrained")
    axes = figure.subplots()
    made = axes.barh(list(counts), list(counts.values()), color=INK)
    axes.bar_label(made, labels=[f"{count:,}" for count in counts.values()], padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.14)
    axes.set_xlabel(unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    return figure
