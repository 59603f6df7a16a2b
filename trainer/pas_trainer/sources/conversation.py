"""A conversation, whatever corpus it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Turn:
    """One message; `unsafe` where its corpus says so, None where it says nothing."""

    role: str
    content: str
    unsafe: bool | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns in order, with what the corpus says of the whole; `key` is its own name for it, "" where it has none."""

    turns: tuple[Turn, ...]
    key: str = ""
    language: str = ""
    redacted: bool = False
    unsafe: bool | None = None
    model: str = field(default="", compare=False)
