"""A teacher made of the project's own pairs: it writes and judges complements as a good model would, and errs at first.

A prompt that has a labelled wrong complement gets that one first, is rejected by the critic with the labelled reason,
and then gets the right one: the loop turns as with a real teacher, and rejected complements are there to learn from.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

_PROMPT = re.compile(r"<prompt>\n(.*)\n</prompt>", re.DOTALL)
_COMPLEMENT = re.compile(r"<complement>\n(.*)\n</complement>", re.DOTALL)


@cache
def pairs() -> dict[str, dict[str, Any]]:
    """Return the project's pairs by their prompts."""
    file = resources.files("pas_trainer.mini") / "data" / "pairs.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
    return {row["prompt"]: row for row in rows}


def golden(body: dict[str, Any]) -> str:
    """Answer a generator's or a critic's request, and anything else with a general complement."""
    messages = body["messages"]
    place = next((n for n in reversed(range(len(messages))) if _PROMPT.search(messages[n]["content"])), None)
    if place is None:
        return general(messages[-1]["content"])
    asked = messages[place]["content"]
    prompt = _PROMPT.search(asked)
    complement = _COMPLEMENT.search(asked)
    known = pairs().get(prompt.group(1) if prompt else "", {})
    if complement is not None:
        return json.dumps(_verdict(known, complement.group(1)), ensure_ascii=False)
    written = known.get("complement") if known else _like_an_example(messages[:place], asked)
    if known.get("bad_complement") and place == len(messages) - 1:
        written = known["bad_complement"]
    return json.dumps({"complement": written}, ensure_ascii=False)


def general(prompt: str) -> str:
    """Return a complement for a prompt of any kind, in its language."""
    if any("\u4e00" <= character <= "\u9fff" for character in prompt):
        return "先确认问题真正问的是什么，写明所作的假设，再给出答案并自查一遍。"
    return "First settle what the question really asks, state the assumptions made, then answer and check it once."


def _verdict(known: dict[str, Any], complement: str) -> dict[str, str]:
    if complement and complement == known.get("bad_complement"):
        return {"reason": known["reason"], "flaw": known["flaw"], "verdict": "reject"}
    return {"reason": "It says how to answer and breaks no rule.", "flaw": "", "verdict": "keep"}


def _like_an_example(shots: Sequence[dict[str, str]], asked: str) -> str:
    """Return the complement of one of the examples in the request, in the language of what is asked."""
    said = [str(json.loads(shot["content"]).get("complement", "")) for shot in shots if shot["role"] == "assistant"]
    chinese = any("\u4e00" <= character <= "\u9fff" for character in asked)
    fitting = [text for text in said if text and any("\u4e00" <= c <= "\u9fff" for c in text) == chinese]
    if not fitting:
        return general(asked)
    return fitting[int(hashlib.sha256(asked.encode()).hexdigest(), 16) % len(fitting)]
