"""From a plan to `scores.json`: the stage `eval`, which resumes, and never pays twice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pas_middleware

from ..llm import Budget, Store
from ..stages import Done, Stage, write_json
from .benchmarks import Benchmark, read_benchmarks
from .layouts import write_jsonl
from .plan import Plan
from .run import Run
from .scores import cells, differences, intrinsic_rows
from .upstream import export

Rows = Sequence[Mapping[str, Any]]
#: The embedded model, whose next version is another arm.
MINI = Path(pas_middleware.__file__).parent / "pas_mini"


def evaluate(
    plan: Plan,
    folder: Path,
    *,
    max_usd: float | None = None,
    redo: bool = False,
    logged: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Carry out a plan in a folder and return its scores; a finished run is read, a broken one goes on.

    The answers paid for lie beside the folder, in `<folder>.sqlite`, and stay there whatever becomes of it.
    """
    benchmarks = read_benchmarks(plan)
    stage = Stage("eval", inputs=_inputs(plan), settings=plan.settings())
    stage.check(folder, redo=redo)

    def work(out: Path) -> Done:
        with Store(folder.with_name(f"{folder.name}.sqlite")) as store:
            run = Run(plan, benchmarks, store, Budget(store, max_usd), logged=logged, quiet=quiet)
            answers = run.answers(out)
            judgements = run.judgements(out, answers)
            totals = store.totals()
        spend = {"usd": totals.usd + totals.lost_usd, "calls": totals.calls}
        write_results(out, plan, benchmarks, answers, judgements, spend)
        problems = {kind: sum(row["problem"] == kind for row in judgements) for kind in ("unparseable", "refused")}
        return Done({"answers": len(answers), "judgements": len(judgements)}, problems, {}, totals.usd)

    stage.run(folder, work)
    found: dict[str, Any] = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    return found


def write_results(
    folder: Path, plan: Plan, benchmarks: Sequence[Benchmark], answers: Rows, judgements: Rows, spend: Mapping[str, Any]
) -> None:
    """Write everything but the answers and judgements themselves: scores, differences, and upstream's layouts."""
    write_json(folder / "plan.json", _head(plan, benchmarks))
    found = [
        row
        for benchmark in benchmarks
        for target in plan.targets
        for row in differences(benchmark, _of(answers, benchmark.name, target), _of(judgements, benchmark.name, target))
    ]
    write_jsonl(folder / "differences.jsonl", found)
    export(folder / "upstream", plan, benchmarks, answers, judgements)
    write_json(folder / "scores.json", scores_of(plan, benchmarks, answers, judgements) | {"spend": spend})


def scores_of(
    plan: Plan,
    benchmarks: Sequence[Benchmark],
    answers: Rows,
    judgements: Rows,
) -> dict[str, Any]:
    """Return the content of `scores.json`."""
    found = []
    for benchmark in benchmarks:
        for target in plan.targets:
            mine = _of(answers, benchmark.name, target)
            found += cells(benchmark, target, mine, _of(judgements, benchmark.name, target))
    return _head(plan, benchmarks) | {
        "cells": found,
        "intrinsic": intrinsic_rows(
            [arm.name for arm in plan.arms if arm.kind in ("pas", "suffix", "logged")], answers
        ),
    }


def _head(plan: Plan, benchmarks: Sequence[Benchmark]) -> dict[str, Any]:
    ours = not (plan.judging.arena_prompt or plan.judging.alpaca_prompt)
    first = next(iter(plan.targets.values()))
    return {
        "name": plan.name,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": pas_middleware.__version__,
        "judge": {"model": plan.judge.model, "prompt": "ours" if ours else "upstream's"},
        "decoding": {"temperature": first.temperature, "max_tokens": first.max_tokens},
        "targets": list(plan.targets),
        "arms": [{"name": arm.name, "kind": arm.kind} for arm in plan.arms],
        "benchmarks": [
            {"name": b.name, "kind": b.plan.kind, "questions": len(b.questions), "baseline": b.opponent}
            for b in benchmarks
        ],
    }


def _of(rows: Rows, benchmark: str, target: str) -> list[Mapping[str, Any]]:
    return [row for row in rows if (row["benchmark"], row["target"]) == (benchmark, target)]


def _inputs(plan: Plan) -> dict[str, str | Path]:
    files = {
        f"{b.name} {key}": getattr(b, key) for b in plan.benchmarks for key in ("questions", "baseline", "controls")
    }
    models = {f"{arm.name} model": f"{arm.model or MINI}/manifest.json" for arm in plan.arms if arm.kind == "pas"}
    answers = {
        f"{arm.name} {benchmark.name} {target}": arm.path_of(benchmark.name, target)
        for arm in plan.arms
        if arm.kind == "answers"
        for benchmark in plan.benchmarks
        for target in plan.targets
    }
    return {name: Path(path) for name, path in (files | models | answers).items() if path}
