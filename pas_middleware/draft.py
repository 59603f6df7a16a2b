"""A complement while it is streamed: which sentences are final, what is provisional, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from . import words
from .errors import AugmentationError, GuardRejected

Commit = Literal["sentence", "token"]


class Draft:
    """Turns all that was written so far into pieces to pass on.

    With "sentence" a piece is whole sentences that passed the guard, and what was passed on is kept whatever follows;
    with "token" it is whatever is new, provisional until the end.
    """

    def __init__(self, check: Callable[[str], str], commit: Commit) -> None:
        self.kept = ""
        self._check, self._sentences = check, commit == "sentence"
        self._shown = ""
        self._refused: AugmentationError | None = None

    def take(self, text: str) -> str:
        """Return what may be passed on now that so much is written."""
        if not self._sentences:
            return self._more(text)
        # The last mark may be a decimal point or the dot of an abbreviation until something follows it.
        whole = words.whole_sentences(text, words.MAX_WORDS)
        return self._keep(whole) if len(whole) < len(text) else ""

    def end(self, text: str) -> str:
        """Return the last piece, the complement being written; raises GuardRejected where nothing of it may be used."""
        if not self._sentences:
            self.kept = self._check(text)
            return ""
        last = self._keep(text)
        if not self.kept and self._refused is not None:
            raise self._refused
        return last

    def _more(self, text: str) -> str:
        if not text.startswith(self._shown):
            return ""
        piece, self._shown = text[len(self._shown) :], text
        return piece

    def _keep(self, text: str) -> str:
        """Add sentences to what is kept; after one was refused nothing more is."""
        final = self._refused is not None and self._refused.reason != "guard_language"
        if final or len(text) <= len(self.kept) or not text.startswith(self.kept):
            return ""
        try:
            checked = self._check(text)
        except GuardRejected as error:  # of a language that its first words do not show, more words may
            self._refused = error
            return ""
        piece, self.kept = checked[len(self.kept) :], checked
        return piece
