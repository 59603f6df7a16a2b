"""A review's results as Markdown tables."""

from __future__ import annotations

from .results import Figure, Results, Row

_COLUMNS = {
    "grade": ("full_marks", "mean", "available"),
    "compare": ("win", "tie", "lose", "win_rate"),
}
_TITLES = {"full_marks": "full marks", "mean": "mean grade", "win_rate": "win rate"}


def markdown(found: Results) -> str:
    """Return the tables: one row a category and arm, with 95 % intervals, then who reviewed and how far they agree."""
    columns = head(found)
    lines = [_joined(columns), _joined(["---"] * len(columns)), *(_joined(line(found, row)) for row in found.rows)]
    if not found.rows:
        lines = ["No marks yet."]
    return "\n".join([*lines, "", *facts(found)]) + "\n"


def head(found: Results) -> list[str]:
    """Return the names of a line's cells."""
    plan = found.plan
    columns = ["category", "arm", "n", *(_TITLES.get(name, name) for name in _COLUMNS[plan.mode])]
    return [*columns, f"mean against {plan.baseline}"] if plan.mode == "grade" else columns


def line(found: Results, row: Row) -> list[str]:
    """Return a row's cells."""
    columns = _COLUMNS[found.plan.mode]
    cells = [row.category, row.arm, str(row.items), *(_figure(row.figures[name], name) for name in columns)]
    if found.plan.mode == "grade":
        cells.append(_figure(row.change["mean"], "change") if row.change else "")
    return cells


def facts(found: Results) -> list[str]:
    """Return what the table means, who reviewed and how far they agree."""
    plan = found.plan
    if plan.mode == "grade":
        meaning = f"Grades 1 to {plan.scale}; full marks: {plan.scale}; available: {plan.usable} or more."
    else:
        meaning = f"Each arm against {plan.baseline}; win rate: wins and half of the ties."
    lines = [f"{meaning} Intervals: 95 %, by drawing items anew; none where all items are alike."]
    done = ", ".join(f"{name} {count} of {found.tasks}" for name, count in found.reviewers.items())
    lines.append(f"Reviewers: {done or 'none yet'}; passed over: {found.passed}.")
    if plan.identical or plan.incomplete:
        lines.append(
            f"Left out beforehand: {plan.identical} with the same answer in all arms, {plan.incomplete} lacking an arm."
        )
    if found.agreement is not None:
        agreed = found.agreement
        value = f"undefined, {agreed.note}" if agreed.value is None else _span(agreed.value, agreed.low, agreed.high)
        lines.append(f"Agreement: {agreed.coefficient} {value} over {agreed.units} answers.")
    if found.first is not None:
        lines.append(f"The answer shown first was preferred in {_figure(found.first, 'first')} of those not tied.")
    return lines


def _figure(figure: Figure, name: str) -> str:
    if name in ("mean", "change"):
        return _span(figure.value, figure.low, figure.high, "+.2f" if name == "change" else ".2f")
    return _span(figure.value, figure.low, figure.high, ".0%")


def _span(value: float, low: float | None, high: float | None, form: str = ".2f") -> str:
    return f"{value:{form}}" if low is None or high is None else f"{value:{form}} ({low:{form}} to {high:{form}})"


def _joined(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
