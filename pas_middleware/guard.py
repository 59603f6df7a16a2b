"""What may leave a model: checks on a complement. It rejects; its only repair is a cut at a sentence end."""

from __future__ import annotations

import re
import unicodedata

from . import language
from .augmentation import Reason
from .errors import GuardRejected
from .words import cut_at_sentence

#: Anything in angle brackets or doubled square ones reads as a tag or a token of some chat format.
_TAG = re.compile(
    r"<\s*[/|!]?\s*[a-z_\uff5c|][^<>\n]{0,60}>|<<|>>|<!--|-->|\[/?\s*(?:inst|system_?prompt|available_tools|tool_)",
    re.I,
)
_BAR = re.compile("<\\||\\|>|\uff5c>|<\uff5c|\u2581(?:of|begin|end)\u2581", re.I)
_ROLE = re.compile(
    r"(?:^|[\s.;])(?:###\s*)?(?:system|user|assistant|human|ai|instruction|response|tool|model)\s*:|###|"
    "(?:\u7cfb\u7edf|\u7528\u6237|\u52a9\u624b|\u4eba\u7c7b)\\s*[:\uff1a]",
    re.I,
)
_BRACE = re.compile(r"[{}]")
_URL = re.compile(
    r"(?:https?|ftp)://[^\s]+|www\.[^\s]+|[\w.+-]{1,64}@[\w-]{1,63}\.\w+|"
    r"\b[a-z0-9][\w-]{0,62}\.(?:com|org|net|io|ai|cn|edu|gov|co|dev|app|info|xyz)\b(?:/\S*)?",
    re.I,
)
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LETTERS = re.compile(r"[\W_]+")


def check(complement: str, prompt: str, *, max_words: int, prompt_language: str = "") -> str:
    """Return the complement, cut at a sentence end where it was too long.

    Raises GuardRejected with the reason guard_empty, guard_words, guard_control, guard_url, guard_copy or
    guard_language. `prompt_language` saves detecting it again.
    """
    if not complement.strip():
        raise _rejected("guard_empty", "it is empty")
    _check_characters(complement)
    whole = cut_at_sentence(complement, max_words)
    if not whole:
        raise _rejected("guard_words", f"it is longer than {max_words} words or 320 characters")
    _check_urls(whole, prompt)
    _check_copy(whole, prompt)
    _check_language(whole, prompt_language or language.detect(prompt))
    return whole


def _rejected(reason: Reason, why: str) -> GuardRejected:
    return GuardRejected(f"The complement was rejected: {why}.", reason=reason)


def _check_characters(text: str) -> None:
    if any(unicodedata.category(c) in _INVISIBLE for c in text):
        raise _rejected("guard_control", "it holds control, direction or invisible characters")
    # Fullwidth letters and brackets are looked through; the bar tokens are checked as written too.
    plain = unicodedata.normalize("NFKC", text)
    if any(p.search(t) for t in (text, plain) for p in (_TAG, _BAR, _ROLE, _BRACE)):
        raise _rejected("guard_control", "it holds a tag, a brace, or a control or role token of a chat format")


def _check_urls(text: str, prompt: str) -> None:
    for match in _URL.finditer(text):
        if match.group().rstrip(".,;:!?") not in prompt:
            raise _rejected("guard_url", "it names an address that the prompt does not")


def _check_copy(text: str, prompt: str) -> None:
    mine, theirs = (_LETTERS.sub("", t).lower() for t in (text, prompt))
    if not mine:
        raise _rejected("guard_empty", "it has no letters")
    if mine == theirs or (len(mine) >= 12 and mine in theirs) or (len(theirs) >= 20 and theirs in mine):
        raise _rejected("guard_copy", "it repeats the prompt")


def _check_language(text: str, expected: str) -> None:
    found = language.detect(text)
    if expected in ("en", "zh") and found != expected:
        raise _rejected("guard_language", f"it is in {found!r}, the prompt in {expected!r}")
