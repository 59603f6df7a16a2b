"""What a checkpoint writes for prompts that it was not trained on, and how much of it holds."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM

from pas_middleware import guard
from pas_middleware.errors import GuardRejected
from pas_middleware.language import detect
from pas_middleware.words import count_words

from .base import Base, bf16_here
from .pairs import MAX_WORDS, Pair

_BATCH = 16
_NEW_TOKENS = 96


@dataclass(frozen=True, slots=True)
class Sample:
    """What was written for a prompt; `verdict` is the guard's reason, "" where it passes, "abstained" for nothing."""

    prompt: str
    category: str
    language: str
    reference: str
    complement: str
    verdict: str

    @property
    def applied(self) -> bool:
        """Tell whether the complement would be added to the prompt."""
        return not self.verdict


def write_complements(checkpoint: Path, base: Base, pairs: Sequence[Pair]) -> list[Sample]:
    """Write a complement for each prompt, greedily, many at once; progress is shown."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if bf16_here() else torch.float32
    model: Any = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=dtype)
    model = model.to(device).eval()
    # Prompts of like length stand together, so that little is padded.
    ranked = sorted(range(len(pairs)), key=lambda place: len(pairs[place].prompt))
    found: dict[int, Sample] = {}
    with tqdm(total=len(pairs), desc="writing for held-out prompts", unit="prompt") as bar:
        for start in range(0, len(ranked), _BATCH):
            places = ranked[start : start + _BATCH]
            texts = _generate(model, base, [pairs[place].prompt for place in places], device)
            found |= {place: _sample(pairs[place], text) for place, text in zip(places, texts, strict=True)}
            bar.update(len(places))
    return [found[place] for place in range(len(pairs))]


def _generate(model: Any, base: Base, prompts: Sequence[str], device: str) -> list[str]:
    rows = [base.before(prompt) for prompt in prompts]
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[base.end] * (longest - len(row)) + row for row in rows], device=device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device)
    with torch.inference_mode():
        out = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=_NEW_TOKENS,
            do_sample=False,
            eos_token_id=base.end,
            pad_token_id=base.end,
        )
    return [base.splicing.decode(row[longest:].tolist()).strip() for row in out]


def _sample(pair: Pair, text: str) -> Sample:
    verdict, kept = "abstained" if not text else "", text
    if text:
        try:
            kept = guard.check(text, pair.prompt, max_words=MAX_WORDS, prompt_language=pair.language)
        except GuardRejected as refused:
            verdict = refused.reason
    return Sample(pair.prompt, pair.category, pair.language, pair.complement, kept, verdict)


def figures(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return the shares that pass the guard, fit the length, keep the language and agree on what is left alone."""
    if not samples:
        return {"prompts": 0}
    written = [sample for sample in samples if sample.complement]
    reasons = sorted({sample.verdict for sample in samples if sample.verdict})
    return {
        "prompts": len(samples),
        "valid": _share(sample.applied for sample in written),
        "refused": {name: sum(sample.verdict == name for sample in samples) for name in reasons},
        "within_30_words": _share(count_words(sample.complement) <= MAX_WORDS for sample in written),
        "words": _mean(count_words(sample.complement) for sample in written),
        "words_of_references": _mean(count_words(sample.reference) for sample in samples if sample.reference),
        "same_language": _share(detect(sample.complement) == sample.language for sample in written),
        "agree_to_abstain": _share(not sample.complement for sample in samples if not sample.reference),
        "abstain_wrongly": _share(not sample.complement for sample in samples if sample.reference),
        "distinct": len({sample.complement for sample in written}),
        "by_category": _by_category(samples),
    }


def _by_category(samples: Sequence[Sample]) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.category or "none"].append(sample)
    return {
        name: {"prompts": len(group), "valid": _share(sample.applied for sample in group if sample.complement)}
        for name, group in sorted(groups.items())
    }


def _share(values: Any) -> float | None:
    return _mean(float(value) for value in values)


def _mean(values: Any) -> float | None:
    found = list(values)
    return round(float(np.mean(found)), 4) if found else None


def records(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return the samples as rows of JSON Lines."""
    return [asdict(sample) for sample in samples]


def choose(pairs: Sequence[Pair], count: int, seed: int) -> list[Pair]:
    """Return at most `count` held-out pairs, the categories in turn, so that each is seen."""
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in random.Random(seed).sample(list(pairs), len(pairs)):
        groups[pair.category].append(pair)
    turns = [pair for place in range(len(pairs)) for group in groups.values() for pair in group[place : place + 1]]
    return turns[:count]


def page(samples: Sequence[Sample], each: int = 2) -> str:
    """Return samples of every category as Markdown."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.category or "none"].append(sample)
    lines = ["# Complements for held-out prompts", ""]
    for name, group in sorted(groups.items()):
        lines += [f"## {name}", ""]
        for sample in group[:each]:
            lines += [f"- {_one_line(sample.prompt)}", f"  → {_one_line(sample.complement) or '(left alone)'}"]
            lines += [f"  refused: {sample.verdict}"] if sample.verdict not in ("", "abstained") else []
        lines.append("")
    return "\n".join(lines)


def _one_line(text: str, most: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}…"
