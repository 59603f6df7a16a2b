"""A generator small enough to be trained and exported in a test: it knows a few pairs by heart."""

import time
from pathlib import Path

from pas_middleware import PAS, ScriptedModel
from pas_middleware.limits import Deadline
from pas_trainer import nano
from pas_trainer.export.checkpoint import read_checkpoint
from pas_trainer.export.directory import Plan, export

SIZE = nano.Size(vocabulary=1536, hidden=128, layers=2, heads=4, kv_heads=2, inner=256)


def known_pairs(count: int = 24) -> list[dict]:
    """Return pairs that PAS applies, so that a model that knows them is seen through every mount."""
    rows = nano.pairs(3 * count)
    complements = {row["prompt"]: row["complement"] for row in rows}
    with PAS(ScriptedModel(complements.__getitem__)) as pas:
        applied = pas.augment_batch([row["prompt"] for row in rows])
    return [row for row, result in zip(rows, applied, strict=True) if result.text.endswith(row["complement"])][:count]


def write_checkpoint(folder: Path) -> Path:
    nano.train(folder, known_pairs(), SIZE, epochs=120)
    return folder


def write_generator(checkpoint: Path, out: Path, **changes: object) -> Path:
    plan = {
        "checkpoint": read_checkpoint(checkpoint, None, out),
        "out": out,
        "precision": "fp32",
        "device": "cpu",
        "name": "toy-generator",
        "version": "1",
        "languages": ("en", "zh"),
        "prompts": 0,
        "equal": 1.0,
        "threads": 1,
    }
    export(Plan(**(plan | changes)))
    return out


def unhurried() -> Deadline:
    return Deadline.after(600_000, time.monotonic)
