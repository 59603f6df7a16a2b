"""Temperature and thresholds, chosen on prompts that neither trained nor are reported on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pas_middleware.models.selector import Bank, Thresholds, softmax

from .scoring import Floats, Scored, category_scores

#: Shares of right decisions wanted above each threshold, less a standard error: an intent's safe variant, its pointed
#: ones, a category.
PRECISION = {"intent": 0.85, "pointed": 0.92, "category": 0.95}
#: Of the prompts that need a complement, at most this share may be stopped by the gate.
GATE_LOSS = 0.02
SKIP = 0.5


def threshold_for(confidence: Floats, right: NDArray[np.bool_], precision: float) -> float:
    """Return the lowest confidence above which the share of right decisions, less its standard error, is a precision.

    The share itself would be too good: of many thresholds the luckiest would be taken. Ten decisions are the least that
    count; where no threshold suffices, 0.99.
    """
    order = np.argsort(-confidence)
    counts = np.arange(1, len(order) + 1)
    shares = np.cumsum(right[order]) / counts
    surely = shares - np.sqrt(shares * (1 - shares) / counts)
    enough = np.flatnonzero((surely >= precision) & (counts >= 10))
    return float(confidence[order[enough[-1]]]) if len(enough) else 0.99


def temperature_of(scored: Scored, names: list[str]) -> float:
    """Return the softmax temperature that gives the acceptable intents of labelled prompts the most likelihood."""
    named = scored.where([bool(e.intent) for e in scored.examples])
    fits = np.array([[n in (e.intent, *e.also) for n in names] for e in named.examples])

    def loss(temperature: float) -> float:
        mass = (softmax(named.intents, temperature) * fits).sum(1)
        return float(-np.log(mass + 1e-9).mean())

    return float(min(np.geomspace(0.3, 3.0, 60), key=loss))


def gate_threshold(scored: Scored) -> float:
    """Return the gate score below which only GATE_LOSS of the needy prompts fall."""
    needy = scored.where([e.needs is True for e in scored.examples])
    probability = 1 / (1 + np.exp(-needy.gate))
    return float(min(0.5, np.quantile(probability, GATE_LOSS)))


def calibrate(scored: Scored, bank: Bank) -> dict[str, dict[str, Any]]:
    """Return the thresholds by language; real prompts choose them where there are enough, else the written ones."""
    return {language: asdict(_of_language(scored, bank, language)) for language in ("en", "zh")}


def _of_language(scored: Scored, bank: Bank, language: str) -> Thresholds:
    names = [intent.id for intent in bank.intents]
    everything = scored.of(language, split="threshold")
    real = everything.of(language, kind="real")
    judged = real if len(real.examples) >= 100 else everything.of(language, kind="bank")
    judged = judged.where([e.needs is True for e in judged.examples])
    temperature = temperature_of(judged, names)
    confidence, right = softmax(judged.intents, temperature).max(1), judged.acceptable(names)
    intent = threshold_for(confidence, right, PRECISION["intent"])
    mixed = category_scores(judged, bank, temperature)
    category_right = np.array(
        [
            bank.categories[m] in {i.split(".")[0] for i in (e.intent, *e.also)}
            for m, e in zip(mixed.argmax(1), judged.examples, strict=True)
        ]
    )
    rest = confidence < intent
    return Thresholds(
        gate=round(gate_threshold(everything), 4),
        intent=round(intent, 4),
        pointed=round(threshold_for(confidence, right, PRECISION["pointed"]), 4),
        category=round(threshold_for(mixed.max(1)[rest], category_right[rest], PRECISION["category"]), 4),
        skip=SKIP,
        temperature=round(temperature, 4),
    )
