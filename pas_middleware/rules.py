"""Rules that leave a prompt alone before any model runs."""

from __future__ import annotations

import unicodedata

from .augmentation import Reason
from .code_only import is_code_only
from .constraints import fixes_bare_result
from .follow_up import is_follow_up

__all__ = ["is_blank", "is_code_only", "is_follow_up", "reason_to_skip"]

#: Letters by their category that show nothing: the fillers of the Korean alphabet.
_INVISIBLE_LETTERS = "\u115f\u1160\u3164\uffa0"


def is_blank(prompt: str) -> bool:
    """Tell whether a prompt holds no letter and no digit in any script."""
    return not any(map(_speaks, prompt))


def _speaks(character: str) -> bool:
    if character in _INVISIBLE_LETTERS:
        return False
    # Symbols made of letters, such as "㎡", say something too.
    return character.isalnum() or any(map(str.isalnum, unicodedata.normalize("NFKD", character)))


def reason_to_skip(prompt: str, *, max_chars: int, constrained: bool = False) -> Reason:
    """Return why a prompt is left alone without asking the model, "" where the model is to decide.

    `constrained` says that the caller fixes the answer's form elsewhere, as with a response format.
    """
    if len(prompt) > max_chars:
        return "too_long"
    if is_blank(prompt):
        return "blank"
    if constrained or fixes_bare_result(prompt):
        return "already_constrained"
    if is_follow_up(prompt):
        return "follow_up"
    if is_code_only(prompt):
        return "code_only"
    return ""
