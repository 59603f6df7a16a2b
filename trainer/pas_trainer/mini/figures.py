"""The figures of a selector on prompts that it never saw, each a plain number or curve."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pas_middleware import PAS
from pas_middleware.models.selector import Bank, Decision, softmax

from .examples import Example, HeldOut
from .scoring import Floats, Scored, category_scores

#: A complement names the trap of a question where it sends the reader back to the wording or warns of the reflex.
TRAP = re.compile(
    r"trap|reflex|literal|wording|word by word|obvious|first answer|tempting|assum|hidden|exactly as|reread|changed|"
    r"presuppos|premise|intuiti|jump|twist|pun|double meaning|as (?:given|stated|written)|missing|ambigu|"
    "陷阱|题眼|逐字|字面|脱口|直觉|想当然|隐含|措辞|改动|前提|原样|审题|读题|误导|双关|歧义|惯性|套路|缺|变了|谐音|谜面",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a way of choosing complements, and what share of prompts it serves how well."""

    name: str
    n: int
    applied: float
    not_general: float
    acceptable: float
    category: float
    category_best: float


def _share(values: list[bool]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _categories(example: Example) -> set[str]:
    return {example.category, *(i.split(".")[0] for i in example.also)}


def row_of(name: str, scored: Scored, bank: Bank, decisions: list[Decision]) -> Row:
    """Return the line of a selector, in shares of the applied.

    `acceptable` is the labelled intent or one that also fits, `category` the category of any of these,
    `category_best` that of the label itself.
    """
    pairs = [(e, d) for e, d in zip(scored.examples, decisions, strict=True) if e.needs and d.complement]
    needy = sum(bool(e.needs) for e in scored.examples)
    return Row(
        name,
        needy,
        len(pairs) / max(1, needy),
        _share([not d.general for _, d in pairs]),
        _share([d.chosen in (e.intent, *e.also) for e, d in pairs]),
        _share([d.chosen.split(".")[0] in _categories(e) for e, d in pairs]),
        _share([d.chosen.split(".")[0] == e.category for e, d in pairs]),
    )


def general_row(scored: Scored) -> Row:
    """Return the line of the baseline that knows the true category and always gives its general advice."""
    needy = [e for e in scored.examples if e.needs]
    fits = [f"{e.category}.general" in (e.intent, *e.also) for e in needy]
    return Row("always `.general` of the true category", len(needy), 1.0, 0.0, _share(fits), 1.0, 1.0)


def suffix_row(scored: Scored) -> Row:
    """Return the line of one static suffix for all: no intent is recognised, so none is met."""
    return Row("one static suffix", sum(bool(e.needs) for e in scored.examples), 1.0, 0.0, 0.0, 0.0, 0.0)


def recognition(scored: Scored, bank: Bank, temperature: float) -> dict[str, float]:
    """Return top-1 and top-3 intent, category and calibration error over rows that carry an intent."""
    named = scored.where([bool(e.intent) for e in scored.examples])
    names = np.array([i.id for i in bank.intents])
    ranked = names[np.argsort(-named.intents, axis=1)[:, :3]]
    right = named.acceptable([str(n) for n in names])
    category = category_scores(named, bank, temperature).argmax(1)
    return {
        "n": len(named.examples),
        "top1": float(right.mean()),
        "top3": _share([bool({e.intent, *e.also} & set(r)) for e, r in zip(named.examples, ranked, strict=True)]),
        "category": _share([bank.categories[c] == e.category for c, e in zip(category, named.examples, strict=True)]),
        "ece": calibration_error(softmax(named.intents, temperature).max(1), right),
    }


def calibration_error(confidence: Floats, right: NDArray[np.bool_], bins: int = 10) -> float:
    """Return the expected calibration error over equally wide bins (Guo et al. 2017)."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(float(confidence[place == b].mean()) - float(right[place == b].mean())) * float((place == b).mean())
        for b in range(bins)
        if (place == b).any()
    ]
    return float(sum(gaps))


def risk_coverage(confidence: Floats, right: NDArray[np.bool_]) -> tuple[list[float], list[float]]:
    """Return coverage and risk, the share of wrong ones among the most confident so many."""
    wrong = ~right[np.argsort(-confidence)]
    counts = np.arange(1, len(wrong) + 1)
    return (counts / len(wrong)).tolist(), (np.cumsum(wrong) / counts).tolist()


def held_out_figures(pas: PAS, name: str) -> dict[str, Any]:
    """Return how PAS treats one held-out set: the riddle, other trick questions, prompts that need nothing.

    The set `development` was looked at while data were written; of `report`, `fresh` and `final` the failures were read
    before the data of the present model were. `closing`, trick questions alone, was written beside those data without a
    look at them, and read by nobody before the measurement.
    """
    results = [(row, pas.augment(row["prompt"])) for row in HeldOut.read().rows if row["set"] == name]
    out: dict[str, Any] = {}
    for language in ("en", "zh"):
        mine = [(r, a) for r, a in results if r["language"] == language]
        trap = {k: [bool(TRAP.search(a.complement)) for r, a in mine if r["kind"] == k] for k in ("riddle", "trick")}
        nothing = [not a.applied for r, a in mine if r["kind"] == "nothing"]
        if trap["riddle"]:
            out[f"riddle_{language}"] = all(trap["riddle"])
        if nothing:
            out[f"nothing_{language}"] = _share(nothing)
        out[f"trick_{language}"] = _share(trap["trick"])
    return out
