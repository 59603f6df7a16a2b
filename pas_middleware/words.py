"""Counting words as the project defines them, and cutting at a sentence end."""

from __future__ import annotations

import re

MAX_WORDS = 30
MAX_CHARS = 320

#: Han and kana, in the basic and the supplementary planes, iteration marks and halfwidth forms included.
_HALF = re.compile(
    "[\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
_RUN = re.compile(r"[^\W_]+")
_LATIN_END = r"[.!?][\"'\u2019\u201d)\]]*(?=\s|$)"
_HAN_END = "[\u3002\uff01\uff1f][\"'\u2019\u201d\u300d\u300f\uff09\u3011]*"
_SENTENCE_END = re.compile(f"{_LATIN_END}|{_HAN_END}")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|mr|mrs|ms|dr|st|no|fig|approx|[a-z])\.$", re.IGNORECASE)


def count_words(text: str) -> float:
    """Count words: a run of letters or digits is one, a Han or kana character half a word, punctuation nothing."""
    half = len(_HALF.findall(text))
    return half / 2 + len(_RUN.findall(_HALF.sub(" ", text)))


def fits(text: str, max_words: int) -> bool:
    """Tell whether a complement is short enough: `max_words` words and 320 characters."""
    return len(text) <= MAX_CHARS and count_words(text) <= max_words


def cut_at_sentence(text: str, max_words: int) -> str:
    """Return the longest run of whole sentences that fits, "" where not even the first does."""
    return text if fits(text, max_words) else whole_sentences(text, max_words)


def whole_sentences(text: str, max_words: int) -> str:
    """Return the longest run of whole sentences at the beginning of a text that fits, the unfinished rest cut off."""
    best = ""
    # One character more than may stay, so that a mark at the edge is seen with what follows it.
    for match in _SENTENCE_END.finditer(text[: MAX_CHARS + 1]):
        head = text[: match.end()]
        if not fits(head, max_words):
            break
        if not _ABBREVIATION.search(head):
            best = head
    return best
