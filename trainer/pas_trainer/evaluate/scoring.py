"""Scores of judgements that were made elsewhere: Arena-Hard's in either layout, AlpacaEval's annotations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pas_middleware.errors import InputError

from .alpaca import Controls, from_upstream, length_controlled, win_rate
from .alpaca_files import read_preferences
from .arena import games_of, scored
from .effects import Drawn
from .layouts import Question, align, read_answers, read_judgements
from .style import Style, StyledGame, style_controlled

Row = Mapping[str, Any]


def arena_hard(files: Sequence[Path], answers: Path | None = None, baseline: str = "") -> dict[str, dict[str, Any]]:
    """Return every model's score, and where the folder of answers is given the style-controlled one."""
    models: dict[str, list[Row]] = defaultdict(list)
    for file in files:
        for row in read_judgements(file):
            models[str(row["model"] or file.stem)].append(row)
    found = {model: _scored(rows) for model, rows in models.items()}
    if answers is not None:
        for model, drawn in style_controlled(_styled(models, answers, baseline)).items():
            found[model] |= {"style_controlled": _interval(drawn)}
    return found


def _scored(rows: Sequence[Row]) -> dict[str, Any]:
    unread = sorted({row["id"] for row in rows if row["verdict"] is None})
    return {"score": _interval(scored(games_of(rows))), "games": len(rows), "without_verdict": unread}


def _interval(drawn: Drawn) -> dict[str, float]:
    low, high = drawn.ends
    return {"value": drawn.value, "low": low, "high": high}


def _styled(models: Mapping[str, Sequence[Row]], folder: Path, baseline: str) -> dict[str, list[StyledGame]]:
    theirs = _styles(folder, baseline, [row for rows in models.values() for row in rows])
    found = {}
    for model, rows in models.items():
        mine = _styles(folder, model, rows)
        found[model] = [StyledGame(game, mine[game.question], theirs[game.question]) for game in games_of(rows)]
    return found


def _styles(folder: Path, model: str, rows: Sequence[Row]) -> dict[str, Style]:
    path = folder / f"{model}.jsonl"
    answers = read_answers(path)
    align([Question(i, "") for i in dict.fromkeys(row["id"] for row in rows)], answers, str(path))
    return {i: Style.of(answer) for i, answer in answers.items()}


def alpaca_eval(file: Path, controls: Path | None = None) -> dict[str, Any]:
    """Return win rate, standard error, discrete and length-controlled rate of a file of annotations."""
    rows = read_preferences(file)
    for row in rows:
        if not isinstance(row["baseline"], str) or not isinstance(row["answer"], str):
            raise InputError(f"{file}, row {row['id']}: no answers;", hint="give AlpacaEval's annotations.")
    values = from_upstream([row["preference"] for row in rows])
    rate = win_rate(values)
    controlled = length_controlled(
        values,
        [len(row["baseline"]) for row in rows],
        [len(row["answer"]) for row in rows],
        Controls.read(controls) if controls else None,
    )
    return {
        "length_controlled": controlled.value,
        "win_rate": rate.win_rate,
        "standard_error": rate.standard_error,
        "discrete": rate.discrete,
        "n": rate.n,
    }
