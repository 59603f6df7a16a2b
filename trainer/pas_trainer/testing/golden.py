"""Answers from the project's own pairs: the complement of the pair whose prompt is asked about."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any


@cache
def pairs() -> tuple[dict[str, Any], ...]:
    """Return the project's pairs."""
    file = resources.files("pas_trainer.mini") / "data" / "pairs.jsonl"
    return tuple(json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line)


@cache
def _by_prompt() -> dict[str, str]:
    return {pair["prompt"]: pair["complement"] for pair in pairs()}


def golden(body: dict[str, Any]) -> str:
    """Answer with the complement of the last message's prompt, else with a general one in its language."""
    text = str(body["messages"][-1]["content"])
    return _by_prompt().get(text) or general(text)


def general(prompt: str) -> str:
    """Return a complement for a prompt that no pair has."""
    if any("\u4e00" <= character <= "\u9fff" for character in prompt):
        return "先确认问题真正问的是什么，写明所作的假设，再给出答案并自查一遍。"
    return (
        "First settle what the question really asks, state the assumptions made, then answer and check the result once."
    )
