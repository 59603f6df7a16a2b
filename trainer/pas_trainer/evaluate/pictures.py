"""Pictures of an evaluation: effects with their intervals, categories, and what the arms cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

Cell = Mapping[str, Any]
#: Told apart by colour-blind readers too; arms beyond these begin again.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKS = "osD^vP"
_COSTS = {
    "added_seconds": "seconds before the LLM",
    "added_tokens": "tokens in, against none",
    "answer_tokens_change": "tokens out, against none",
    "usd_change": "USD, against none",
}


def forest(cells: Sequence[Cell], benchmarks: Sequence[str], targets: Sequence[str], arms: Sequence[str]) -> Figure:
    """Return each arm's effect against none, a panel for each benchmark, a line for each target and arm."""
    step = 1 / (len(arms) + 1)
    figure = Figure(figsize=(9.5, 1.6 + len(targets) * max(0.7, 0.24 * len(arms))), layout="constrained")
    for axes, benchmark in zip(_panels(figure, len(benchmarks), sharey=True), benchmarks, strict=True):
        mine = [c for c in cells if c["benchmark"] == benchmark and c["effect"]]
        for cell in mine:
            y = targets.index(cell["target"]) + (arms.index(cell["arm"]) + 1) * step - 0.5
            _interval(axes, cell["effect"], y, *_look(arms.index(cell["arm"])))
        label = next((f["label"] for c in mine for f in c["figures"][:1]), "")
        axes.set_title(plain(benchmark))
        axes.set_xlabel(f"{label},\npoints against none", fontsize=9)
        axes.axvline(0, color="#555", linewidth=1)
        axes.set_yticks(range(len(targets)), [plain(t) for t in targets])
        axes.set_ylim(len(targets) - 0.5, -0.5)
        axes.grid(axis="x", alpha=0.3)
    _legend(figure, arms)
    return figure


def categories(
    cells: Sequence[Cell], names: Sequence[str], targets: Sequence[str], arms: Sequence[str], width: int = 3
) -> Figure:
    """Return one benchmark's effects by category: a panel for each target, a bar for each arm."""
    rows = -(-len(targets) // width)
    columns = min(width, len(targets))
    height = 0.12 + 0.1 * len(arms)
    figure = Figure(figsize=(9.5, 1.1 + rows * (0.45 + height * len(names))), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel().tolist()
    for axes, target in zip(panels, targets, strict=False):
        for cell in (c for c in cells if c["target"] == target and c["arm"] in arms):
            _bars(axes, cell, names, arms)
        axes.set_title(plain(target), fontsize=10)
        axes.set_yticks(range(len(names)), [plain(name) for name in names], fontsize=9)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.axvline(0, color="#555", linewidth=1)
        axes.grid(axis="x", alpha=0.3)
    for axes in panels[len(targets) :]:
        axes.set_axis_off()
    figure.supxlabel("win rate, points against none", fontsize=9)
    _legend(figure, arms)
    return figure


def costs(cells: Sequence[Cell], arms: Sequence[str]) -> Figure:
    """Return what each arm adds per question: a dot for each target and benchmark, a line at their mean."""
    figure = Figure(figsize=(9.5, 1.2 + 0.36 * len(arms)), layout="constrained")
    for axes, (key, label) in zip(_panels(figure, len(_COSTS), sharey=True), _COSTS.items(), strict=True):
        for place, arm in enumerate(arms):
            values = [c["cost"][key] for c in cells if c["arm"] == arm and c["cost"][key] is not None]
            if values:
                colour, mark = _look(place)
                axes.plot(values, [place] * len(values), mark, color=colour, alpha=0.55)
                axes.vlines(np.mean(values), place - 0.3, place + 0.3, colors="#222")
        axes.set_xlabel(label, fontsize=9)
        axes.set_yticks(range(len(arms)), [plain(arm) for arm in arms])
        axes.set_ylim(len(arms) - 0.5, -0.5)
        axes.axvline(0, color="#555", linewidth=1)
        axes.tick_params(axis="x", labelsize=8)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(axis="x", alpha=0.3)
    return figure


def plain(text: str) -> str:
    """Return a name as it is: matplotlib takes what stands between two dollar signs for a formula."""
    return text.replace("$", r"\$")


def _bars(axes: Axes, cell: Cell, names: Sequence[str], arms: Sequence[str]) -> None:
    step = 0.8 / len(arms)
    place = arms.index(cell["arm"])
    colour, _ = _look(place)
    for row in cell["by_category"]:
        if row["effect"] and row["category"] in names:
            y = names.index(row["category"]) - 0.4 + (place + 0.5) * step
            axes.barh(y, row["effect"]["value"], step * 0.85, color=colour, alpha=0.75)
            axes.hlines(y, row["effect"]["low"], row["effect"]["high"], colors="#333", linewidth=1)


def _interval(axes: Axes, effect: Mapping[str, float], y: float, colour: str, mark: str) -> None:
    axes.hlines(y, effect["low"], effect["high"], colors=colour, linewidth=2)
    axes.plot([effect["value"]], [y], mark, color=colour, markersize=6)


def _panels(figure: Figure, count: int, *, sharey: bool) -> list[Axes]:
    found: list[Axes] = np.atleast_1d(figure.subplots(1, count, sharey=sharey)).tolist()
    return found


def _look(place: int) -> tuple[str, str]:
    return _COLOURS[place % len(_COLOURS)], _MARKS[place % len(_MARKS)]


def _legend(figure: Figure, arms: Iterable[str]) -> None:
    handles = []
    for place, arm in enumerate(arms):
        colour, mark = _look(place)
        handles.append(Line2D([], [], color=colour, marker=mark, label=plain(arm)))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 5), frameon=False)
