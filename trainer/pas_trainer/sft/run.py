"""One fine-tune from pairs to checkpoint, in a stage folder that can be gone on with."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..stages import Done, Record, Stage, write_json
from .launch import is_first
from .pairs import Pairs, preferred, read_pairs, split
from .settings import TrainSettings


def train(pairs_file: Path, out: Path, settings: TrainSettings, *, redo: bool = False) -> Mapping[str, Any]:
    """Fine-tune and return the report; a folder that holds the same fine-tune, finished, is left as it is.

    Every process of a distributed launch calls it; the first one writes, the others return an empty report.
    """
    pairs = gather(pairs_file, settings)
    if is_first():
        return stage(pairs_file, settings).run(out, lambda folder: _train(pairs, folder, settings), redo=redo).figures
    before = Record.read(out)
    return {} if before is not None and before.finished else _train(pairs, out, settings).figures


def stage(pairs_file: Path, settings: TrainSettings) -> Stage:
    """Return what a fine-tune is made of: pairs and base by content where they are files, and the settings."""
    base = Path(settings.base)
    inputs: dict[str, str | Path] = {"pairs": pairs_file, "base": base if base.is_dir() else settings.base}
    return Stage("train", inputs, {name: value for name, value in asdict(settings).items() if name != "base"})


def gather(pairs_file: Path, settings: TrainSettings) -> Pairs:
    """Return the pairs that the settings ask for: all, or those with a refused complement beside the kept one."""
    found = split(read_pairs(pairs_file), settings.held_out)
    if settings.objective == "sft":
        return found
    return replace(found, train=preferred(found.train), held_out=preferred(found.held_out, needed=False))


def _train(pairs: Pairs, out: Path, settings: TrainSettings) -> Done:
    # torch and what stands on it, only once the input has been found good.
    from . import base as bases
    from . import finish, fit, held_out, picture

    base = bases.open_base(settings)
    started = time.monotonic()
    trainer = fit.fit(base, pairs, settings, out)
    seconds = time.monotonic() - started
    if not is_first():
        return Done()
    checkpoint = finish.write_checkpoint(base, settings, out)
    log = trainer.state.log_history
    _write_lines(out / "metrics.jsonl", log)
    picture.draw_loss(log, out / "loss.png")
    asked = held_out.choose(pairs.held_out, settings.samples, settings.seed)
    samples = held_out.write_complements(checkpoint, base, asked)
    _write_lines(out / "held_out.jsonl", held_out.records(samples))
    (out / "samples.md").write_text(held_out.page(samples), encoding="utf-8")
    report = _report(trainer, seconds) | {"held_out": held_out.figures(samples)}
    write_json(out / "report.json", report)
    return Done({"train": len(pairs.train), "held_out": len(pairs.held_out)}, pairs.dropped, report)


def _report(trainer: Any, seconds: float) -> dict[str, Any]:
    log = trainer.state.log_history
    tokens = _last(log, "num_tokens")
    return {
        "parameters": trainer.model.num_parameters(),
        "device": str(trainer.args.device),
        "processes": trainer.args.world_size,
        "steps": trainer.state.global_step,
        "seconds": round(seconds, 1),
        "tokens": tokens,
        "tokens_per_second": round(tokens / seconds, 1) if tokens else None,
        "loss": _last(log, "train_loss"),
        "held_out_loss": _last(log, "eval_loss"),
    }


def _last(log: list[dict[str, Any]], key: str) -> float | None:
    return next((float(row[key]) for row in reversed(log) if key in row), None)


def _write_lines(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
