"""One complement as it grows: candidates in, tokens out, text as it comes, and when to stop."""

from __future__ import annotations

import hashlib
import math
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import words
from ..errors import AugmentationError, DeadlineExceeded
from ..limits import Deadline
from ..settings import Sampling
from .base import Request
from .template import PromptTokenizer


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a complement ends: at one of the ids `ends`, beyond `max_words`, or after `max_new_tokens`."""

    ends: frozenset[int]
    max_words: int
    max_new_tokens: int


class Sampler:
    """Picks the next token among the candidates; draws depend on the seed and the prompt, never on the neighbours."""

    def __init__(self, sampling: Sampling, prompt: str) -> None:
        self._sampling = sampling
        key = hashlib.sha256(f"{sampling.seed}\0{prompt}".encode("utf-8", "surrogatepass")).digest()
        self._random = np.random.default_rng(int.from_bytes(key[:8], "big")) if sampling.temperature else None

    def pick(self, logits: NDArray[np.float32], ids: NDArray[np.int64]) -> int:
        """Return one of the ids, given with their logits, greatest first."""
        if self._random is None:
            return int(ids[0])
        scaled = logits.astype(np.float64) / self._sampling.temperature
        mass = np.exp(scaled - scaled[0])
        # Of the shares, as many as it takes to reach top_p; the first always.
        share = np.cumsum(mass / mass.sum())
        kept = int(np.searchsorted(share, self._sampling.top_p)) + 1
        return int(self._random.choice(ids[:kept], p=mass[:kept] / mass[:kept].sum()))


class Generation:
    """The way of one request through the batch; `text` is set when it ends, after `cut_short` where that was early."""

    def __init__(self, request: Request, tokenizer: PromptTokenizer, limits: Limits, deadline: Deadline) -> None:
        self.prompt_ids = tokenizer.encode(request.prompt)
        self.deadline = deadline
        self.text: Future[str] = Future()
        self.tokens: list[int] = []
        self.cut_short = False
        self._request, self._tokenizer, self._limits = request, tokenizer, limits
        self._sampler = Sampler(request.sampling, request.prompt)
        self._written = ""

    def add(self, logits: NDArray[np.float32], ids: NDArray[np.int64]) -> bool:
        """Take the candidates for the next token; return False, with `text` set, where the complement has ended."""
        if not math.isfinite(logits[0]):
            self.fail(AugmentationError("The model's scores are no numbers."))
            return False
        token = self._sampler.pick(logits, ids)
        if token in self._limits.ends:
            return self._end(self._written)
        self.tokens.append(token)
        self._write(self._tokenizer.decode(self.tokens).lstrip())
        if not words.fits(self._written, self._limits.max_words):
            return self._end(self._written)  # the guard cuts it at a sentence end
        if len(self.tokens) >= self._limits.max_new_tokens:
            return self._end(self._whole_sentences())
        return True

    def _write(self, text: str) -> None:
        changed, self._written = text != self._written, text
        if changed and self._request.on_text is not None:
            self._request.on_text(text)

    def _end(self, text: str) -> bool:
        with suppress(InvalidStateError):  # closed meanwhile by another thread
            self.text.set_result(text.strip())
        return False

    def _whole_sentences(self) -> str:
        return words.whole_sentences(self._written, self._limits.max_words)

    def expire(self) -> None:
        """End at the deadline with the whole sentences so far; fail where there is none."""
        text = self._whole_sentences()
        if text:
            self.cut_short = True
            self._end(text)
        else:
            self.fail(DeadlineExceeded("No sentence of the complement was ready at the deadline."))

    def fail(self, error: BaseException) -> None:
        """End with an error, unless it has ended already."""
        with suppress(InvalidStateError):
            self.text.set_exception(error)
