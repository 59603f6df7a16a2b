"""The questions of a run with what they are compared with, and the answers of other tools: read and checked first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .alpaca import Controls
from .alpaca_files import check_same, read_outputs
from .judging import Wording
from .layouts import Question, align, read_answers, read_questions
from .plan import Arm, BenchmarkPlan, JudgePlan, Plan

#: What one's own questions are compared with.
NONE = "none"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark that was read: `baseline` is the answers that all arms are compared with, empty for one's own."""

    plan: BenchmarkPlan
    questions: tuple[Question, ...]
    baseline: Mapping[str, str]
    opponent: str
    wording: Wording
    controls: Controls | None = None
    answers: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return its name in the configuration."""
        return self.plan.name

    @property
    def places(self) -> dict[str, int]:
        """Return each question's place in its file."""
        return {question.id: place for place, question in enumerate(self.questions)}


def read_benchmarks(plan: Plan) -> list[Benchmark]:
    """Read every benchmark and every file of answers; raises InputError before anything is paid for."""
    return [_read(benchmark, plan) for benchmark in plan.benchmarks]


def _read(benchmark: BenchmarkPlan, plan: Plan) -> Benchmark:
    questions, baseline = _questions(benchmark)
    questions = questions[: plan.limit] if plan.limit else questions
    if benchmark.kind != "own":
        align(questions, baseline, benchmark.baseline)
    opponent = NONE if benchmark.kind == "own" else Path(benchmark.baseline).stem
    return Benchmark(
        benchmark,
        tuple(questions),
        baseline,
        opponent,
        _wording(benchmark, plan.judging),
        Controls.read(Path(benchmark.controls)) if benchmark.controls else None,
        {
            (target, arm.name): _answers(arm, target, benchmark, questions)
            for target in plan.targets
            for arm in plan.arms
            if arm.kind == "answers"
        },
    )


def _questions(benchmark: BenchmarkPlan) -> tuple[list[Question], Mapping[str, str]]:
    if benchmark.kind == "alpaca_eval":
        return read_outputs(Path(benchmark.baseline))
    questions = read_questions(Path(benchmark.questions))
    return questions, read_answers(Path(benchmark.baseline)) if benchmark.kind == "arena_hard" else {}


def _answers(arm: Arm, target: str, benchmark: BenchmarkPlan, questions: list[Question]) -> Mapping[str, str]:
    path = Path(arm.path_of(benchmark.name, target))
    if benchmark.kind == "alpaca_eval":
        theirs, answers = read_outputs(path)
        check_same(questions, theirs[: len(questions)], path)
    else:
        answers = dict(read_answers(path))
    align(questions, answers, f"{path} (arm {arm.name})")
    return answers


def _wording(benchmark: BenchmarkPlan, judging: JudgePlan) -> Wording:
    if benchmark.kind == "alpaca_eval":
        return Wording.of("alpaca", path=judging.alpaca_prompt)
    return Wording.of("arena", benchmark.generation, judging.arena_prompt)
