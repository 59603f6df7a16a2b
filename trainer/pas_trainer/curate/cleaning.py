"""Hygiene: what is no prompt to learn from, whatever its quality."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import pyarrow as pa

from pas_middleware import language

from .engine import Engine
from .secrets import mask
from .table import Outcome, Rejects, split, texts, with_column

Policy = Literal["drop", "keep"]
#: Traces of anonymisation in the two corpora: such a prompt asks about nobody.
_MASKED = re.compile(r"\bNAME_\d+\b|<(?:anonymized|redacted|PRESIDIO_ANONYMIZED_[A-Z_]+)>", re.IGNORECASE | re.ASCII)
#: What turns a model against its rules.
_INJECTION = re.compile(
    r"ignore (?:all |any )?(?:the |your )?(?:previous|prior|above|earlier) (?:instructions|prompts|rules)"
    r"|you are now (?:in )?DAN\b|do anything now|jailbreak|developer mode (?:enabled|output)|\bevil[- ]confidant\b"
    r"|忽略(?:以上|之前|上面|前面)的?(?:所有)?(?:指令|提示|规则)",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")
_OPENING = 80


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Bounds and policies; lengths in characters, a Han character counting as two. No languages: all of them.

    A prompt that equals `max_copies` others is a template, and of those that open alike `max_alike` stay.
    """

    languages: tuple[str, ...] = ("en", "zh")
    min_chars: int = 12
    max_chars: int = 4000
    unsafe: Policy = "drop"
    redacted: Policy = "drop"
    max_copies: int = 1000
    max_alike: int = 20


@dataclass(frozen=True, slots=True)
class _Prompt:
    text: str
    length: int
    unsafe: bool
    redacted: bool
    language: str


#: The checks in order; each returns the detail of its reason, None where the prompt passes.
_CHECKS: dict[str, Callable[[_Prompt, Cleaning], str | None]] = {
    "empty": lambda p, _: None if p.text.strip() else "",
    "too_short": lambda p, c: f"{p.length} characters" if p.length < c.min_chars else None,
    "too_long": lambda p, c: f"{p.length} characters" if p.length > c.max_chars else None,
    "unsafe": lambda p, c: "" if p.unsafe and c.unsafe == "drop" else None,
    "redacted": lambda p, c: _redaction(p) if c.redacted == "drop" else None,
    "injection": lambda p, _: hit.group() if (hit := _INJECTION.search(p.text)) else None,
    "language": lambda p, c: p.language if c.languages and p.language not in c.languages else None,
}


def _redaction(prompt: _Prompt) -> str | None:
    hit = _MASKED.search(prompt.text)
    return hit.group() if hit else "" if prompt.redacted else None


def comparable(text: str) -> str:
    """Return a text as it is compared: compatibility forms, case and space made alike. Never what is kept."""
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def clean(table: pa.Table, cleaning: Cleaning, engine: Engine) -> Outcome:
    """Mask secrets, find the language, and remove what is no prompt to learn from."""
    found = engine.map(table.select(["prompt", "unsafe", "redacted"]), partial(_judged, cleaning=cleaning), "cleaning")
    rejects = Rejects()
    for place, (reason, detail) in enumerate(
        zip(found.column("reason").to_pylist(), found.column("detail").to_pylist(), strict=True)
    ):
        if reason:
            rejects.add(place, reason, detail)
    masked = sum(a != b for a, b in zip(texts(table), texts(found), strict=True))
    table = with_column(table, "prompt", found.column("prompt"))
    return split(with_column(table, "language", found.column("language")), rejects, "clean", masked=masked)


def _judged(part: pa.Table, cleaning: Cleaning) -> pa.Table:
    rows = [
        _judge(text, bool(unsafe), bool(redacted), cleaning)
        for text, unsafe, redacted in zip(*(column.to_pylist() for column in part.columns), strict=True)
    ]
    columns = ("prompt", "language", "reason", "detail")
    return pa.table({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(columns)})


def _judge(text: str, unsafe: bool, redacted: bool, cleaning: Cleaning) -> tuple[str, str, str, str]:
    """Return the prompt as it is kept, its language, and reason and detail where it goes."""
    length = len(text) + sum("\u4e00" <= character <= "\u9fff" for character in text[: cleaning.max_chars])
    readable = cleaning.min_chars <= length <= cleaning.max_chars
    prompt = _Prompt(text, length, unsafe, redacted, language.detect(text) if readable else "")
    for reason, check in _CHECKS.items():
        detail = check(prompt, cleaning)
        if detail is not None:
            return mask(text), prompt.language, reason, detail
    return mask(text), prompt.language, "", ""


def equal_ones(table: pa.Table, cleaning: Cleaning, engine: Engine) -> Outcome:
    """Keep the first of prompts that compare equal, and none of those that come too often: they are templates."""
    found = engine.map(table.select(["prompt"]), _keys, "keys")
    first: dict[bytes, int] = {}
    copies: Counter[int] = Counter()
    alike: Counter[bytes] = Counter()
    rejects = Rejects()
    keys = zip(found.column("whole").to_pylist(), found.column("opening").to_pylist(), strict=True)
    for place, (whole, opening) in enumerate(keys):
        kept = first.setdefault(whole, place)
        copies[kept] += 1
        if kept != place:
            rejects.duplicate(place, kept, "exact_duplicate", 1.0)
        elif opening is not None:
            alike[opening] += 1
            if alike[opening] > cleaning.max_alike:
                rejects.add(place, "template", f"{alike[opening]} open alike")
    for place, count in copies.items():
        if count > cleaning.max_copies:
            rejects.add(place, "template", f"{count} copies")
    counts = [copies.get(place, 1) for place in range(len(table))]
    return split(with_column(table, "copies", counts), rejects, "exact")


def _keys(part: pa.Table) -> pa.Table:
    """Return what stands for each prompt as it is compared, and for the beginning of a long one."""
    plain = [comparable(text) for text in texts(part)]
    columns = {
        "whole": [_digest(text) for text in plain],
        "opening": [_digest(text[:_OPENING]) if len(text) > _OPENING else None for text in plain],
    }
    return pa.table({name: pa.array(values, pa.binary()) for name, values in columns.items()})


def _digest(text: str) -> bytes:
    # Sixteen bytes, not the text: a million of them travel and fit in memory, and no two texts share one by chance.
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
