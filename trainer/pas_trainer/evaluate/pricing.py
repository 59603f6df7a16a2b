"""What a run would take, before anything is paid: calls, tokens and money of every target and of the judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..llm import Endpoint, Estimate
from .arms import REWRITE
from .benchmarks import NONE, Benchmark
from .plan import Plan

#: About what a complement or a suffix adds.
ADDED_TOKENS = 40
#: About what a judge writes: a comparison, or one letter.
VERDICT_TOKENS = {"arena": 400, "alpaca": 2}


@dataclass(frozen=True, slots=True)
class Price:
    """What would be asked of each target and of the judge, before what the store has already."""

    targets: Mapping[str, Estimate]
    judge: Estimate

    @property
    def total(self) -> Estimate:
        """Return all of it."""
        return sum(self.targets.values(), self.judge)

    def rows(self) -> list[tuple[str, Estimate]]:
        """Return a line for each target, the judge and all."""
        return [*self.targets.items(), ("judge", self.judge), ("all", self.total)]


def price(plan: Plan, benchmarks: Sequence[Benchmark]) -> Price:
    """Return about what a plan costs, at `expected_tokens` an answer, every verdict read at the first asking."""
    return Price(
        {name: _answers(plan, endpoint, benchmarks) for name, endpoint in plan.targets.items()},
        _judging(plan, benchmarks),
    )


def _answers(plan: Plan, endpoint: Endpoint, benchmarks: Sequence[Benchmark]) -> Estimate:
    prompts = [q.prompt for b in benchmarks for q in b.questions]
    asking = sum(arm.kind != "answers" for arm in plan.arms)
    rewriting = sum(arm.kind == "rewrite" for arm in plan.arms)
    once = endpoint.estimate(_each(prompts), plan.expected_tokens)
    added = ADDED_TOKENS * len(prompts) * sum(arm.kind in ("suffix", "pas", "logged") for arm in plan.arms)
    total = Estimate(0, added, 0, endpoint.usd(added, 0))
    for _ in range(asking):
        total += once
    instruction = endpoint.estimate(_each([f"{REWRITE}{prompt}" for prompt in prompts]), 200)
    for _ in range(rewriting):
        total += instruction
    return total


def _each(prompts: Sequence[str]) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": prompt}] for prompt in prompts]


def _judging(plan: Plan, benchmarks: Sequence[Benchmark]) -> Estimate:
    total = Estimate(0, 0, 0, 0.0)
    for benchmark in benchmarks:
        for arm in plan.arms:
            if arm.name != benchmark.opponent:
                total += _games(plan, benchmark)
    return total


def _games(plan: Plan, benchmark: Benchmark) -> Estimate:
    wording, games = benchmark.wording, 2 * len(plan.targets)
    bare = [wording.messages(q.prompt, benchmark.baseline.get(q.id, ""), "") for q in benchmark.questions]
    written = VERDICT_TOKENS[wording.grammar]
    once = plan.judge.estimate(bare, written)
    answers = plan.expected_tokens * len(bare) * (2 if benchmark.opponent == NONE else 1)
    read = games * (once.input_tokens + answers)
    return Estimate(
        games * len(bare), read, games * len(bare) * written, plan.judge.usd(read, games * len(bare) * written)
    )
