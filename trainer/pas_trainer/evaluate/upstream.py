"""A run's answers and judgements in upstream's layouts, so that upstream's own tools can read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..stages import write_json
from .alpaca_files import output_rows
from .benchmarks import Benchmark
from .layouts import answer_row, judgement_row, write_jsonl
from .plan import Plan
from .scores import is_judged
from .style import Style

Row = Mapping[str, Any]


def export(
    folder: Path, plan: Plan, benchmarks: Sequence[Benchmark], answers: Sequence[Row], judgements: Sequence[Row]
) -> None:
    """Write `folder/<benchmark>/model_answer` and `model_judgment`, or AlpacaEval's outputs and annotations."""
    games: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in judgements:
        games[row["benchmark"], row["target"], row["arm"], row["id"]].append(row)
    for benchmark in benchmarks:
        for target in plan.targets:
            for arm in plan.arms:
                place = (benchmark.name, target, arm.name)
                mine = {r["id"]: r["answer"] for r in answers if (r["benchmark"], r["target"], r["arm"]) == place}
                found = {i: a for i, a in mine.items() if a is not None}
                played = {q.id: games[*place, q.id] for q in benchmark.questions if is_judged(games[*place, q.id])}
                write = _alpaca if benchmark.plan.kind == "alpaca_eval" else _arena
                write(folder / benchmark.name, benchmark, f"{target}--{arm.name}", plan.judge.model, found, played)


def _arena(
    folder: Path,
    benchmark: Benchmark,
    model: str,
    judge: str,
    answers: Mapping[str, str],
    played: Mapping[str, Sequence[Row]],
) -> None:
    generation = benchmark.plan.generation
    names = {"judge": judge, "model": model, "baseline": benchmark.opponent}
    asked = [q for q in benchmark.questions if q.id in answers]
    rows = [answer_row(q, model, answers[q.id], _metadata(answers[q.id]), generation) for q in asked]
    write_jsonl(folder / "model_answer" / f"{_file(model)}.jsonl", rows)
    judged = [judgement_row(q, names, played[q.id], generation) for q in asked if q.id in played]
    if judged:
        write_jsonl(folder / "model_judgment" / _file(judge) / f"{_file(model)}.jsonl", judged)


def _alpaca(
    folder: Path,
    benchmark: Benchmark,
    model: str,
    judge: str,
    answers: Mapping[str, str],
    played: Mapping[str, Sequence[Row]],
) -> None:
    (folder / _file(model)).mkdir(parents=True, exist_ok=True)
    write_json(folder / _file(model) / "model_outputs.json", output_rows(benchmark.questions, answers, model))
    rows = [
        {
            "instruction": q.prompt,
            "output_1": benchmark.baseline[q.id],
            "generator_1": benchmark.opponent,
            "dataset": q.category,
            "output_2": answers[q.id],
            "generator_2": model,
            "annotator": judge,
            "preference": 1 + sum(game["preference"] for game in played[q.id]) / 2,
        }
        for q in benchmark.questions
        if q.id in played and q.id in answers
    ]
    write_json(folder / _file(model) / "annotations.json", rows)


def _metadata(answer: str) -> dict[str, Any]:
    style = Style.of(answer)
    return {
        "token_len": style.tokens,
        "header_count": {"all": style.headers},
        "list_count": {"all": style.lists},
        "bold_count": {"all": style.bolds},
    }


def _file(name: str) -> str:
    """Return a model's name as one part of a path."""
    return name.replace("/", "--")
