"""Print and draw the report of a selector: `python -m pas_trainer.mini report`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pas_middleware.models.selector import Bank, softmax

from . import figures
from .scoring import Scored, category_scores

_NAMES = {"en": "English", "zh": "Chinese"}
_KINDS = {"bank": "written prompts", "real": "real prompts"}
Curve = tuple[list[float], list[float]]


def measure(int8: Scored, fp32: Scored | None, bank: Bank) -> dict[str, Any]:
    """Return every figure of the report split, by language and by where the prompts come from."""
    out: dict[str, Any] = {}
    for language in ("en", "zh"):
        temperature = bank.thresholds[language].temperature
        for kind in ("bank", "real"):
            rows = int8.of(language, kind=kind, split="report")
            if not rows.examples:
                continue
            entry: dict[str, Any] = {
                "recognition": figures.recognition(rows, bank, temperature),
                "rows": [
                    asdict(r)
                    for r in (
                        figures.row_of("pas-mini", rows, bank, rows.decisions(bank)),
                        figures.general_row(rows),
                        figures.suffix_row(rows),
                    )
                ],
            }
            if fp32 is not None:
                full = fp32.of(language, kind=kind, split="report")
                entry["fp32"] = figures.recognition(full, bank, temperature)
                entry["same_intent"] = float((full.intents.argmax(1) == rows.intents.argmax(1)).mean())
            out[f"{kind}_{language}"] = entry
        out[f"pairs_{language}"] = _pairs(int8.of(language, kind="pairs", split="report"), bank, temperature)
    return out


def _pairs(rows: Scored, bank: Bank, temperature: float) -> dict[str, float]:
    named = rows.where([bool(e.category) for e in rows.examples])
    best = category_scores(named, bank, temperature).argmax(1)
    right = [bank.categories[b] == e.category for b, e in zip(best, named.examples, strict=True)]
    return {"n": len(right), "category": float(np.mean(right))}


def curves(int8: Scored, bank: Bank) -> dict[str, Curve]:
    """Return the risk–coverage curves of the report split."""
    names = [i.id for i in bank.intents]
    out = {}
    for language in ("en", "zh"):
        for kind in ("bank", "real"):
            rows = int8.of(language, kind=kind, split="report")
            rows = rows.where([e.needs is True for e in rows.examples])
            if rows.examples:
                confidence = softmax(rows.intents, bank.thresholds[language].temperature).max(1)
                out[f"{_KINDS[kind]}, {_NAMES[language]}"] = figures.risk_coverage(confidence, rows.acceptable(names))
    return out


def markdown(measured: dict[str, Any], held: dict[str, Any]) -> str:
    """Return the report as Markdown tables."""
    lines = [
        "| prompts | n | intent | in first three | category | calibration error | intent, fp32 | same as fp32 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    keys = [k for k in measured if not k.startswith("pairs")]
    for key in keys:
        entry, r = measured[key], measured[key]["recognition"]
        full = f"{entry['fp32']['top1']:.2f} | {entry['same_intent']:.2f}" if "fp32" in entry else "– | –"
        lines.append(
            f"| {_title(key)} | {r['n']} | {r['top1']:.2f} | {r['top3']:.2f} | {r['category']:.2f} | {r['ece']:.2f} "
            f"| {full} |"
        )
    lines += [
        "",
        "| prompts that need a complement | by | n | applied | not general | acceptable | category right "
        "| category of the label |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for key in keys:
        for r in measured[key]["rows"]:
            lines.append(
                f"| {_title(key)} | {r['name']} | {r['n']} | {r['applied']:.2f} | {r['not_general']:.2f} | "
                f"{r['acceptable']:.2f} | {r['category']:.2f} | {r['category_best']:.2f} |"
            )
    lines += ["", "| category of the pairs | English | Chinese |", "|---|---|---|"]
    lines += [f"| first category | {measured['pairs_en']['category']:.2f} | {measured['pairs_zh']['category']:.2f} |"]
    return "\n".join([*lines, *_held_out_lines(held)]) + "\n"


def _held_out_lines(held: dict[str, dict[str, Any]]) -> list[str]:
    titles = {
        "riddle": "bird riddle: points at the trap",
        "trick": "20 other trick questions: points at the trap",
        "nothing": "30 greetings, thanks, constrained: left alone",
    }
    sets = list(held)
    cells = [(s, language) for s in sets for language in ("en", "zh")]
    lines = ["", "| held out | " + " | ".join(f"{s}, {_NAMES[language]}" for s, language in cells) + " |"]
    lines.append("|---" * (len(cells) + 1) + "|")
    for kind, title in titles.items():
        lines.append(f"| {title} | " + " | ".join(_shown(held[s].get(f"{kind}_{code}")) for s, code in cells) + " |")
    return lines


def _shown(value: float | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else f"{value:.2f}"


def _title(key: str) -> str:
    kind, language = key.split("_")
    return f"{_KINDS[kind]}, {_NAMES[language]}"


def draw(found: dict[str, Curve], target: Path) -> None:
    """Draw the risk–coverage curves into a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), dpi=130)
    for name, (coverage, risk) in found.items():
        axes.plot(coverage, risk, label=name, linewidth=1.8)
    axes.set(
        xlabel="coverage: share of prompts, the most confident first",
        ylabel="risk: share with another intent",
        xlim=(0, 1),
        ylim=(0, 1),
        title="pas-mini: risk against coverage, held-out prompts",
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.tight_layout()
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target)
    pyplot.close(figure)
