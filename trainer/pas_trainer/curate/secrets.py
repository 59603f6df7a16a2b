"""What must not reach a training set or a teacher: keys, tokens, cards, addresses, numbers. Masked where found."""

from __future__ import annotations

import re
from functools import partial

# ASCII: else a Han character beside a number counts as a part of it.
_SECRETS = {
    "[KEY]": re.compile(
        r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}\b|\bgh[pousr]_[A-Za-z0-9]{30,}\b|\bAKIA[0-9A-Z]{16}\b"
        r"|\bxox[abps]-[\w-]{10,}|\bhf_[A-Za-z0-9]{30,}\b|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}"
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END[^-]*-----)?",
        re.ASCII,
    ),
    "[EMAIL]": re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,4}\b", re.ASCII),
    "[CARD]": re.compile(r"\b(?:\d{4}[ -]?){3}\d{4}\b", re.ASCII),
    "[IBAN]": re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b", re.ASCII),
    "[PHONE]": re.compile(
        r"(?<![\d.])\+\d{1,3}[ -.]?(?:\(\d{1,4}\)[ -.]?)?\d{2,4}(?:[ -.]?\d{2,4}){2,3}(?![\d.])|\b1[3-9]\d{9}\b",
        re.ASCII,
    ),
    "[IP]": re.compile(r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b", re.ASCII),
}


def mask(text: str) -> str:
    """Return a text with secrets and personal data replaced by what they were."""
    for name, pattern in _SECRETS.items():
        text = pattern.sub(partial(_masked, name), text)
    return text


def _masked(name: str, hit: re.Match[str]) -> str:
    return hit.group() if _is_other(name, hit.group()) else name


def _is_other(name: str, found: str) -> bool:
    """Tell whether the digits of a number are no card's: those of its length are also sums and identifiers."""
    if name != "[CARD]":
        return False
    digits = [int(character) for character in found if character.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[::-2]) + sum(doubled)) % 10 != 0
