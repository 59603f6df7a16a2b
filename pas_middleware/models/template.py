"""The fixed text that a generator was trained with, and its one slot for the user's prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from ..errors import ConfigError
from .tokenizer import clean, excerpt, read_tokenizer

SLOT = "{prompt}"
#: More characters than any tokenizer needs for a token, on average: of a longer prompt only the ends are tokenized.
_CHARS_PER_TOKEN = 8


@dataclass(frozen=True, slots=True)
class Template:
    """The text before and after the prompt, control tokens written out."""

    before: str
    after: str

    @classmethod
    def parse(cls, text: str) -> Template:
        """Return the template of a text with one {prompt}; raises ConfigError where it has none or several."""
        if text.count(SLOT) != 1:
            raise ConfigError(f"The template has {text.count(SLOT)} slots;", hint=f"write {SLOT} in it exactly once.")
        before, after = text.split(SLOT)
        return cls(before, after)


class PromptTokenizer:
    """Turn prompts into ids for a template, and ids into text.

    The prompt is encoded apart from the template and spliced as ids, with control tokens switched off: text of special
    tokens in it stays text. Of a prompt longer than `max_tokens` the head and `tail_tokens` of the tail are kept.
    """

    def __init__(self, path: Path, template: Template, *, max_tokens: int, tail_tokens: int) -> None:
        self._tokenizer = read_tokenizer(path)
        self.prefix = tuple(self._tokenizer.encode(template.before, add_special_tokens=False).ids)
        self._after = self._tokenizer.encode(template.after, add_special_tokens=False).ids
        self._plain, self.controls = _without_controls(path)
        self._max, self._tail = max_tokens, tail_tokens

    def encode(self, prompt: str) -> list[int]:
        """Return the ids that follow the prefix: the prompt's, then those of the template's end."""
        text = excerpt(clean(prompt), self._max * _CHARS_PER_TOKEN, self._tail * _CHARS_PER_TOKEN)
        # A vocabulary that lists control tokens among its pieces could still give them.
        ids = [i for i in self._plain.encode(text, add_special_tokens=False).ids if i not in self.controls]
        if len(ids) > self._max:
            ids = ids[: self._max - self._tail] + ids[len(ids) - self._tail :]
        return [*ids, *self._after]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of generated ids; a character that is not whole yet is left out."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text.rstrip("\ufffd")


def _without_controls(path: Path) -> tuple[Tokenizer, frozenset[int]]:
    """Return a tokenizer that knows no added tokens but runs of spaces, and the ids of those it does not know."""
    content = json.loads(path.read_text(encoding="utf-8"))
    added = content.get("added_tokens", [])
    controls = [token for token in added if token["special"] or not token["content"].isspace()]
    content["added_tokens"] = [token for token in added if token not in controls]
    content["post_processor"] = None  # it may name tokens that are gone
    return Tokenizer.from_str(json.dumps(content)), frozenset(token["id"] for token in controls)
