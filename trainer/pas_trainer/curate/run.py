"""The whole curation, step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pas_middleware.errors import ConfigError

from ..llm import Endpoint, Store
from ..stages import Done, Record, Stage
from . import benchmark, cleaning, distil, embedding, judge, near, quality, reading, selection, semantic
from .embedding import Embedded
from .engine import Engine, Local
from .pairs import Pairs, remove_crowded, remove_duplicates
from .shards import name_of
from .table import Outcome, Rejects, split, texts, with_column, write_table

STEPS, CACHE, ANSWERS = "steps", "cache", "answers.sqlite"
VECTORS = "vectors.npy"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Similarities from which a prompt counts as a copy: of words, of letters, of vectors.

    Of prompts nearer than `crowd` to each other `per_cluster` stay; `benchmark` is for decontamination.
    """

    near: float = 0.9
    letters: float = 0.75
    semantic: float = 0.93
    crowd: float = 0.8
    per_cluster: int = 5
    benchmark: float = 0.8


@dataclass(frozen=True, slots=True)
class Judging:
    """An LLM that scores: all prompts, or `sample` of them for the local scorer to learn from."""

    endpoint: Endpoint
    sample: int = 0

    def settings(self) -> dict[str, Any]:
        """Return what changes the scores; speed and price do not."""
        endpoint = self.endpoint
        return {"model": endpoint.model, "base_url": endpoint.base_url, "sample": self.sample}


