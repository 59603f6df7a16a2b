"""Scores of a set of complements that need no LLM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pas_middleware import guard
from pas_middleware.errors import GuardRejected
from pas_middleware.language import detect
from pas_middleware.words import MAX_WORDS, count_words


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """Shares of the applied, but for `applied`, the share of all, and `words`, the mean length.

    `valid` passes the guard as it is, `language` is in the prompt's language, `distinct` the share of different
    complements, `prefix` the share of sent texts that begin with the prompt, byte for byte.
    """

    n: int
    applied: float
    valid: float | None
    words: float | None
    words_p95: float | None
    language: float | None
    distinct: float | None
    prefix: float | None
    rejected: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a JSON-ready dictionary."""
        return asdict(self)


def intrinsic(rows: Sequence[Mapping[str, Any]]) -> Intrinsic:
    """Return the scores of rows {prompt, complement, text}; a row without `text` is taken as prompt and complement."""
    added = [row for row in rows if row["complement"]]
    if not added:
        return Intrinsic(len(rows), 0.0, None, None, None, None, None, None, {})
    reasons = [_refusal(row["complement"], row["prompt"]) for row in added]
    lengths = [count_words(row["complement"]) for row in added]
    return Intrinsic(
        n=len(rows),
        applied=len(added) / len(rows),
        valid=_share([not reason for reason in reasons]),
        words=float(np.mean(lengths)),
        words_p95=float(np.percentile(lengths, 95)),
        language=_share([_agree(row["complement"], row["prompt"]) for row in added]),
        distinct=len({row["complement"] for row in added}) / len(added),
        prefix=_share([row.get("text", row["prompt"]).startswith(row["prompt"]) for row in added]),
        rejected={reason: reasons.count(reason) for reason in sorted(set(reasons) - {""})},
    )


def _refusal(complement: str, prompt: str) -> str:
    """Return why the guard would not let a complement out as it is, "" where it would."""
    try:
        return "" if guard.check(complement, prompt, max_words=MAX_WORDS) == complement else "guard_words"
    except GuardRejected as error:
        return error.reason


def _agree(complement: str, prompt: str) -> bool:
    return detect(complement) == detect(prompt)


def _share(values: Sequence[bool]) -> float:
    return float(np.mean(values))
