"""Prompts and what became of them, as Arrow tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

#: One row a prompt. `history` holds the turns before it as JSON, "" for a first turn; `copies` counts equal ones.
PROMPTS = pa.schema(
    [
        ("id", pa.string()),
        ("prompt", pa.string()),
        ("history", pa.string()),
        ("language", pa.string()),
        ("source", pa.string()),
        ("origin", pa.string()),
        ("unsafe", pa.bool_()),
        ("redacted", pa.bool_()),
        ("copies", pa.int32()),
        ("quality", pa.float32()),
        ("category", pa.string()),
    ]
)
#: One row a prompt that was removed: at which stage, why, and of which kept prompt it is how near a duplicate.
REJECTED = pa.schema(
    [
        ("id", pa.string()),
        ("prompt", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("duplicate_of", pa.string()),
        ("similarity", pa.float32()),
    ]
)


@dataclass(slots=True)
class Rejects:
    """Why rows of a table go: reasons by their place."""

    reasons: dict[int, str] = field(default_factory=dict)
    details: dict[int, str] = field(default_factory=dict)
    duplicates: dict[int, tuple[int, float]] = field(default_factory=dict)

    def add(self, place: int, reason: str, detail: str = "") -> None:
        """Remove a row, unless it is removed already."""
        if place not in self.reasons:
            self.reasons[place] = reason
            self.details[place] = detail

    def duplicate(self, place: int, of: int, reason: str, similarity: float) -> None:
        """Remove a row as a duplicate of another that stays."""
        self.add(place, reason)
        self.duplicates[place] = (of, similarity)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage leaves: the prompts that stay, those that go, and figures for the report."""

    kept: pa.Table
    rejected: pa.Table
    figures: Mapping[str, Any] = field(default_factory=dict)
    usd: float = 0.0


def split(table: pa.Table, rejects: Rejects, stage: str, **figures: Any) -> Outcome:
    """Part a table into what stays and what goes."""
    stays = np.ones(len(table), dtype=bool)
    stays[list(rejects.reasons)] = False
    places = sorted(rejects.reasons)
    gone = table.take(pa.array(places, pa.int64()))
    ids = table.column("id")
    twins = [rejects.duplicates.get(place) for place in places]
    rejected = pa.table(
        {
            "id": gone.column("id"),
            "prompt": gone.column("prompt"),
            "stage": pa.array([stage] * len(places), pa.string()),
            "reason": pa.array([rejects.reasons[place] for place in places], pa.string()),
            "detail": pa.array([rejects.details[place] for place in places], pa.string()),
            "duplicate_of": pa.array([ids[twin[0]].as_py() if twin else None for twin in twins], pa.string()),
            "similarity": pa.array([twin[1] if twin else None for twin in twins], pa.float32()),
        },
        schema=REJECTED,
    )
    return Outcome(table.filter(pa.array(stays)), rejected, figures)


def with_column(table: pa.Table, name: str, values: Sequence[Any] | NDArray[Any] | pa.ChunkedArray) -> pa.Table:
    """Return a table with one of its columns replaced."""
    place = PROMPTS.get_field_index(name)
    if not isinstance(values, pa.ChunkedArray):
        values = pa.array(values, PROMPTS.field(place).type)
    return table.set_column(place, PROMPTS.field(place), values)


def write_table(file: Path, table: pa.Table) -> None:
    """Write a Parquet file, whole or not at all."""
    scratch = file.with_name(f".{file.name}")
    pq.write_table(table, scratch, compression="zstd")
    scratch.replace(file)


def texts(table: pa.Table) -> list[str]:
    """Return the prompts as strings."""
    found: list[str] = table.column("prompt").to_pylist()
    return found


def prompts_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return a table of rows, columns that are missing filled with what says nothing."""
    empty = {"history": "", "language": "", "source": "", "origin": "", "unsafe": None, "redacted": False, "copies": 1}
    return pa.Table.from_pylist([empty | {"quality": None, "category": ""} | dict(row) for row in rows], schema=PROMPTS)
