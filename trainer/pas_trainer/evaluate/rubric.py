"""Complements judged on their own, without an answer: useful, neutral or harmful, beside a static suffix, blind."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pas_middleware.language import detect

from ..llm import Budget, Client, RowFailed, each
from ..mini.judging import SUFFIX
from .effects import mean

SYSTEM = """\
You judge advice that is put behind a prompt before a strong language model answers it. You do not answer the prompt.
Imagine the model's answer without the advice and with it, and give each piece of advice one mark:
3 it names what an expert would insist on for this very prompt; the answer would clearly gain
2 it fits, and some gain is likely
1 it is generic or empty: no gain, no harm
0 it harms: it misreads the request, contradicts it, adds work that nobody wants, is in the wrong language, or steers
  the answer wrong
End with the marks in the order shown, such as [[1,3]]."""
AGAIN = "Finish with one mark from 0 to 3 for each piece of advice, such as [[1,3]]."
_MARKS = re.compile(r"\[\[\s*([0-3](?:\s*,\s*[0-3])*)\s*\]\]")
ARMS = ("complement", "suffix")


@dataclass(frozen=True, slots=True)
class Item:
    """One prompt with its advice in the order shown; `order` says which arm stands where."""

    number: int
    prompt: str
    order: tuple[str, ...]
    advice: tuple[str, ...]

    def messages(self) -> list[dict[str, str]]:
        """Return what the judge is sent."""
        shown = "\n".join(f"{number}. {text}" for number, text in enumerate(self.advice, 1))
        user = f"# Prompt\n{self.prompt}\n\n# Advice\n{shown}"
        return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]


def items(rows: Sequence[Mapping[str, Any]], seed: int = 0) -> list[Item]:
    """Return an item for every row with a complement, its control a static suffix in the prompt's language."""
    rng = random.Random(seed)
    found = []
    for number, row in enumerate(rows):
        if row["complement"]:
            control = SUFFIX["zh" if detect(row["prompt"]) == "zh" else "en"]
            advice = {"complement": row["complement"], "suffix": control}
            order = tuple(rng.sample(ARMS, len(ARMS)))
            found.append(Item(number, row["prompt"], order, tuple(advice[arm] for arm in order)))
    return found


def parse_marks(text: str, count: int) -> list[int] | None:
    """Return the marks of a reply, None where it has none or not so many."""
    found = _MARKS.findall(text)
    marks = [int(mark) for mark in found[-1].split(",")] if found else []
    return marks if len(marks) == count else None


def judge_complements(
    client: Client, chosen: Sequence[Item], budget: Budget, *, attempts: int = 3, quiet: bool = False
) -> dict[str, Any]:
    """Return the shares of useful, excellent, neutral and harmful for the complements and for the suffix."""
    marks: dict[str, list[int]] = {arm: [] for arm in ARMS}
    unread = 0
    work = each(
        chosen,
        lambda item: _marks(client, item, attempts),
        concurrency=client.endpoint.concurrency,
        label="marks",
        budget=budget,
        quiet=quiet,
    )
    for done in sorted(work, key=lambda done: done.row.number):
        unread += done.value is None
        for arm, mark in zip(done.row.order, done.value or (), strict=False):
            marks[arm].append(mark)
    return {"unread": unread, **{arm: shares(found) for arm, found in marks.items() if found}}


def _marks(client: Client, item: Item, attempts: int) -> list[int] | None:
    messages = item.messages()
    for attempt in range(attempts):
        try:
            answer = client.ask(f"item {item.number}", "rubric", messages, attempt=attempt)
        except RowFailed:
            return None
        if (marks := parse_marks(answer.text, len(item.advice))) is not None:
            return marks
        if answer.text:
            messages = [*messages, {"role": "assistant", "content": answer.text}, {"role": "user", "content": AGAIN}]
    return None


def shares(marks: Sequence[int]) -> dict[str, Any]:
    """Return the shares in percent, each with its 95 % interval."""
    values = np.array(marks)
    wanted = {"useful": values >= 2, "excellent": values == 3, "neutral": values == 1, "harmful": values == 0}
    found: dict[str, Any] = {"n": len(marks)}
    for name, is_so in wanted.items():
        share = mean(is_so.astype(float))
        found[name] = {"value": share.value, "low": share.ends[0], "high": share.ends[1]}
    return found
