"""The scores of a run for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

Scores = Mapping[str, Any]
#: So many categories that lost are listed.
SHOWN = 10


def effects(scores: Scores) -> Table:
    """Return figures and effects: a row for every target, benchmark and arm, the leading figure first."""
    table = Table(title=f"{scores['name']}: points in percent, 95 % intervals", title_justify="left")
    for column in ("LLM", "benchmark", "arm", "n", "leading figure", "others", "against none", "questions needed"):
        table.add_column(column, justify="right" if column in ("n", "questions needed") else "left")
    for cell in scores["cells"]:
        figures = [f"{f['label']} {interval(f)}" for f in cell["figures"]]
        effect = cell["effect"]
        table.add_row(
            cell["target"],
            cell["benchmark"],
            cell["arm"],
            str(cell["n"]),
            figures[0] if figures else "",
            "\n".join(figures[1:]),
            signed(effect) if effect else "",
            f"{effect['n_needed']:,}" if effect and effect["n_needed"] else "",
        )
    return table


def costs(scores: Scores) -> Table:
    """Return what every arm costs per question beside none, and what it skipped."""
    table = Table(title="Per question, against none", title_justify="left")
    for column in ("LLM", "benchmark", "arm", "tokens in", "tokens out", "characters", "seconds before", "USD"):
        table.add_column(column, justify="right" if column not in ("LLM", "benchmark", "arm") else "left")
    table.add_column("skipped")
    table.add_column("no verdict")
    for cell in scores["cells"]:
        cost, reasons = cell["cost"], cell["skipped"]["reasons"]
        table.add_row(
            cell["target"],
            cell["benchmark"],
            cell["arm"],
            *(plain(cost[key], sign=True) for key in ("added_tokens", "answer_tokens_change", "answer_chars_change")),
            plain(cost["added_seconds"], digits=3),
            plain(cost["usd_change"], digits=5, sign=True),
            f"{cell['skipped']['share']:.0%} {', '.join(f'{r} {n}' for r, n in reasons.items())}" if reasons else "",
            ", ".join(f"{kind} {n}" for kind, n in cell["unjudged"].items() if n),
        )
    return table


def regressions(scores: Scores) -> Table:
    """Return where arms lost: questions won and lost, and the categories that got worse."""
    table = Table(title="Where it harms (both answers: differences.jsonl)", title_justify="left")
    for column in ("LLM", "benchmark", "arm", "won", "lost", "tied", "categories that lost"):
        table.add_column(column, justify="right" if column in ("won", "lost", "tied") else "left")
    for cell in scores["cells"]:
        if cell["effect"]:
            counts = (str(cell[key]) for key in ("won", "lost", "tied"))
            table.add_row(cell["target"], cell["benchmark"], cell["arm"], *counts, "\n".join(worse(cell)))
    return table


def worse(cell: Mapping[str, Any]) -> Iterator[str]:
    """Yield the categories whose effect is below zero, the worst first."""
    lost = [c for c in cell["by_category"] if c["effect"] and c["effect"]["value"] < 0]
    for category in sorted(lost, key=lambda c: float(c["effect"]["value"]))[:SHOWN]:
        yield f"{category['category']} {signed(category['effect'])}, n {category['n']}"


def interval(figure: Mapping[str, Any]) -> str:
    """Return a figure with the ends of its interval."""
    return f"{figure['value']:.1f} ({figure['low']:.1f} to {figure['high']:.1f})"


def signed(effect: Mapping[str, Any]) -> str:
    """Return an effect with the ends of its interval."""
    return f"{effect['value']:+.1f} ({effect['low']:+.1f} to {effect['high']:+.1f})"


def plain(value: float | None, digits: int = 1, sign: bool = False) -> str:
    """Return a number, "" where there is none."""
    return "" if value is None else f"{value:{'+' if sign else ''},.{digits}f}"
