"""How a review is done, fixed when it is started."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from pas_middleware.errors import ConfigError, InputError

Mode = Literal["grade", "compare"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a review is done; `usable` is the least grade of an answer that can be used as it is."""

    mode: Mode
    arms: tuple[str, ...]
    baseline: str
    scale: int
    usable: int
    seed: int
    identical: int
    incomplete: int
    source: str
    token: str


def make_plan(
    arms: Sequence[str],
    *,
    mode: Mode = "compare",
    baseline: str | None = None,
    scale: int = 5,
    usable: int | None = None,
    seed: int = 0,
    identical: int = 0,
    incomplete: int = 0,
    source: str = "",
) -> Plan:
    """Check what a new review is to be and fill in what was not given."""
    if mode not in get_args(Mode):
        raise ConfigError(f"mode is {mode!r};", hint="use grade or compare.")
    if not 2 <= scale <= 9:
        raise ConfigError(f"scale is {scale};", hint="use 2 to 9: a grade is one key.")
    usable = (scale + 2) // 2 if usable is None else usable
    if not 1 <= usable <= scale:
        raise ConfigError(f"usable is {usable};", hint=f"use a grade of 1 to {scale}.")
    baseline = baseline if baseline is not None else ("none" if "none" in arms else arms[0])
    if baseline not in arms:
        raise ConfigError(f"baseline is {baseline!r};", hint=f"use one of the arms: {', '.join(arms)}.")
    if mode == "compare" and len(arms) < 2:
        raise InputError(f"There is one arm only, {arms[0]!r};", hint="to compare needs two; use --mode grade.")
    token = secrets.token_urlsafe(24)
    return Plan(mode, tuple(arms), baseline, scale, usable, seed, identical, incomplete, source, token)
