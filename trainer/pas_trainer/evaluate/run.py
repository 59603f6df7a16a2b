"""A run: answers of every arm, then the judge's games, each kept as it comes, so that nothing is paid for twice."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..llm import Answer, Budget, Client, Endpoint, Store, each
from . import arms as ways
from .arms import Sent
from .benchmarks import NONE, Benchmark
from .judging import Match, failed, judge
from .layouts import write_jsonl
from .plan import Plan


class Place(NamedTuple):
    """Where an answer belongs."""

    benchmark: str
    target: str
    arm: str
    id: str


class Asked(NamedTuple):
    """One text that a target is sent; arms that send the same text share the answer."""

    benchmark: str
    target: str
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Replied:
    """What came of it; `seconds` is None where the answer was in the store and nobody noted them."""

    answer: Answer | None
    seconds: float | None
    error: str = ""


class Run:
    """One plan carried out in a folder: `clients` reach its targets and its judge through one store and one budget."""

    def __init__(
        self,
        plan: Plan,
        benchmarks: Sequence[Benchmark],
        store: Store,
        budget: Budget,
        *,
        logged: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> None:
        self.plan, self.benchmarks, self.budget, self.quiet = plan, benchmarks, budget, quiet
        self._logged = logged or {}
        self._questions = {(b.name, q.id): (b, q) for b in benchmarks for q in b.questions}
        self._targets = {name: Client(endpoint, store, budget) for name, endpoint in plan.targets.items()}
        self._judge = Client(plan.judge, store, budget)

    def answers(self, folder: Path) -> list[dict[str, Any]]:
        """Return the rows of `answers.jsonl`, asking for those that are not there yet."""
        sent = self._sent()
        timed = _Timings(folder / "seconds.jsonl")
        replied: dict[Asked, Replied] = {}
        with timed:
            for target, client in self._targets.items():
                asked = dict.fromkeys(Asked(p.benchmark, p.target, p.id, s.text) for p, s in sent.items() if s.text)
                mine = [a for a in asked if a.target == target]
                for done in self._each(mine, lambda a, c=client: timed.ask(c, a), client.endpoint, f"answers {target}"):
                    replied[done.row] = done.value or Replied(None, None, str(done.failure))
        rows = [self._answer_row(place, one, replied) for place, one in sent.items()]
        write_jsonl(folder / "answers.jsonl", rows)
        return rows

    def judgements(self, folder: Path, answers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows of `judgements.jsonl`: two games of each answer, the order swapped."""
        found = {Place(r["benchmark"], r["target"], r["arm"], r["id"]): r for r in answers}
        wordings = {b.name: b.wording for b in self.benchmarks}
        games = [(match, game) for match in self._matches(found) for game in (1, 2)]
        attempts, judged_by = self.plan.judging.attempts, self.plan.judge.model
        # Arms that send the same text have the same answer: it is judged once.
        work = self._each(
            list({_texts(match, game): (match, game) for match, game in games}.values()),
            lambda one: judge(self._judge, wordings[one[0].benchmark], one[0], one[1], attempts),
            self.plan.judge,
            "judge",
        )
        rows = {
            _texts(*done.row): done.value or failed(done.row[0], done.row[1], judged_by, done.failure) for done in work
        }
        ordered = [rows[_texts(match, game)] | match.head(game, judged_by) for match, game in games]
        write_jsonl(folder / "judgements.jsonl", ordered)
        return ordered

    def _each(self, rows: Sequence[Any], work: Any, endpoint: Endpoint, label: str) -> Any:
        return each(rows, work, concurrency=endpoint.concurrency, label=label, budget=self.budget, quiet=self.quiet)

    def _sent(self) -> dict[Place, Sent]:
        """Return what every arm sends; kind `rewrite` asks the target, kind `answers` sends nothing."""
        found: dict[Place, Sent] = {}
        prompts = list(dict.fromkeys(q.prompt for b in self.benchmarks for q in b.questions))
        for arm in self.plan.arms:
            shared = {} if arm.kind == "rewrite" else ways.sent_by(arm, prompts, self._logged, self.quiet)
            for benchmark in self.benchmarks:
                for target in self.plan.targets:
                    mine = self._rewritten(benchmark, target) if arm.kind == "rewrite" else shared
                    place = Place(benchmark.name, target, arm.name, "")
                    found |= {place._replace(id=q.id): mine[q.prompt] for q in benchmark.questions}
        return found

    def _rewritten(self, benchmark: Benchmark, target: str) -> dict[str, Sent]:
        client = self._targets[target]
        work = self._each(
            benchmark.questions,
            lambda q: ways.rewrite(client, benchmark.name, q),
            client.endpoint,
            f"rewriting {target}",
        )
        return {d.row.prompt: d.value or ways.unsent(d.row.prompt, d.failure.reason) for d in work}

    def _answer_row(self, place: Place, sent: Sent, replied: Mapping[Asked, Replied]) -> dict[str, Any]:
        benchmark, question = self._questions[place.benchmark, place.id]
        head: dict[str, Any] = {
            "benchmark": place.benchmark,
            "id": place.id,
            "category": question.category,
            "target": place.target,
        }
        head |= {"arm": place.arm, "prompt": question.prompt, "text": sent.text, "complement": sent.complement}
        head |= {"status": sent.status, "reason": sent.reason, "augment_ms": sent.augment_ms}
        if not sent.text:
            given = benchmark.answers[place.target, place.arm][place.id]
            return head | _answered(given, None, None, None, None, "")
        reply = replied[Asked(place.benchmark, place.target, place.id, sent.text)]
        if reply.answer is None:
            return head | _answered(None, None, None, reply.seconds, None, reply.error)
        read, written = reply.answer.input_tokens, reply.answer.output_tokens
        usd = self.plan.targets[place.target].usd(read, written) + sent.usd
        return head | _answered(
            reply.answer.text, read + sent.prompt_tokens, written, reply.seconds, usd, reply.answer.problem
        )

    def _matches(self, answers: Mapping[Place, Mapping[str, Any]]) -> list[Match]:
        found = []
        for benchmark in self.benchmarks:
            for place, row in answers.items():
                if place.benchmark != benchmark.name or place.arm == benchmark.opponent:
                    continue
                own = benchmark.opponent == NONE
                against = answers[place._replace(arm=NONE)]["answer"] if own else benchmark.baseline[place.id]
                if row["answer"] is not None and against is not None:
                    found.append(
                        Match(
                            *place[:1], place.id, *place[1:3], row["prompt"], row["answer"], benchmark.opponent, against
                        )
                    )
        return found


