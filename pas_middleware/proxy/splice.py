"""Put text behind one string of a JSON document, and leave every other byte as it is."""

from __future__ import annotations

import json
from json.decoder import WHITESPACE  # type: ignore[attr-defined]

#: The keys and places on the way from the root to a value.
Path = tuple[str | int, ...]
_DECODER = json.JSONDecoder()


def splice(raw: bytes, path: Path, insertion: str) -> bytes | None:
    """Return the document with the insertion, escaped, at the end of the string at a path.

    None where a key on the way comes twice: which of them the reader behind us takes, nobody knows.
    """
    text = raw.decode()
    end = _end_of_string(text, path)
    if end is None:
        return None
    at = len(text[:end].encode())
    return raw[:at] + json.dumps(insertion)[1:-1].encode() + raw[at:]


def _end_of_string(text: str, path: Path) -> int | None:
    """Return the position of the closing quote of the string at a path."""
    at = _skip(text, 0)
    for step in path:
        found = _in_object(text, at, step) if isinstance(step, str) else _in_array(text, at, step)
        if found is None:
            return None
        at = found
    return _after(text, at) - 1


def _in_object(text: str, at: int, key: str) -> int | None:
    found = None
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        if name == key:
            if found is not None:
                return None
            found = at
        at = _next(text, at)
    return found


def _in_array(text: str, at: int, place: int) -> int:
    at = _skip(text, at + 1)
    for _ in range(place):
        at = _next(text, at)
    return at


def _next(text: str, at: int) -> int:
    """Return where the member after the value at a position begins, or the bracket that ends its container."""
    at = _skip(text, _after(text, at))
    return _skip(text, at + 1) if text[at] == "," else at


def _after(text: str, at: int) -> int:
    return _DECODER.raw_decode(text, at)[1]


def _skip(text: str, at: int) -> int:
    end: int = WHITESPACE.match(text, at).end()
    return end
