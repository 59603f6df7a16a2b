"""Chat messages in OpenAI form: find the user's text, put the complement behind it, change nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import InputError

Message = Mapping[str, Any]
_TEXT_TYPES = ("text", "input_text")
_HINT = 'give OpenAI-style messages such as [{"role": "user", "content": "..."}].'


def check(messages: object) -> Sequence[Message]:
    """Return the messages, or raise InputError naming the first that has not the form of one."""
    if isinstance(messages, str | bytes) or not isinstance(messages, Sequence):
        raise InputError(f"messages is {type(messages).__name__};", hint=_HINT)
    if not messages:
        raise InputError("messages is empty;", hint=_HINT)
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise InputError(f"messages[{number}] is {type(message).__name__} without a role;", hint=_HINT)
    return messages


def _text_parts(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    if not isinstance(content, Sequence):
        return []
    parts = [p for p in content if isinstance(p, Mapping) and p.get("type") in _TEXT_TYPES]
    return [p["text"] for p in parts if isinstance(p.get("text"), str)]


def _is_tool_result(content: object) -> bool:
    # Some clients send tool results as a user message; the user said nothing in it.
    return (
        isinstance(content, Sequence)
        and not isinstance(content, str)
        and bool(content)
        and all(isinstance(p, Mapping) and p.get("type") == "tool_result" for p in content)
    )


def target(messages: Sequence[Message]) -> tuple[int, str]:
    """Return the position and text of the last user message, (-1, "") where there is none.

    Several text parts are joined by a line break. A message of images alone has the text "".
    """
    for position in range(len(messages) - 1, -1, -1):
        message = messages[position]
        if message["role"] == "user" and not _is_tool_result(message.get("content")):
            return position, "\n".join(_text_parts(message.get("content")))
    return -1, ""


def last_text(content: object) -> tuple[()] | tuple[int, str] | None:
    """Return the way from a message's content to its last text: (), or a part's place and "text"; None without one."""
    if isinstance(content, str):
        return ()
    for place in range(len(content) - 1 if isinstance(content, Sequence) else -1, -1, -1):
        if _text_parts([content[place]]):  # type: ignore[index]
            return place, "text"
    return None


def with_insertion(messages: Sequence[Message], position: int, insertion: str) -> list[Message]:
    """Return new messages with the insertion behind the text at a position; nothing given is changed.

    Text content grows at its end; a list of parts gains one text part of the type it already uses.
    """
    message = dict(messages[position])
    content = message["content"]
    if isinstance(content, str):
        message["content"] = content + insertion
    else:
        kinds = [p["type"] for p in content if isinstance(p, Mapping) and p.get("type") in _TEXT_TYPES]
        message["content"] = [*content, {"type": kinds[-1], "text": insertion}]
    return [*messages[:position], message, *messages[position + 1 :]]