def _texts(match: Match, game: int) -> tuple[str, str, str, str, int]:
    """Name what a judge is asked."""
    return match.benchmark, match.id, match.answer, match.opponent_answer, game


def _answered(
    answer: str | None,
    prompt_tokens: int | None,
    completion_tokens: int | None,
    seconds: float | None,
    usd: float | None,
    error: str,
) -> dict[str, Any]:
    return {
        "answer": answer,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "seconds": seconds,
        "usd": usd,
        "error": error,
    }


class _Timings:
    """How long each answer took, appended as it comes: the store keeps the answers, not their seconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, float] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").split("\n"):
                # A run that was killed may have left half a line.
                if line.endswith("]"):
                    key, seconds = json.loads(line)
                    self._known[key] = seconds

    def __enter__(self) -> _Timings:
        self._file = self._path.open("a", encoding="utf-8", buffering=1)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def ask(self, client: Client, asked: Asked) -> Replied:
        """Ask, and note the seconds where the answer was not there before."""
        row, messages = f"{asked.benchmark} {asked.id}", [{"role": "user", "content": asked.text}]
        key = f"{asked.target} {row} {client.endpoint.digest(messages)}"
        before = client.has(row, "answer", messages)
        started = time.perf_counter()
        answer = client.ask(row, "answer", messages)
        if not before:
            self._known[key] = round(time.perf_counter() - started, 3)
            self._file.write(json.dumps([key, self._known[key]]) + "\n")
        return Replied(answer, self._known.get(key))
