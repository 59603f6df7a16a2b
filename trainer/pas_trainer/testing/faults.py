"""Faults on request: which of the calls go wrong, and how."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal, get_args

from pas_middleware.errors import ConfigError

#: rate_limit: 429 with Retry-After; quota: 429, the account is empty; timeout: no answer at all; error: 500;
#: overloaded: 503 with Retry-After; html: a web page; truncated: JSON cut off; too_long, filtered, bad_request: 400 and
#: the code for it; empty: no text; refusal: the refusal field; length: cut at max_tokens; malformed: text, no JSON.
Fault = Literal[
    "rate_limit",
    "quota",
    "timeout",
    "error",
    "overloaded",
    "html",
    "truncated",
    "too_long",
    "filtered",
    "bad_request",
    "empty",
    "refusal",
    "length",
    "malformed",
]
#: Those that are errors of the protocol: status, code, the parameter that is at fault.
ERRORS: dict[str, tuple[int, str, str | None]] = {
    "rate_limit": (429, "rate_limit_exceeded", None),
    "quota": (429, "insufficient_quota", None),
    "error": (500, "server_error", None),
    "overloaded": (503, "overloaded", None),
    "too_long": (400, "context_length_exceeded", "messages"),
    "filtered": (400, "content_filter", None),
    "bad_request": (400, "unsupported_parameter", "max_tokens"),
}


@dataclass(frozen=True, slots=True)
class Faults:
    """The first `count` calls go wrong, or a share of all."""

    fault: Fault
    count: int = 0
    share: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Faults:
        """Read `rate_limit:200` (the first 200 calls) or `timeout:5%`."""
        name, _, amount = text.partition(":")
        if name not in get_args(Fault):
            raise ConfigError(f"There is no fault {name!r};", hint=f"use {', '.join(get_args(Fault))}.")
        try:
            if amount.endswith("%"):
                return cls(name, share=float(amount[:-1]) / 100)  # type: ignore[arg-type]
            return cls(name, count=int(amount))  # type: ignore[arg-type]
        except ValueError:
            raise ConfigError(f"{text!r} has no amount;", hint="write rate_limit:200 or timeout:5%.") from None

    def hits(self, number: int) -> bool:
        """Tell whether the call of that number, from 0, goes wrong."""
        return number < self.count or random.Random(f"{self.fault} {number}").random() < self.share
