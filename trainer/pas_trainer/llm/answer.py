"""What an endpoint answers: its text, how it ended, what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Message = Mapping[str, str]
Messages = Sequence[Message]
#: Why an answer cannot be used, "" where it can.
Problem = Literal["", "refused", "empty", "truncated", "too_long"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `text` is "" where there is a problem other than truncation."""

    text: str
    problem: Problem = ""
    input_tokens: int = 0
    output_tokens: int = 0

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Answer:
        """Read a chat completion; raises ValueError where it is none."""
        choices = body.get("choices")
        if not isinstance(choices, list):
            raise ValueError("it has no choices")
        usage = body.get("usage") or {}
        tokens = (int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))
        if not choices:
            return cls("", "empty", *tokens)
        message = choices[0].get("message") or {}
        text = message.get("content") or ""
        if message.get("refusal") or choices[0].get("finish_reason") == "content_filter":
            return cls("", "refused", *tokens)
        if choices[0].get("finish_reason") == "length":
            return cls(text, "truncated", *tokens)
        return cls(text, "" if text.strip() else "empty", *tokens)
