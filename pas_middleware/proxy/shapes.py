"""Where the user's last text is in the bodies of the APIs that are known, and whether a format fixes the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import messages
from .splice import Path

Body = Mapping[str, Any]
#: Constraints on the output that servers such as vLLM take beside the standard ones.
_GUIDES = ("guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs")


@dataclass(frozen=True, slots=True)
class Target:
    """The user's last text, the path of the string to extend, and whether a response format fixes the answer."""

    text: str
    path: Path
    constrained: bool


def find(route: str, body: object) -> Target | None:
    """Return what to augment in a request to a route, None where the user says nothing in it."""
    if not isinstance(body, dict):
        return None
    place, formats = _ROUTES[route]
    found = place(body)
    if found is None or not found[0]:
        return None
    constrained = any(_fixes(f) for f in formats(body)) or any(body.get(name) is not None for name in _GUIDES)
    return Target(*found, constrained)


def _in_chat(key: str, items: object) -> tuple[str, Path] | None:
    """Return the text and the path for a list of messages; what is no message is passed over."""
    if not isinstance(items, list):
        return None
    chat = [m if isinstance(m, dict) and isinstance(m.get("role"), str) else {"role": ""} for m in items]
    position, text = messages.target(chat)
    if position < 0:
        return None
    inside = messages.last_text(chat[position].get("content"))
    return None if inside is None else (text, (key, position, "content", *inside))


def _messages(body: Body) -> tuple[str, Path] | None:
    return _in_chat("messages", body.get("messages"))


def _input(body: Body) -> tuple[str, Path] | None:
    given = body.get("input")
    return (given, ("input",)) if isinstance(given, str) else _in_chat("input", given)


def _prompt(body: Body) -> tuple[str, Path] | None:
    given = body.get("prompt")
    if body.get("suffix"):  # text to fill in between: nothing can stand behind the prompt
        return None
    if isinstance(given, list) and len(given) == 1 and isinstance(given[0], str):
        return given[0], ("prompt", 0)
    return (given, ("prompt",)) if isinstance(given, str) else None


def _fixes(form: object) -> bool:
    return isinstance(form, dict) and form.get("type", "text") != "text"


def _inner(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


_ROUTES: dict[str, tuple[Callable[[Body], tuple[str, Path] | None], Callable[[Body], list[object]]]] = {
    "/v1/chat/completions": (_messages, lambda b: [b.get("response_format")]),
    "/v1/completions": (_prompt, lambda b: [b.get("response_format")]),
    "/v1/responses": (_input, lambda b: [_inner(b.get("text"), "format")]),
    "/v1/messages": (_messages, lambda b: [b.get("output_format"), _inner(b.get("output_config"), "format")]),
}
ROUTES = tuple(_ROUTES)
