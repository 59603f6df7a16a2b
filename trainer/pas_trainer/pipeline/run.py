"""The stages of a run, each done once; a run that stops goes on where it stopped."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pas_middleware.errors import ConfigError

from ..curate.run import curate
from ..mini.examples import read_jsonl
from ..sft.run import train
from ..stages import RECORD, Done, Record, Stage, write_json
from ..synthesize.run import Means, synthesize
from ..testing import serve
from ..testing.golden import golden
from . import cards
from .config import Pipeline
from .evaluation import evaluate

Say = Callable[[str], object]


def run(config: Pipeline, say: Say, *, redo: bool = False) -> Record:
    """Do every stage that is not done, write the cards, and return what it came to.

    Raises ConfigError where the folder was made with other settings and `redo` is not asked for; with it, the stages
    that the change concerns are done anew and the others kept.
    """
    stage = Stage("pipeline", {}, config.settings(), holds_stages=True)
    stage.check(config.out, redo=redo)
    config.out.mkdir(parents=True, exist_ok=True)
    wanted = Record(stage.name, {}, json.loads(json.dumps(stage.settings, default=str)), cards.VERSION)
    write_json(config.out / RECORD, asdict(wanted))
    done: dict[str, Record] = {}
    for name, folder in config.folders.items():
        before = Record.read(folder)
        say(f"{name}: {folder}")
        done[name] = _STAGES[name](config, redo)
        kept = before is not None and before.finished and before == done[name]
        say(f"{name}: {'as it was' if kept else _took(done[name])}, {_counts(done[name])}")
    finished = replace(
        wanted,
        finished=True,
        seconds=round(sum(record.seconds for record in done.values()), 2),
        cpu_seconds=round(sum(record.cpu_seconds for record in done.values()), 2),
        counts={name: [0, *record.counts.values()][-1] for name, record in done.items()},
        usd=sum(record.usd for record in done.values()),
    )
    cards.write(config, done)
    write_json(config.out / RECORD, asdict(finished))
    return finished


def _took(record: Record) -> str:
    return f"{record.seconds:,.0f} s ({record.cpu_seconds:,.0f} s of CPU)"


def _counts(record: Record) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in record.counts.items()) or "nothing counted"


def _curate(config: Pipeline, redo: bool) -> Record:
    return curate(config.curate, config.folders["curate"], max_usd=config.max_usd, redo=redo)


def _synthesize(config: Pipeline, redo: bool) -> Record:
    folders = config.folders
    with _teacher(config.scripted_teacher) if config.scripted_teacher else nullcontext():
        return synthesize(config.synthesize, folders["curate"], folders["synthesize"], Means(config.max_usd), redo=redo)


@contextmanager
def _teacher(port: int) -> Iterator[None]:
    try:
        served = serve(golden, port=port)
        served.__enter__()
    except OSError as error:
        raise ConfigError(
            f"The scripted teacher cannot listen on port {port}: {error.strerror};", hint="set another one."
        ) from error
    try:
        yield
    finally:
        served.__exit__(None, None, None)


def _base(config: Pipeline, redo: bool) -> Record:
    pairs, made = config.folders["synthesize"] / "pairs.jsonl", config.base
    assert made is not None  # it has a folder only where it is asked for

    def work(folder: Path) -> Done:
        # torch only now: whatever is refused is refused at once.
        from ..nano import SMALL, pretrain

        rows = list(read_jsonl(pairs))
        prompts, spelt = ([row[name] for row in rows] for name in ("prompt", "complement"))
        shutil.rmtree(folder / "checkpoint", ignore_errors=True)
        loss = pretrain(folder / "checkpoint", prompts, spelt, SMALL, epochs=made.epochs, seed=made.seed)
        return Done({"prompts": len(prompts)}, figures={"loss": loss})

    return Stage("base", {"pairs": pairs}, asdict(made)).run(config.folders["base"], work, redo=redo)


def _train(config: Pipeline, redo: bool) -> Record:
    pairs, out = config.folders["synthesize"] / "pairs.jsonl", config.folders["train"]
    train(pairs, out, config.train, redo=redo)
    record = Record.read(out)
    assert record is not None  # it has just been written
    return record


def _export(config: Pipeline, redo: bool) -> Record:
    checkpoint, wanted = config.folders["train"] / "checkpoint", config.export

    def work(folder: Path) -> Done:
        from ..export.checkpoint import read_checkpoint
        from ..export.directory import EQUAL, Plan, export

        model = folder / "model"
        shutil.rmtree(model, ignore_errors=True)
        plan = Plan(
            checkpoint=read_checkpoint(checkpoint, None, model),
            out=model,
            precision=wanted.precision,
            device=wanted.device,
            name=config.name,
            version=wanted.version,
            languages=wanted.languages,
            prompts=wanted.prompts,
            equal=EQUAL[wanted.precision] if wanted.min_equal is None else wanted.min_equal,
            threads=os.cpu_count() or 1,
        )
        made: dict[str, Any] = export(plan)["made"]
        return Done({"bytes": sum(file.stat().st_size for file in model.iterdir())}, figures=made)

    stage = Stage("export", {"checkpoint": checkpoint}, asdict(wanted) | {"name": config.name})
    return stage.run(config.folders["export"], work, redo=redo)


def _evaluate(config: Pipeline, redo: bool) -> Record:
    model, asked = config.folders["export"] / "model", config.folders["train"] / "held_out.jsonl"
    stage = Stage("evaluate", {"model": model, "prompts": asked}, asdict(config.evaluate))
    return stage.run(
        config.folders["evaluate"], lambda folder: evaluate(model, asked, config.evaluate.prompts, folder), redo=redo
    )


_STAGES: dict[str, Callable[[Pipeline, bool], Record]] = {
    "curate": _curate,
    "synthesize": _synthesize,
    "base": _base,
    "train": _train,
    "export": _export,
    "evaluate": _evaluate,
}
