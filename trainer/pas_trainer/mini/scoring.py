"""Scores of labelled prompts by an exported graph, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pas_middleware.models.base import Request
from pas_middleware.models.selector import Bank, Decision, softmax
from pas_middleware.models.session import CpuSession
from pas_middleware.models.tokenizer import EncoderTokenizer

from ..batching import batches, processors
from .embedded import MAX_TOKENS, TAIL_TOKENS
from .examples import Example

Floats = NDArray[np.float32]
_OUTPUTS = ("intents", "categories", "gate")


@dataclass(frozen=True, slots=True)
class Scored:
    """Examples of one language with the logits of the three heads, one row each."""

    examples: tuple[Example, ...]
    intents: Floats
    categories: Floats
    gate: Floats

    def where(self, keep: Sequence[bool]) -> Scored:
        """Return the rows that are kept."""
        mask = np.array(keep, dtype=bool)
        kept = tuple(e for e, k in zip(self.examples, keep, strict=True) if k)
        return Scored(kept, self.intents[mask], self.categories[mask], self.gate[mask])

    def of(self, language: str, kind: str = "", split: str = "") -> Scored:
        """Return the rows of a language, and of a kind and a split where they are named."""
        return self.where(
            [e.language == language and kind in ("", e.kind) and split in ("", e.split) for e in self.examples]
        )

    def acceptable(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Tell for each row whether the first intent is the label or one that also fits."""
        best = self.intents.argmax(1)
        return np.array([names[b] in (e.intent, *e.also) for b, e in zip(best, self.examples, strict=True)], dtype=bool)

    def decisions(self, bank: Bank) -> list[Decision]:
        """Return what the selector would decide for each row."""
        return [
            bank.decide(Request(e.prompt, e.language), i, c, float(g))
            for e, i, c, g in zip(self.examples, self.intents, self.categories, self.gate, strict=True)
        ]


def score(graph: Path, tokenizer: Path, examples: Sequence[Example]) -> Scored:
    """Run a graph over examples, the shortest first."""
    encoder = EncoderTokenizer(tokenizer, max_tokens=MAX_TOKENS, tail_tokens=TAIL_TOKENS)
    session = CpuSession(graph, processors())
    parts: list[list[Floats]] = []
    ordered: list[Example] = []
    # By tokens: a Chinese character is one, an English word of ten letters, too.
    for places in batches([len(encoder.ids(example.prompt)) for example in examples]):
        part = [examples[place] for place in places]
        ids, mask = encoder.batch([example.prompt for example in part])
        parts.append(session.run(_OUTPUTS, {"input_ids": ids, "attention_mask": mask}))
        ordered += part
    intents, categories, gate = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Scored(tuple(ordered), intents, categories, gate)


def category_scores(scored: Scored, bank: Bank, temperature: float) -> Floats:
    """Return category probabilities as the selector mixes them: its own head and the sum over intents."""
    onto = np.zeros((len(bank.intents), len(bank.categories)), dtype=np.float32)
    for row, intent in enumerate(bank.intents):
        onto[row, bank.categories.index(intent.category)] = 1.0
    own, summed = softmax(scored.categories, temperature), softmax(scored.intents, temperature) @ onto
    return ((own + summed) / 2).astype(np.float32)
