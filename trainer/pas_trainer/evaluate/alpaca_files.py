"""AlpacaEval's files: outputs and annotations, read and written. Questions stand by their place, not by an id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pas_middleware.errors import InputError

from .layouts import Question, listed, rows_of


def read_outputs(path: Path) -> tuple[list[Question], dict[str, str]]:
    """Read a model's outputs: the questions, named by their place from 0, and the answers."""
    rows = rows_of(path)
    for number, row in enumerate(rows, 1):
        for key in ("instruction", "output"):
            if not isinstance(row.get(key), str):
                raise InputError(f"{path}, row {number}: no {key!r};", hint="give AlpacaEval's outputs as JSON.")
    questions = [Question(str(i), row["instruction"], str(row.get("dataset", ""))) for i, row in enumerate(rows)]
    return questions, {str(i): row["output"] for i, row in enumerate(rows)}


def check_same(questions: Sequence[Question], others: Sequence[Question], path: Path) -> None:
    """Raise InputError naming the places at which two files ask something else."""
    if len(questions) != len(others):
        raise InputError(
            f"{path} has {len(others)} rows, the baseline {len(questions)};", hint="use outputs of the same questions."
        )
    wrong = [q.id for q, o in zip(questions, others, strict=True) if q.prompt != o.prompt]
    if wrong:
        raise InputError(
            f"{path} asks other questions in {len(wrong)} rows: {listed(wrong)};",
            hint="put its rows into the order of the baseline's.",
        )


def read_preferences(path: Path) -> list[dict[str, Any]]:
    """Read annotations as rows {id, preference, baseline, answer}; raises InputError for a row without a preference."""
    rows = rows_of(path)
    missing = [str(i) for i, row in enumerate(rows) if not isinstance(row.get("preference"), int | float)]
    if missing:
        raise InputError(
            f"{path}: {len(missing)} rows have no preference: {listed(missing)};", hint="judge them again."
        )
    return [
        {"id": str(i), "preference": row["preference"], "baseline": row["output_1"], "answer": row["output_2"]}
        for i, row in enumerate(rows)
    ]


def output_rows(questions: Sequence[Question], answers: Mapping[str, str], model: str) -> list[dict[str, str]]:
    """Return outputs in upstream's layout."""
    return [
        {"dataset": q.category, "instruction": q.prompt, "output": answers[q.id], "generator": model}
        for q in questions
        if q.id in answers
    ]
