"""Read a judge's verdict in the grammar of Arena-Hard: `[[A>>B]]`, `[[A>B]]`, `[[A=B]]`, `[[B>A]]`, `[[B>>A]]`."""

from __future__ import annotations

import re
from typing import Literal

Generation = Literal["v0.1", "v2.0"]

#: What each verdict says of B, the second answer: its outcome and the weight of the game.
OUTCOMES: dict[str, tuple[float, int]] = {
    "A>>B": (0.0, 3),
    "A>B": (0.0, 1),
    "A=B": (0.5, 1),
    "B>A": (1.0, 1),
    "B>>A": (1.0, 3),
}
#: The mirrored spellings that v2.0 accepts.
MIRRORED = {"A<<B": "B>>A", "A<B": "B>A", "B=A": "A=B", "B<A": "A>B", "B<<A": "A>>B"}
_DOUBLE = re.compile(r"\[\[([AB<>=]+)\]\]")
_SINGLE = re.compile(r"\[([AB<>=]+)\]")


def parse_verdict(text: str, generation: Generation = "v0.1") -> str | None:
    """Return one of the five verdicts, or None where the text has none or contradicts itself; nothing is guessed.

    v0.1 wants all labels in a text to agree, as upstream does; v2.0 takes the last one, in any case, in double
    brackets or else in single ones.
    """
    if generation == "v0.1":
        found = set(_DOUBLE.findall(text))
        label = found.pop() if len(found) == 1 else ""
    else:
        labels = _DOUBLE.findall(text.upper()) or _SINGLE.findall(text.upper())
        label = MIRRORED.get(labels[-1], labels[-1]) if labels else ""
    return label if label in OUTCOMES else None


def outcome(verdict: str, game: int) -> tuple[float, int]:
    """Return how well the judged answer did, 0 to 1, and the game's weight; in game 2 it stood first."""
    second, weight = OUTCOMES[verdict]
    return (second if game == 1 else 1.0 - second), weight
