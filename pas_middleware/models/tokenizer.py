"""Tokenizing hostile text: configured once, special tokens as plain text, head and tail of the long kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ..errors import ModelCorrupt

#: Of a longer text only the first and last characters are tokenized; more could not enter the encoder.
HEAD_CHARS, TAIL_CHARS = 2_000, 1_000


def excerpt(text: str, head: int = HEAD_CHARS, tail: int = TAIL_CHARS) -> str:
    """Return the head and tail of a long text, a short one as it is."""
    return text if len(text) <= head + tail else f"{text[:head]}\n{text[-tail:]}"


def clean(text: str) -> str:
    """Return a text that can be encoded as UTF-8, which tokenizers needs: a lone surrogate cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def read_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer of a file, set up once; raises ModelCorrupt where it is none.

    Changing truncation or padding later, from several threads, raises "Already borrowed".
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception for every unreadable file
        raise ModelCorrupt(f"{path} is no tokenizer: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class EncoderTokenizer:
    """Turn prompts into padded ids of shape (prompts, tokens) with their attention mask."""

    def __init__(self, path: Path, *, max_tokens: int, tail_tokens: int) -> None:
        self._tokenizer = read_tokenizer(path)
        # Otherwise "[SEP]" typed by a user becomes the control token; the flag is not kept in tokenizer.json.
        self._tokenizer.encode_special_tokens = True
        self._room, self._tail = max_tokens - 2, tail_tokens
        self._first, self._last, self._pad = (self._id(path, t) for t in ("[CLS]", "[SEP]", "[PAD]"))

    def _id(self, path: Path, token: str) -> int:
        number = self._tokenizer.token_to_id(token)
        if number is None:
            raise ModelCorrupt(f"{path} has no token {token}.")
        return int(number)

    def ids(self, text: str) -> list[int]:
        """Return the ids of one text between its two markers, the middle of a long one left out."""
        row = self._tokenizer.encode(clean(excerpt(text)), add_special_tokens=False).ids
        if len(row) > self._room:
            row = row[: self._room - self._tail] + row[len(row) - self._tail :]
        return [self._first, *row, self._last]

    def batch(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return ids and mask of several texts, padded to the longest."""
        rows = [self.ids(text) for text in texts]
        width = max(map(len, rows))
        ids = np.full((len(rows), width), self._pad, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        return ids, mask
