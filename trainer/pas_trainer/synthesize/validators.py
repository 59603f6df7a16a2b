"""What can be seen without paying: the core's guard, refusals, repetitions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pas_middleware import guard
from pas_middleware.errors import GuardRejected
from pas_middleware.words import MAX_WORDS

from .messages import Rejected, Verdict

#: The flaw that each reason of the guard comes down to.
_FLAW_OF = {
    "guard_words": "excessive",
    "guard_language": "wrong_language",
    "guard_copy": "superfluous",
    "guard_empty": "superfluous",
    "guard_url": "deviates",
    "guard_control": "deviates",
}
_REFUSAL = re.compile(
    "^(?:i['\u2019]m sorry|i am sorry|sorry,|i can(?:no|['\u2019])t |as an ai\\b|i['\u2019]m unable|"
    "\u62b1\u6b49|\u5bf9\u4e0d\u8d77|\u4f5c\u4e3a(?:\u4e00\u4e2a)?(?:ai|\u4eba\u5de5\u667a\u80fd)|\u6211\u65e0\u6cd5|\u6211\u4e0d\u80fd)",
    re.IGNORECASE,
)


def validate(complement: str, prompt: str, language: str, earlier: Sequence[Rejected] = ()) -> Verdict | None:
    """Return what is wrong with a complement for certain, None where the critic has to say; "" is nothing wrong."""
    if any(complement == each.complement for each in earlier):
        same = next(each for each in earlier if each.complement == complement)
        return Verdict(same.flaw, f"It repeats what was rejected: {same.reason}", "guard")
    if not complement:
        return None
    if _REFUSAL.match(complement):
        return Verdict("deviates", "It refuses; say how to answer, or leave the prompt alone.", "guard")
    try:
        whole = guard.check(complement, prompt, max_words=MAX_WORDS, prompt_language=language)
    except GuardRejected as rejected:
        return Verdict(_FLAW_OF[rejected.reason], str(rejected), "guard")
    if whole != complement:
        return Verdict("excessive", f"It is longer than {MAX_WORDS} words or 320 characters.", "guard")
    return None
