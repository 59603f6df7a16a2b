"""Questions of benchmarks, which must not be trained on: Arena-Hard, MT-Bench, AlpacaEval, and any file of prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pas_middleware.errors import ConfigError

from ..sources import Broken, layout_of
from .reading import rows_of


def questions(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and text of each question; raises ConfigError where a file holds none."""
    for name in names:
        count = 0
        for file, rows in rows_of(name, "train"):
            for row in rows:
                if not isinstance(row, Broken):
                    for text in _asked(row[1]):
                        count += 1
                        yield file, text
        if not count:
            raise ConfigError(f"The benchmark {name} holds no questions;", hint="give a file of prompts.")


def _asked(row: Mapping[str, Any]) -> list[str]:
    """Return the prompts of a row: `turns` or `prompt` as Arena-Hard and MT-Bench have them, else its layout's."""
    turns = row.get("turns", row.get("prompt"))
    if isinstance(turns, list):
        return [str(turn["content"]) if isinstance(turn, dict) else str(turn) for turn in turns]
    conversation = layout_of(row).read(row)
    return [turn.content for turn in conversation.turns if turn.role == "user"]
