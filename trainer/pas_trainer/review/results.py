"""What the marks come to: shares and means by category and arm with intervals, and how far reviewers agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .agreement import ROUNDS, Agreement, agreement
from .plan import Plan
from .store import Mark, Store

_ALL = "all"


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over items with its 95 % interval; low and high are None where all items are alike."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One category and arm: figures by name, and what they differ by from the baseline's on the same items."""

    category: str
    arm: str
    items: int
    figures: dict[str, Figure]
    change: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Results:
    """A review's outcome; `first` is how often the answer shown first was preferred, among those not tied."""

    plan: Plan
    tasks: int
    reviewers: dict[str, int]
    passed: int
    rows: list[Row]
    agreement: Agreement | None
    first: Figure | None

    def as_json(self) -> dict[str, Any]:
        """Return all of it for programs, without the token."""
        found = asdict(self)
        del found["plan"]["token"]
        return found


def results(store: Store) -> Results:
    """Compute the results of all marks given so far."""
    plan, everything = store.plan, store.marks()
    reviewers = {name: len(store.done(name)) for name in sorted({mark.reviewer for mark in everything})}
    marks = [mark for mark in everything if mark.value is not None]
    by_category: dict[str, list[Mark]] = {_ALL: marks}
    for mark in marks:
        by_category.setdefault(mark.category, []).append(mark)
    names = [_ALL, *sorted(set(by_category) - {_ALL})]
    return Results(
        plan=plan,
        tasks=store.total,
        reviewers=reviewers,
        passed=len({(mark.item, mark.arm, mark.reviewer) for mark in everything if mark.value is None}),
        rows=[row for name in names for row in _rows(plan, name, by_category[name])],
        agreement=_agreement(plan, marks) if len(reviewers) > 1 else None,
        first=_first(marks) if plan.mode == "compare" else None,
    )


def _measures(plan: Plan) -> dict[str, Callable[[int], float]]:
    if plan.mode == "grade":
        return {
            "full_marks": lambda value: float(value == plan.scale),
            "mean": float,
            "available": lambda value: float(value >= plan.usable),
        }
    return {
        "win": lambda value: float(value > 0),
        "tie": lambda value: float(value == 0),
        "lose": lambda value: float(value < 0),
        "win_rate": lambda value: (value + 1) / 2,
    }


def _rows(plan: Plan, category: str, marks: Sequence[Mark]) -> list[Row]:
    by_arm: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for mark in marks:
        by_arm[mark.arm][mark.item].append(mark.value or 0)
    measures = _measures(plan)
    base = by_arm.get(plan.baseline, {})
    return [
        Row(
            category,
            arm,
            len(by_arm[arm]),
            {name: _mean(_per_item(by_arm[arm], measure).values()) for name, measure in measures.items()},
            {
                name: _mean(change)
                for name, measure in measures.items()
                if (change := _change(by_arm[arm], base, measure))
            }
            if arm != plan.baseline
            else {},
        )
        for arm in plan.arms
        if by_arm.get(arm)
    ]


def _per_item(marks: Mapping[str, Sequence[int]], measure: Callable[[int], float]) -> dict[str, float]:
    """Average over an item's reviewers: two marks of one answer are not two observations."""
    return {item: float(np.mean([measure(value) for value in values])) for item, values in marks.items()}


def _change(
    arm: Mapping[str, Sequence[int]], base: Mapping[str, Sequence[int]], measure: Callable[[int], float]
) -> list[float]:
    mine, theirs = _per_item(arm, measure), _per_item(base, measure)
    return [mine[item] - theirs[item] for item in mine if item in theirs]


def _mean(values: Iterable[float]) -> Figure:
    given = np.array(list(values))
    if len(np.unique(given)) < 2:
        return Figure(float(given.mean()), None, None)
    rng = np.random.default_rng(0)
    means = given[rng.integers(0, len(given), (ROUNDS, len(given)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Figure(float(given.mean()), float(low), float(high))


def _first(marks: Iterable[Mark]) -> Figure | None:
    # The arm was preferred and stood first, or neither.
    by_item: dict[str, list[float]] = defaultdict(list)
    for mark in marks:
        if mark.value:
            by_item[mark.item].append(float((mark.value > 0) == (mark.place == 0)))
    return _mean(float(np.mean(values)) for values in by_item.values()) if by_item else None


def _agreement(plan: Plan, marks: Sequence[Mark]) -> Agreement:
    names = sorted({mark.reviewer for mark in marks})
    units = sorted({(mark.item, mark.arm) for mark in marks})
    table = np.full((len(units), len(names)), np.nan)
    place = {unit: number for number, unit in enumerate(units)}
    for mark in marks:
        table[place[mark.item, mark.arm], names.index(mark.reviewer)] = mark.value
    return agreement(table, [item for item, _ in units], ordered=plan.mode == "grade")
