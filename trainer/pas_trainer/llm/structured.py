"""Answers that are to be one JSON object: a malformed one is asked for again, then rejected with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from .answer import Answer, Messages

T = TypeVar("T")


class Asker(Protocol):
    """What answers, at once or later."""

    def ask(self, row: str, stage: str, messages: Messages, *, attempt: int = 0) -> Answer:
        """Return the answer."""
        ...


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """A well-formed answer."""

    value: T
    attempts: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """No well-formed answer: `reason` is malformed, refused, empty, truncated or too_long."""

    reason: str
    detail: str
    attempts: int


def read_object(text: str) -> dict[str, Any]:
    """Return the one JSON object in a text, fences and words around it passed over; raises ValueError."""
    start = text.find("{")
    if start < 0:
        raise ValueError("it holds no JSON object")
    found, _ = json.JSONDecoder().raw_decode(text, start)
    if not isinstance(found, dict):
        raise ValueError("it holds no JSON object")
    return found


def ask_json(
    client: Asker,
    row: str,
    stage: str,
    messages: Messages,
    parse: Callable[[Mapping[str, Any]], T],
    *,
    attempts: int = 3,
) -> Parsed[T] | Rejection:
    """Ask for a JSON object until `parse` takes it (it raises ValueError, TypeError or KeyError where it does not)."""
    rejection = Rejection("malformed", "", 0)
    asked = list(messages)
    for attempt in range(attempts):
        answer = client.ask(row, stage, asked, attempt=attempt)
        if answer.problem:
            rejection = Rejection(answer.problem, "", attempt + 1)
            if answer.problem == "too_long":
                break
            continue
        try:
            return Parsed(parse(read_object(answer.text)), attempt + 1)
        except (ValueError, TypeError, KeyError) as error:
            why = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
            rejection = Rejection("malformed", why[:200], attempt + 1)
            asked = [
                *messages,
                {"role": "assistant", "content": answer.text},
                {"role": "user", "content": f"That cannot be read ({why[:200]}). Answer with the JSON object alone."},
            ]
    return rejection
