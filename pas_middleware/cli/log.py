"""`pas log`: sum up a record of augmentations: rates by reason, percentiles of the time they took."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ..record import read_record
from ..stores import Row
from .inputs import JsonOption

_PERCENTILES = (50, 90, 95, 99)


def log(
    path: Annotated[str, typer.Argument(help="The record: a file that ends in .jsonl, .sqlite or .db.")],
    as_json: JsonOption = False,
) -> None:
    """Sum up a record: how often each status and reason came, how long it took, by which models.

    Example:
      pas log pas.jsonl

    """
    summary = summarise(read_record(path))
    if as_json:
        typer.echo(json.dumps(summary))
        return
    console = Console(soft_wrap=True)
    if not summary["augmentations"]:
        console.print("The record is empty.")
        return
    console.print(_rates(summary))
    console.print(_times(summary["ms"]))
    console.print(f"{summary['augmentations']:,} augmentations from {summary['first']} to {summary['last']}.")
    console.print(f"Models: {', '.join(f'{name} ({count:,})' for name, count in summary['models'].items())}.")


def summarise(rows: Iterable[Row]) -> dict[str, Any]:
    """Return counts by status and reason, percentiles of milliseconds, the models, and the time covered."""
    decisions: Counter[tuple[str, str]] = Counter()
    models: Counter[str] = Counter()
    times: dict[str, list[float]] = {}
    first = last = ""
    for row in rows:
        decisions[row["status"], row["reason"]] += 1
        models[row["model"]] += 1
        for group in ("all", row["status"]):
            times.setdefault(group, []).append(row["ms"])
        first, last = min(first or row["at"], row["at"]), max(last, row["at"])
    total = decisions.total()
    return {
        "augmentations": total,
        "decisions": [
            {"status": status, "reason": reason, "count": count, "rate": count / total}
            for (status, reason), count in decisions.most_common()
        ],
        "ms": {group: _percentiles(values) for group, values in times.items()},
        "models": dict(models.most_common()),
        "first": first,
        "last": last,
    }


def _percentiles(values: list[float]) -> dict[str, float]:
    if len(values) == 1:
        return {f"p{p}": values[0] for p in _PERCENTILES}
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {f"p{p}": round(cuts[p - 1], 3) for p in _PERCENTILES}


def _rates(summary: dict[str, Any]) -> Table:
    table = Table("status", "reason", "count", "rate", box=None, header_style="bold")
    for row in summary["decisions"]:
        table.add_row(row["status"], row["reason"] or "-", f"{row['count']:,}", f"{row['rate']:.1%}")
    return table


def _times(groups: dict[str, dict[str, float]]) -> Table:
    table = Table("time", *(f"{p} %" for p in _PERCENTILES), box=None, header_style="bold")
    for group, cuts in groups.items():
        table.add_row(group, *(f"{cuts[f'p{p}']:.1f} ms" for p in _PERCENTILES))
    return table