@dataclass(frozen=True, slots=True)
class Curation:
    """Everything that decides what comes out.

    `benchmarks` are files whose prompts must not be kept; `least` is the lowest quality, from 0 to 10.
    """

    reading: reading.Reading
    cleaning: cleaning.Cleaning = field(default_factory=cleaning.Cleaning)
    benchmarks: tuple[str, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    encoder: str = ""
    judging: Judging | None = None
    categories: Literal["mini", "llm"] = "mini"
    least: float = 4.0
    count: int = 9000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigError(f"count is {self.count};", hint="give 1 or more.")
        if self.categories == "llm" and (self.judging is None or self.judging.sample):
            raise ConfigError(
                "Categories by the LLM need its verdict on every prompt;", hint="give --judge, without --judge-sample."
            )

    def stage(self) -> Stage:
        """Return the stage of it all, its sources known by their content; a dataset on the hub by its name."""
        settings = asdict(self) | {"judging": self.judging.settings() if self.judging else None}
        for name in ("reading", "benchmarks"):
            del settings[name]
        settings["reading"] = {k: v for k, v in asdict(self.reading).items() if k != "sources"}
        inputs = {source: reading.digest(source) for source in (*self.reading.sources, *self.benchmarks)}
        return Stage("curate", inputs, settings, holds_stages=True)


def curate(
    curation: Curation, out: Path, *, engine: Engine | None = None, max_usd: float | None = None, redo: bool = False
) -> Record:
    """Write the curated prompts and every rejected one with its reason; finished steps are read again, not done.

    Raises ConfigError for unusable sources, settings or folders, EndpointError and BudgetReached from the LLM.
    """
    return curation.stage().run(
        out, lambda folder: _Run(curation, folder, engine or Local(), max_usd).done(), redo=redo
    )


class _Run:
    """One run over one folder: each step reads what the one before kept."""

    def __init__(self, curation: Curation, folder: Path, engine: Engine, max_usd: float | None) -> None:
        self._curation, self._folder, self._engine, self._max_usd = curation, folder, engine, max_usd
        self._cache = folder / CACHE
        self._gone: list[Path] = []
        self._records: list[Record] = []
        self._key = ""

    def done(self) -> Done:
        """Do every step, write what comes out, and sum it up."""
        c, settings = self._curation, self._curation.stage()
        sources = {source: settings.inputs[source] for source in c.reading.sources}
        guarded = {name: settings.inputs[name] for name in c.benchmarks}
        table = self._step("read", [settings.settings["reading"], sources], lambda: reading.read(c.reading))
        table = self._step("clean", asdict(c.cleaning), lambda: cleaning.clean(table, c.cleaning, self._engine))
        table = self._step("exact", asdict(c.cleaning), lambda: cleaning.equal_ones(table, c.cleaning, self._engine))
        table = self._step("decontaminate", [guarded, c.thresholds.benchmark], lambda: self._decontaminate(table))
        table = self._step("near", c.thresholds.near, lambda: self._near(table))
        before, embedded = table, embedding.embed(table, c.encoder, self._cache, self._engine)
        meaning = [c.encoder, asdict(c.thresholds)]
        table = self._step("semantic", meaning, lambda: self._semantic(before, embedded))
        kept = embedded.take(_places(table, before))
        judged = [c.judging.settings() if c.judging else None, c.categories, c.least, c.seed]
        rated = self._step("quality", judged, lambda: self._quality(table, kept))
        vectors = kept.vectors[_places(rated, table)]
        final = self._step("select", [c.count, c.seed], lambda: selection.select(rated, vectors, c.count, c.seed))
        return self._finish(final, vectors[_places(final, rated)])

    def _step(self, name: str, settings: Any, work: Callable[[], Outcome]) -> pa.Table:
        folder = self._folder / STEPS / f"{len(self._records) + 1}-{name}"
        # What is to be done anew was settled for the whole; here a step whose input or settings changed just is.
        stage = Stage(name, {"before": self._key}, {"of": settings})
        record = stage.run(folder, lambda place: _keep(work(), place), redo=True)
        self._key = record.key
        self._records.append(record)
        self._gone.append(folder / "rejected.parquet")
        return pq.read_table(folder / "prompts.parquet")

    def _decontaminate(self, table: pa.Table) -> Outcome:
        questions = list(benchmark.questions(self._curation.benchmarks))
        return near.contaminated(table, questions, self._curation.thresholds.benchmark, self._engine)

    def _near(self, table: pa.Table) -> Outcome:
        prompts, rejects = texts(table), Rejects()
        signed = near.signatures(table, near.words, self._engine)
        pairs = near.near_pairs(prompts, signed, near.words, self._curation.thresholds.near)
        remove_duplicates(rejects, pairs, prompts, "near_duplicate")
        return split(table, rejects, "near")

    def _semantic(self, table: pa.Table, embedded: Embedded) -> Outcome:
        limits, prompts, rejects = self._curation.thresholds, texts(table), Rejects()
        blind = np.flatnonzero(~embedded.reads)
        unread = table.take(pa.array(blind))
        signed = near.signatures(unread, near.letters, self._engine, "letters")
        found = near.near_pairs(texts(unread), signed, near.letters, limits.letters)
        spelled = Pairs(blind[found.later], blind[found.earlier], found.similarity)
        remove_duplicates(rejects, spelled, prompts, "letters_duplicate")
        meant = self._neighbours(table, embedded)
        remove_duplicates(rejects, meant.at(limits.semantic), prompts, "semantic_duplicate")
        remove_crowded(rejects, meant.at(limits.crowd), limits.per_cluster)
        return split(table, rejects, "semantic", read_by_letters=len(blind))

    def _neighbours(self, table: pa.Table, embedded: Embedded) -> Pairs:
        """Return the pairs by vectors, from the cache where they were found before: thresholds come after."""
        file = self._cache / f"{name_of(texts(table), f'neighbours {self._curation.encoder}')}.parquet"
        if not file.exists():
            places = np.flatnonzero(embedded.reads)
            write_table(file, semantic.neighbours(embedded.vectors[places], places).table())
        return Pairs.of(pq.read_table(file))

    def _quality(self, table: pa.Table, embedded: Embedded) -> Outcome:
        found = quality.signals(table, self._cache, self._engine)
        table = with_column(table, "category", found.column("category"))
        rule = quality.by_rule(found)
        if self._curation.judging is None:
            return quality.good_ones(table, rule, self._curation.least)
        return self._judged(table, embedded, found, self._curation.judging)

    def _judged(self, table: pa.Table, embedded: Embedded, found: pa.Table, judging: Judging) -> Outcome:
        prompts = texts(table)
        asked = _sample(len(prompts), judging.sample, self._curation.seed)
        with Store(self._folder / ANSWERS) as store:
            verdicts = judge.by_llm([prompts[i] for i in asked], judging.endpoint, store, self._max_usd)
        scores = np.full(len(prompts), np.nan, np.float32)
        scores[asked] = verdicts.scores
        why = dict(zip(asked.tolist(), verdicts.why, strict=True))
        figures = _agreement(verdicts, table, asked, quality.by_rule(found)[asked])
        if judging.sample:
            scores, learnt = distil.distil(distil.features(embedded, found), scores, self._curation.seed)
            figures |= learnt
        if self._curation.categories == "llm":
            table = with_column(table, "category", verdicts.categories)
        outcome = quality.good_ones(table, scores, self._curation.least, [why.get(i, "") for i in range(len(prompts))])
        return Outcome(outcome.kept, outcome.rejected, figures, verdicts.usd)

    def _finish(self, final: pa.Table, vectors: embedding.Vectors) -> Done:
        write_table(self._folder / "prompts.parquet", final)
        write_table(self._folder / "rejected.parquet", pa.concat_tables([pq.read_table(file) for file in self._gone]))
        np.save(self._folder / VECTORS, vectors)
        rejected: Counter[str] = Counter()
        for record in self._records:
            rejected.update(record.rejected)
        funnel = {record.name: record.counts["kept"] for record in self._records}
        figures: Mapping[str, Any] = {record.name: record.figures for record in self._records if record.figures}
        return Done(funnel, dict(rejected), figures, sum(record.usd for record in self._records))


def _keep(outcome: Outcome, folder: Path) -> Done:
    write_table(folder / "prompts.parquet", outcome.kept)
    write_table(folder / "rejected.parquet", outcome.rejected)
    reasons = Counter(outcome.rejected.column("reason").to_pylist())
    return Done({"kept": len(outcome.kept)}, dict(reasons), outcome.figures, outcome.usd)


def _places(table: pa.Table, before: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return where the rows of a table stood in the one before."""
    places = {name: place for place, name in enumerate(before.column("id").to_pylist())}
    return np.array([places[name] for name in table.column("id").to_pylist()], np.int64)


def _sample(count: int, wanted: int, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    if not wanted or wanted >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, wanted, replace=False))


def _agreement(verdicts: judge.Judged, table: pa.Table, asked: Any, rule: quality.Scores) -> dict[str, Any]:
    """Return how far the LLM agrees with the rule on quality, and with pas-mini on the category."""
    ours = [table.column("category")[i].as_py() for i in asked.tolist()]
    both = [mine == theirs for mine, theirs in zip(ours, verdicts.categories, strict=True) if theirs]
    return {
        "asked": len(asked),
        "rank_correlation_with_rule": quality.rank_correlation(rule, verdicts.scores),
        "same_category": round(sum(both) / len(both), 3) if both else None,
    }
