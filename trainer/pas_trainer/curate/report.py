"""The page on a curation: what went where, what is left, and how it looks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..report import Page, Sample, bars
from ..stages import Record, records
from . import pictures
from .run import STEPS, VECTORS
from .table import texts

_SAMPLES = 8


def page(folder: Path) -> Page:
    """Return the report of a finished curation."""
    record = Record.read(folder)
    assert record is not None  # `pas report` looked
    kept, gone = pq.read_table(folder / "prompts.parquet"), pq.read_table(folder / "rejected.parquet")
    steps = [step for _, step in sorted(records(folder / STEPS), key=lambda found: _number(found[0]))]
    # Rows that could not be read have been counted nowhere else.
    raw = steps[0].counts["kept"] + sum(steps[0].rejected.values())
    made = Page("Curation of prompts", f"{raw:,} rows read, {len(kept):,} prompts selected, {record.usd:.2f} USD.")
    _funnel(made, raw, steps)
    _distribution(made, kept, record)
    _histograms(made, kept)
    _map(made, kept, np.load(folder / VECTORS))
    _samples(made, kept, gone)
    made.section("Settings")
    made.table(("setting", "value"), [(name, str(value)) for name, value in record.settings.items()])
    made.table(("source", "sha256"), list(record.inputs.items()))
    return made


def _number(folder: Path) -> int:
    return int(folder.name.split("-")[0])


def _funnel(made: Page, raw: int, steps: list[Record]) -> None:
    made.section("Funnel", "What each step kept of what the one before left, and why the rest went.")
    kept = {"raw": raw} | {step.name: step.counts["kept"] for step in steps}
    made.figure(bars(kept, "prompts"), "prompts left after each step")
    rows = [
        (step.name, step.counts["kept"], sum(step.rejected.values()), _listed(step.rejected), step.seconds, step.usd)
        for step in steps
    ]
    made.table(("step", "kept", "removed", "why", "seconds", "USD"), rows)
    figures = [(step.name, name, str(value)) for step in steps[:-1] for name, value in step.figures.items()]
    made.table(("step", "figure", "value"), figures)


def _listed(counts: Any) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))


def _distribution(made: Page, kept: pa.Table, record: Record) -> None:
    made.section("Categories and languages")
    cells = Counter(zip(kept.column("category").to_pylist(), kept.column("language").to_pylist(), strict=True))
    languages = sorted({language for _, language in cells})
    categories = sorted({category for category, _ in cells}, key=lambda c: -sum(cells[c, la] for la in languages))
    made.figure(pictures.distribution(cells, categories, languages), "selected prompts by category and language")
    made.table(("category", *languages), [(c, *(cells[c, la] for la in languages)) for c in categories])
    short = record.figures["select"]["short"]
    if short:
        share = record.figures["select"]["even_share"]
        made.text(f"An even share is {share:,}; these had fewer good prompts and were filled from the others, evenly:")
        made.table(("category/language", "prompts"), list(short.items()))


def _histograms(made: Page, kept: pa.Table) -> None:
    made.section("Length and quality")
    lengths: NDArray[np.int64] = np.array([len(text) for text in texts(kept)], np.int64)
    quality = kept.column("quality").to_numpy()
    languages = np.array(kept.column("language").to_pylist())
    made.figure(pictures.histograms(lengths, quality, languages), "histograms of length and quality by language")


def _map(made: Page, kept: pa.Table, vectors: NDArray[np.float16]) -> None:
    made.section("Map", "Each dot a selected prompt, near ones alike (t-SNE of the sentence vectors, a sample).")
    figure = pictures.embedding_map(
        vectors.astype(np.float32),
        np.array(kept.column("category").to_pylist()),
        np.array(kept.column("language").to_pylist()),
    )
    made.figure(figure, "two-dimensional map of the selected prompts, a colour for each category", form="png")


def _samples(made: Page, kept: pa.Table, gone: pa.Table) -> None:
    made.section("Samples")
    chosen = np.linspace(0, len(kept) - 1, min(len(kept), 3 * _SAMPLES)).astype(int).tolist()
    rows = kept.take(pa.array(chosen)).to_pylist()
    made.samples(
        f"Kept ({len(kept):,})",
        [Sample(r["prompt"], f"{r['category']}, {r['language']}, quality {r['quality']:.1f}") for r in rows],
    )
    reasons = np.array(gone.column("reason").to_pylist())
    ids = {name: place for place, name in enumerate(kept.column("id").to_pylist())}
    for reason in sorted(set(reasons.tolist())):
        places = np.flatnonzero(reasons == reason)
        taken = places[np.linspace(0, len(places) - 1, min(len(places), _SAMPLES)).astype(int)]
        samples = [_rejected(row, kept, ids) for row in gone.take(pa.array(taken)).to_pylist()]
        made.samples(f"{reason} ({len(places):,})", samples)


def _rejected(row: dict[str, Any], kept: pa.Table, ids: dict[str, int]) -> Sample:
    twin = row["duplicate_of"]
    if twin is None:
        return Sample(row["prompt"], row["detail"] or "")
    said = f"{row['similarity']:.2f} near {twin}"
    return Sample(row["prompt"], f"{said}: {kept.column('prompt')[ids[twin]].as_py()}" if twin in ids else said)
