"""The page on a whole run: its stages, what each left, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..mini.examples import read_jsonl
from ..report import Page, Sample
from ..stages import Record
from ..synthesize.report import outcome

_ORDER = ("curate", "synthesize", "base", "train", "export", "evaluate")
_SAMPLES = 20


def page(folder: Path) -> Page:
    """Return the report of a finished run."""
    record = Record.read(folder)
    assert record is not None  # `pas report` looked
    stages = {name: found for name in _ORDER if (found := Record.read(folder / name)) is not None}
    made = Page(
        f"Run of {record.settings['name']}",
        f"{len(stages)} stages, {record.seconds:,.0f} s ({record.cpu_seconds:,.0f} s of CPU), {record.usd:.2f} USD.",
    )
    _stages(made, stages)
    outcome(made, stages["synthesize"])
    _training(made, folder, stages["train"])
    _figures(made, "Export", "What the graph kept of its checkpoint.", stages["export"].figures)
    _figures(made, "Evaluation", "Held-out prompts, as an application asks them.", stages["evaluate"].figures)
    _complements(made, folder)
    _inputs(made, stages)
    return made


def _stages(made: Page, stages: Mapping[str, Record]) -> None:
    made.section("Stages", "What each stage was given is hashed; one whose inputs and settings are the same is kept.")
    rows = [
        (s.name, s.seconds, s.cpu_seconds, s.usd, _listed(s.counts), _listed(s.rejected), s.key[:12])
        for s in stages.values()
    ]
    made.table(("stage", "seconds", "of CPU", "USD", "counts", "rejected", "key"), rows)


def _training(made: Page, folder: Path, record: Record) -> None:
    made.section("Training", "Loss on the complement alone.")
    log = list(read_jsonl(folder / "train" / "metrics.jsonl"))
    made.figure(_loss(log), "loss over the steps")
    made.table(("figure", "value"), _scalars(record.figures))
    made.table(("held-out complements of the checkpoint", "value"), _scalars(record.figures.get("held_out", {})))


def _loss(log: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(7, 3.5))
    axes = figure.subplots()
    for key, label in (("loss", "trained"), ("eval_loss", "held out")):
        points = [(row["step"], row[key]) for row in log if key in row]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o" if key == "eval_loss" else "", label=label)
    axes.set_xlabel("step")
    axes.set_ylabel("nats a token")
    axes.legend()
    return figure


def _figures(made: Page, title: str, text: str, figures: Mapping[str, Any]) -> None:
    made.section(title, text)
    made.table(("figure", "value"), [*_scalars(figures), *_scalars(figures.get("parity", {}))])


def _complements(made: Page, folder: Path) -> None:
    rows = list(read_jsonl(folder / "evaluate" / "complements.jsonl"))[:_SAMPLES]
    made.section("Complements", "For held-out prompts, by the exported model.")
    notes = [f"{row['category']}: {row['complement'] or '—'} ({row['reason'] or row['status']})" for row in rows]
    samples = [Sample(row["prompt"], note) for row, note in zip(rows, notes, strict=True)]
    made.samples("Prompts and what was added", samples)


def _inputs(made: Page, stages: Mapping[str, Record]) -> None:
    made.section("Inputs and settings")
    made.table(
        ("stage", "input", "sha256"), [(s.name, n, d[:16]) for s in stages.values() for n, d in s.inputs.items()]
    )
    settings = [(s.name, name, str(value)) for s in stages.values() for name, value in s.settings.items()]
    made.table(("stage", "setting", "value"), settings)


def _scalars(values: Any) -> list[tuple[str, Any]]:
    if not isinstance(values, Mapping):
        return []
    return [(name, value) for name, value in values.items() if isinstance(value, int | float | str)]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
