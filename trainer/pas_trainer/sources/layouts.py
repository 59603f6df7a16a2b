"""The shapes in which rows hold prompts, recognised by their columns.

lmsys/lmsys-chat-1m and allenai/WildChat (1M, nontoxic v0, 4.8M) in their published schemas; OpenAI-style logs
(`messages`, also inside `body` or `request`); instruction sets (`instruction`, `input`); a plain column of prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pas_middleware.errors import ConfigError

from .conversation import Conversation, Turn

Row = Mapping[str, Any]
#: Columns that hold prompts where nothing else is known of a file.
PLAIN = ("prompt", "question", "query", "text")


@dataclass(frozen=True, slots=True)
class Layout:
    """A shape: its name, how its columns are recognised, and how a row becomes a conversation.

    `read` raises KeyError, TypeError or ValueError for a row that is not of the shape.
    """

    name: str
    fits: Callable[[set[str]], bool]
    read: Callable[[Row], Conversation]


def _flagged(moderation: Sequence[Mapping[str, Any]] | None, place: int) -> bool | None:
    """Return what the moderation says of one message; None where it says nothing."""
    if not moderation or place >= len(moderation) or moderation[place] is None:
        return None
    return bool(moderation[place].get("flagged"))


def _lmsys(row: Row) -> Conversation:
    moderation = row.get("openai_moderation")
    turns = tuple(
        Turn(str(turn["role"]), str(turn["content"] or ""), _flagged(moderation, place))
        for place, turn in enumerate(row["conversation"])
    )
    return Conversation(
        turns,
        key=str(row["conversation_id"]),
        language=_named(row.get("language")),
        redacted=bool(row.get("redacted")),
        model=str(row.get("model") or ""),
    )


def _wildchat(row: Row) -> Conversation:
    moderation = row.get("openai_moderation")
    turns = []
    for place, turn in enumerate(row["conversation"]):
        said = [turn.get("toxic"), _flagged(moderation, place)]
        known = [bool(value) for value in said if value is not None]
        turns.append(Turn(str(turn["role"]), str(turn["content"] or ""), any(known) if known else None))
    first: Row = next((turn for turn in row["conversation"] if turn["role"] == "user"), {})
    return Conversation(
        tuple(turns),
        key=str(row.get("conversation_hash") or row.get("conversation_id") or ""),
        language=_named(first.get("language") or row.get("language")),
        redacted=bool(row.get("redacted")) or any(bool(turn.get("redacted")) for turn in row["conversation"]),
        model=str(row.get("model") or ""),
    )


def _messages(row: Row) -> Conversation:
    holder = next(h for h in (row, row.get("body"), row.get("request")) if isinstance(h, Mapping) and "messages" in h)
    turns = tuple(Turn(str(message["role"]), _text(message["content"])) for message in holder["messages"])
    key = row.get("custom_id") or row.get("id") or ""
    return Conversation(turns, key=str(key), model=str(holder.get("model") or ""))


def _text(content: Any) -> str:
    """Return the text of an OpenAI-style content: a string, or the text among its parts."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(str(part["text"]) for part in content if part.get("type") in ("text", "input_text"))


def _instruction(row: Row) -> Conversation:
    given = row.get("input")
    instances = row.get("instances")
    if given is None and instances:
        given = instances[0].get("input")
    text = str(row["instruction"] or "")
    return Conversation((Turn("user", f"{text}\n\n{given}" if given else text),), key=str(row.get("id") or ""))


def _named(language: Any) -> str:
    """Return the ISO code of the two languages that pas-mini knows, else the corpus's own name in lower case."""
    name = str(language or "").strip().lower()
    return {"english": "en", "chinese": "zh", "unknown": "", "nolang": ""}.get(name, name)


LAYOUTS = (
    Layout("lmsys", lambda c: {"conversation_id", "conversation", "openai_moderation"} <= c, _lmsys),
    Layout(
        "wildchat",
        lambda c: "conversation" in c and bool({"conversation_hash", "conversation_id"} & c),
        _wildchat,
    ),
    Layout("messages", lambda c: bool({"messages", "body", "request"} & c), _messages),
    Layout("instruction", lambda c: "instruction" in c, _instruction),
)


def layout_of(columns: Iterable[str], column: str | None = None) -> Layout:
    """Return the layout of rows with these columns; raises ConfigError naming the columns where none fits.

    `column` names a plain column of prompts, whatever else there is.
    """
    found = set(columns)
    if column is not None:
        if column not in found:
            raise ConfigError(f"There is no column {column!r};", hint=f"there are {', '.join(sorted(found))}.")
        return _plain(column)
    for layout in LAYOUTS:
        if layout.fits(found):
            return layout
    known = next((name for name in PLAIN if name in found), None)
    if known is None:
        raise ConfigError(
            f"No prompts are recognised in the columns {', '.join(sorted(found))};", hint="name one with --column."
        )
    return _plain(known)


def _plain(column: str) -> Layout:
    def read(row: Row) -> Conversation:
        value = row[column]
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{column} is {type(value).__name__}, not text")
        return Conversation((Turn("user", value or ""),), key=str(row.get("id") or ""))

    return Layout(f"column {column}", lambda columns: column in columns, read)
