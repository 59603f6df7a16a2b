"""What the exported model does with prompts that it was not trained on: the scores that need no LLM."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pas_middleware import PAS, Augmentation, Settings
from pas_middleware.language import detect
from pas_middleware.words import count_words

from ..mini.examples import read_jsonl
from ..stages import Done


def evaluate(model: Path, asked: Path, count: int, out: Path) -> Done:
    """Ask an exported model held-out prompts as an application would, keep the answers, and return the figures."""
    rows = list(read_jsonl(asked))[:count]
    with PAS.load(model, settings=Settings(deadline_ms=60_000, cache_entries=0)) as pas:
        found = [pas.augment(row["prompt"]) for row in tqdm(rows, desc="asking the model", unit="prompt")]
    lines = [_line(row, augmentation) for row, augmentation in zip(rows, found, strict=True)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (out / "complements.jsonl").write_text(text, encoding="utf-8")
    applied = [augmentation for augmentation in found if augmentation.status == "applied"]
    return Done({"prompts": len(rows), "applied": len(applied)}, _reasons(found), figures(applied, len(rows)))


def _line(row: dict[str, Any], found: Augmentation) -> dict[str, Any]:
    kept = {name: row[name] for name in ("prompt", "category", "language")}
    return kept | {"complement": found.complement, "status": found.status, "reason": found.reason}


def _reasons(found: Sequence[Augmentation]) -> dict[str, int]:
    return dict(Counter(augmentation.reason for augmentation in found if augmentation.status != "applied"))


def figures(applied: Sequence[Augmentation], asked: int) -> dict[str, float | None]:
    """Return the share applied, and of these length, language, variety and time."""
    if not applied:
        return {"applied": 0.0 if asked else None}
    complements = [augmentation.complement for augmentation in applied]
    same = [detect(augmentation.complement) == detect(augmentation.prompt) for augmentation in applied]
    return {
        "applied": round(len(applied) / asked, 4),
        "words": round(float(np.mean([count_words(text) for text in complements])), 2),
        "same_language": round(float(np.mean(same)), 4),
        "distinct": round(len(set(complements)) / len(complements), 4),
        "ms_p50": round(float(np.median([augmentation.elapsed_ms for augmentation in applied])), 1),
    }
