"""The stage `synthesize`: prompts in, pairs and rejected prompts out, every paid answer beside them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..llm import Budget, Client, RowFailed, Store, each
from ..llm.batch import Collector, Filled, Pending, Request, read_answers, write_requests
from ..llm.batch_api import BatchApi
from ..llm.errors import EndpointError
from ..stages import Done, Record, Stage
from .golden import GoldenSet
from .loop import Loop, Outcome
from .messages import to_generate, to_judge
from .prompts import Prompt, read_prompts
from .settings import Synthesis

#: About what an answer has, for an estimate: a complement of 25 words, a verdict with its reason.
_WRITTEN, _SAID = 60, 50


@dataclass(frozen=True, slots=True)
class Means:
    """How the answers are had: online, through the Batch API, or by files; and what may be spent."""

    max_usd: float | None = None
    batch: bool = False
    batch_out: Path | None = None
    batch_in: Path | None = None
    poll_s: float = 30.0
    quiet: bool = False
    say: Callable[[str], object] = str

    @property
    def later(self) -> bool:
        """Tell whether answers come later than they are asked for."""
        return self.batch or self.batch_out is not None or self.batch_in is not None


class Unfinished(RowFailed):
    """Some prompts have no outcome yet; the next run goes on with them."""

    reason = "unfinished"


def answers_file(out: Path) -> Path:
    """Return where the paid answers of an output folder lie: beside it, so that --redo does not pay again."""
    return out.with_name(f"{out.name}-answers.sqlite")


def synthesize(plan: Synthesis, prompts: Path, out: Path, means: Means | None = None, *, redo: bool = False) -> Record:
    """Write pairs.jsonl and rejected.jsonl to a folder; a finished one is left as it is, a half done one goes on.

    Raises ConfigError for other settings than the folder's, Unfinished where answers are still to come.
    """
    means = means or Means()
    golden = plan.golden_set()
    rows = read_prompts(prompts, plan.limit)
    source = prompts / "prompts.parquet" if prompts.is_dir() else prompts
    stage = Stage("synthesize", {"prompts": source}, plan.settings(golden))

    def write(folder: Path) -> Done:
        with Store(answers_file(out)) as store, closing(_Work(plan, golden, rows, store, means)) as work:
            return work.run(folder)

    return stage.run(out, write, redo=redo)


def estimate(plan: Synthesis, prompts: Path, out: Path) -> dict[str, Any]:
    """Return what is left to be asked, and its cost, where every complement is kept at once and where none is."""
    golden = plan.golden_set()
    rows = read_prompts(prompts, plan.limit)
    with Store(answers_file(out)) as store, closing(_Work(plan, golden, rows, store, Means())) as work:
        _, requests = work.collect(rows)
        spent = store.totals()
    left = {request.key.row: request.key.stage for request in requests}
    open_rows = [row for row in rows if row.id in left]
    writes = [row for row in open_rows if left[row.id].startswith("generate/")]
    write = plan.generator.estimate(
        (to_generate(golden, r.prompt, r.category, r.language, (), plan.shots) for r in writes), _WRITTEN
    )
    judge = plan.critic.estimate(
        (to_judge(golden, r.prompt, r.category, r.language, "w " * 100, plan.shots) for r in open_rows), _SAID
    )
    once = write + judge
    most = sum((once for _ in range(plan.rounds - 1)), once)
    return {"prompts": len(rows), "open": len(open_rows), "least": once, "most": most, "spent": spent}


class _Work:
    def __init__(self, plan: Synthesis, golden: GoldenSet, rows: Sequence[Prompt], store: Store, means: Means) -> None:
        self._rows, self._store, self._means = rows, store, means
        self._budget = Budget(store, means.max_usd)
        self._generator = Client(plan.generator, store, self._budget)
        self._critic = Client(plan.critic, store, self._budget)
        self._loop = Loop(plan, golden, self._generator, self._critic)
        self._golden = golden
        self._outcomes: dict[str, Outcome] = {}

    def close(self) -> None:
        """Close the connections."""
        self._generator.close()
        self._critic.close()

    def run(self, folder: Path) -> Done:
        """Bring every prompt to its outcome and write the files."""
        try:
            if self._means.later:
                self._later()
            else:
                self._online()
        finally:
            # Also where the run stops: what is decided can be looked at.
            self._write(folder)
        return self._done()

    def collect(self, rows: Sequence[Prompt]) -> tuple[dict[str, Outcome], list[Request]]:
        """Go as far with each prompt as the stored answers reach; return outcomes by id, and what is to be asked."""
        requests: list[Request] = []
        loop = replace(
            self._loop, generator=Collector(self._generator, requests), critic=Collector(self._critic, requests)
        )
        outcomes = {}
        for row in rows:
            try:
                outcomes[row.id] = loop.run(row)
            except Pending:
                continue
        return outcomes, requests

    def _online(self) -> None:
        self._outcomes, _ = self.collect(self._rows)
        failures: list[RowFailed] = []
        for _ in range(2):  # those that failed once get a second chance before the run ends
            failures = list(self._attempt([row for row in self._rows if row.id not in self._outcomes]))
            if not failures:
                return
        reasons = ", ".join(f"{reason} {count}" for reason, count in Counter(f.reason for f in failures).most_common())
        raise Unfinished(
            f"{len(failures)} of {len(self._rows)} prompts have no answer yet ({reasons}).",
            hint="Run the same again: only they are asked for.",
        )

    def _attempt(self, rows: Sequence[Prompt]) -> Iterator[RowFailed]:
        width = max(self._generator.endpoint.concurrency, self._critic.endpoint.concurrency)
        for done in each(
            rows, self._loop.run, concurrency=width, label="synthesize", budget=self._budget, quiet=self._means.quiet
        ):
            if done.value is not None:
                self._outcomes[done.row.id] = done.value
            elif done.failure is not None:
                yield done.failure

    def _later(self) -> None:
        means = self._means
        if means.batch_in is not None:
            _tell(read_answers(self._generator, means.batch_in), means)
        if means.batch:
            self._through_api()
            return
        self._outcomes, requests = self.collect(self._rows)
        if requests:
            self._hand_out(requests)

    def _through_api(self) -> None:
        means = self._means
        clients = {client.endpoint.base_url: client for client in (self._critic, self._generator)}
        with ExitStack() as stack:
            apis = {
                url: stack.enter_context(closing(BatchApi(client, poll_s=means.poll_s, say=means.say)))
                for url, client in clients.items()
            }
            for api in apis.values():
                api.finish()
            while True:
                self._outcomes, requests = self.collect(self._rows)
                if not requests:
                    return
                for url, api in apis.items():
                    _run(api, [request for request in requests if request.endpoint.base_url == url])

    def _hand_out(self, requests: Sequence[Request]) -> None:
        folder = self._means.batch_out
        hint = "Give --batch-out DIR to have the requests written."
        if folder is not None:
            files = write_requests(self._generator, requests, folder)
            hint = f"Have {', '.join(str(file) for file in files)} answered, then run with --batch-in."
        raise Unfinished(f"{len(requests)} answers are still to come.", hint=hint)

    def _decided(self) -> list[Outcome]:
        # In the order of the prompts: a row that failed shifts no other.
        return [self._outcomes[row.id] for row in self._rows if row.id in self._outcomes]

    def _write(self, folder: Path) -> None:
        decided = self._decided()
        write_rows(folder / "pairs.jsonl", [each.to_dict() for each in decided if not each.why])
        write_rows(folder / "rejected.jsonl", [each.to_dict() for each in decided if each.why])

    def _done(self) -> Done:
        decided = self._decided()
        kept = [outcome for outcome in decided if not outcome.why]
        totals = self._store.totals()
        history = [rejected for outcome in decided for rejected in outcome.rejected]
        known = self._golden.categories
        return Done(
            counts={"prompts": len(self._rows), "kept": len(kept), "left_alone": sum(not k.complement for k in kept)},
            rejected=_counts(outcome.why for outcome in decided if outcome.why),
            figures={
                "rounds": _counts(str(outcome.rounds) for outcome in kept),
                "flaws": _counts(f"{rejected.by}: {rejected.flaw}" for rejected in history),
                "categories": _counts(outcome.prompt.category for outcome in kept),
                "without_examples": _counts(row.category for row in self._rows if row.category not in known),
                "calls": totals.calls,
                "input_tokens": totals.input_tokens,
                "output_tokens": totals.output_tokens,
                "lost_calls": totals.lost,
                "lost_usd_at_most": round(totals.lost_usd, 6),
            },
            usd=round(totals.usd, 6),
        )


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _run(api: BatchApi, requests: Sequence[Request]) -> None:
    if requests and not api.run(requests):
        raise EndpointError(
            f"A batch of {len(requests)} requests brought no answer;",
            hint="look at the endpoint's list of batches, and run again: what was paid for is kept.",
            reason="batch",
        )


def _tell(filled: Filled, means: Means) -> None:
    means.say(f"{filled.kept} answers read, {filled.failed} failed, {filled.unknown} of another run")
    if filled.broken:
        shown = ", ".join(filled.broken[:5])
        means.say(f"{len(filled.broken)} lines are no answers and are still to be asked: {shown}")


def write_rows(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write JSON Lines, whole or not at all."""
    scratch = file.with_name(f".{file.name}")
    scratch.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    scratch.replace(file)
