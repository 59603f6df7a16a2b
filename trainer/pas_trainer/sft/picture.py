"""The loss over the steps, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib


def draw_loss(log: Sequence[dict[str, Any]], file: Path) -> None:
    """Draw the losses of a trainer's log, trained and held out."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for key, label, mark in (("loss", "trained", ""), ("eval_loss", "held out", "o")):
        points = [(row["step"], row[key]) for row in log if key in row]
        if points:
            axes.plot(*zip(*points, strict=True), marker=mark, label=label)
    axes.set_xlabel("step")
    axes.set_ylabel("loss, nats a token of the complement")
    axes.legend()
    figure.tight_layout()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
