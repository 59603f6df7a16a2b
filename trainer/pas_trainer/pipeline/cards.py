"""The two cards of a run: what the data is, and what the model is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pas_middleware

from ..mini.examples import DATA, read_jsonl
from ..stages import Record
from .config import Pipeline

VERSION = pas_middleware.__version__
DATA_CARD, MODEL_CARD = "DATA_CARD.md", "MODEL_CARD.md"


def write(config: Pipeline, done: Mapping[str, Record]) -> None:
    """Write both cards into the run's folder."""
    (config.out / DATA_CARD).write_text(_data_card(config, done), encoding="utf-8")
    (config.out / MODEL_CARD).write_text(_model_card(config, done), encoding="utf-8")


def _data_card(config: Pipeline, done: Mapping[str, Record]) -> str:
    rows = list(read_jsonl(config.folders["synthesize"] / "pairs.jsonl"))
    curated, written = done["curate"], done["synthesize"]
    plan = config.synthesize
    return "\n".join(
        [
            f"# Data card: {config.name}",
            "",
            f"{len(rows):,} pairs of prompt and complement, made by `pas pipeline` {VERSION}.",
            "",
            "## Sources and licences",
            "",
            *_table(("source", "licence", "sha256"), [(_named(s), _licence(config, s), d) for s, d in _digests(done)]),
            "",
            "A licence is what the configuration says of a source (`licences:`); the pairs may be used as far as the",
            "licences of their prompts and the terms of the endpoint allow.",
            "",
            "## Who or what wrote the complements",
            "",
            f"Generator: `{plan.generator.model}` at {plan.generator.base_url}; critic: `{plan.critic.model}` at "
            f"{plan.critic.base_url}; at most {plan.rounds} rounds.",
            *_scripted(config),
            "",
            "## Counts",
            "",
            *_table(("curation, after each step", "prompts"), curated.counts.items()),
            "",
            *_table(("removed in curation because", "prompts"), curated.rejected.items()),
            "",
            *_table(("synthesis", "prompts"), written.counts.items()),
            "",
            *_table(("dropped in synthesis because", "prompts"), written.rejected.items()),
            "",
            *_table(("category", "pairs"), sorted(Counter(row["category"] for row in rows).items())),
            "",
            *_table(("language", "pairs"), sorted(Counter(row["language"] for row in rows).items())),
            "",
            f"Left alone (empty complement): {sum(not row['complement'] for row in rows):,}.",
            f"Spent: {curated.usd + written.usd:.4f} USD.",
            "",
            "## Settings",
            "",
            *_settings(curated),
            *_settings(written),
        ]
    )


def _model_card(config: Pipeline, done: Mapping[str, Record]) -> str:
    trained, exported, evaluated = done["train"], done["export"], done["evaluate"]
    base = "a nano model made from the curated prompts in this run" if config.base else f"`{config.train.base}`"
    held = trained.figures.get("held_out", {})
    return "\n".join(
        [
            f"# Model card: {config.name} {config.export.version}",
            "",
            f"Writes complements of at most 30 words to prompts. Base: {base}, fine-tuned ({config.train.objective}, "
            f"{config.train.method}) on the pairs of [the data card]({DATA_CARD}); exported as "
            f"{exported.settings['precision']}.",
            "The licence of the base and of the pairs' sources hold for it.",
            *_scripted(config),
            "",
            "```python",
            "from pas_middleware import PAS",
            "",
            f'pas = PAS.load("{config.folders["export"] / "model"}")',
            "```",
            "",
            "## Training",
            "",
            *_table(("figure", "value"), _scalars(trained.figures)),
            "",
            "Complements written by the checkpoint for held-out prompts:",
            "",
            *_table(("figure", "value"), _scalars(held)),
            "",
            "## Export",
            "",
            *_table(("figure", "value"), [*_scalars(exported.figures), *_scalars(exported.figures.get("parity", {}))]),
            "",
            "## The exported model on held-out prompts",
            "",
            *_table(("figure", "value"), _scalars(evaluated.figures)),
            "",
            *_table(("not applied because", "prompts"), evaluated.rejected.items()),
            "",
            "Not measured in this run: whether an LLM answers better with it (`pas eval`).",
            "",
            "## Settings",
            "",
            *_settings(trained),
            *_settings(exported),
        ]
    )


def _scripted(config: Pipeline) -> list[str]:
    if not config.scripted_teacher:
        return []
    return [
        "",
        "**The teacher was the scripted server, which says the project's own pairs again: a test of the chain.**",
    ]


def _digests(done: Mapping[str, Record]) -> list[tuple[str, str]]:
    return [(name, digest[:16]) for name, digest in done["curate"].inputs.items()]


def _named(source: str) -> str:
    return "the project's own pairs" if source == str(DATA / "pairs.jsonl") else source


def _licence(config: Pipeline, source: str) -> str:
    own = "Apache-2.0" if source == str(DATA / "pairs.jsonl") else "not stated"
    return config.licences.get(source) or config.licences.get(Path(source).name) or own


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> list[str]:
    lines = [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    if not lines:
        return []
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines]


def _cell(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _scalars(values: Any) -> list[tuple[str, Any]]:
    if not isinstance(values, Mapping):
        return []
    return [(name, value) for name, value in values.items() if isinstance(value, int | float | str)]


def _settings(record: Record) -> list[str]:
    flat = [(f"{record.name}: {name}", value) for name, value in record.settings.items()]
    return [*_table(("setting", "value"), flat), ""]
