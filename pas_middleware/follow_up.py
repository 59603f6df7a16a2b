"""Follow-ups: prompts that only steer an earlier answer ("shorter", "why?", "continue").

A follow-up names no subject: all its words come from the closed vocabulary of `follow_up_words`, and some steer.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product

from . import follow_up_words as words

_MAX_CHARS = 80
#: Quotes, lists and arithmetic bring a subject of their own.
_MATERIAL = re.compile(
    "[\"\u201c\u201d\u2018\u300c\u300d\u300a\u300b`=*/<>\\[\\]{}@$%^&|\\\\:\uff1a\n_]|(?<!\\w)'|\\d\\s?\\+"
)
_TOKEN = re.compile("c\\+\\+|c#|[a-z]+(?:['\u2019][a-z]+)?|[0-9]+|[^\\W_]", re.I)
_ANY_NUMBER = "0"
_MAX_NUMBERS = 2
#: Words that may follow a switch to another case ("what about France").
_SWITCH_ROOM = 3

Phrase = tuple[str, ...]


def is_follow_up(prompt: str) -> bool:
    """Tell whether a prompt only steers an earlier answer ("shorter", "why?", "continue")."""
    text = prompt.strip()
    if len(text) > _MAX_CHARS or _MATERIAL.search(text):
        return False
    tokens = _tokens(text)
    if not tokens or tokens.count(_ANY_NUMBER) > _MAX_NUMBERS:
        return False
    return _is_alone(tokens) or _steers(tokens) or _switches(tokens)


def _tokens(text: str) -> Phrase:
    """Split into lower-case words without apostrophes; a Han character is a word, all numbers are the same one."""
    found = (token.lower().replace("\u2019", "").replace("'", "") for token in _TOKEN.findall(text))
    return tuple(_ANY_NUMBER if token.isdecimal() else token for token in found)


@lru_cache(maxsize=1)
def _vocabulary() -> tuple[dict[Phrase, bool], int]:
    """Return every phrase that a follow-up may hold, with whether it steers, and the length of the longest."""
    patterns = (" ".join(parts) for groups in words.PATTERNS for parts in product(*groups))
    fillers = dict.fromkeys(map(_tokens, words.FILLERS), False)
    vocabulary = fillers | dict.fromkeys(map(_tokens, (*words.STEERS, *patterns)), True)
    return vocabulary, max(map(len, vocabulary))


def _steers(tokens: Phrase) -> bool:
    """Tell whether phrases of the vocabulary cover all the tokens, one that steers among them."""
    vocabulary, longest = _vocabulary()
    # most[i]: the most steering phrases in a cover of the first i tokens, -1 where there is none.
    most = [0] + [-1] * len(tokens)
    for end in range(1, len(tokens) + 1):
        for start in range(max(0, end - longest), end):
            steering = vocabulary.get(tokens[start:end])
            if most[start] >= 0 and steering is not None:
                most[end] = max(most[end], most[start] + steering)
    return most[-1] > 0


@lru_cache(maxsize=1)
def _alone() -> frozenset[Phrase]:
    return frozenset(map(_tokens, words.ALONE))


def _is_alone(tokens: Phrase) -> bool:
    """Tell whether nothing but politeness stands beside a bare question or reaction."""
    return tokens in _alone() or tuple(t for t in tokens if t not in words.POLITE) in _alone()


def _switches(tokens: Phrase) -> bool:
    """Tell whether the tokens only name another case for what was asked before."""
    if tokens[-1] == "呢":
        named = tokens[tokens[0] == "那" : -1]
        return len(named) <= 4 and words.ASKING_ZH.isdisjoint(named)
    if tokens[0] in words.FURTHER_ZH and tokens[-1] in words.SOMEWHAT_ZH:
        return len(tokens) <= 6
    return any(_leads(tokens[start:]) for start in range(len(tokens)) if words.POLITE.issuperset(tokens[:start]))


@lru_cache(maxsize=1)
def _switching() -> tuple[Phrase, ...]:
    return tuple(map(_tokens, words.SWITCHES))


def _leads(tokens: Phrase) -> bool:
    leads = _switching()
    return any(tokens[: len(lead)] == lead and len(tokens) - len(lead) <= _SWITCH_ROOM for lead in leads)
