"""PAS models: a causal LM that writes the complement, as an ONNX graph, on the CPU or on CUDA."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as WaitTimeout
from typing import Any
from weakref import WeakSet

from ..errors import AugmentationError, DeadlineExceeded
from ..limits import Deadline, is_failure
from .base import ModelInfo, Proposal, Request
from .batcher import Batcher
from .decoder import Decoder
from .directory import ModelDirectory
from .generation import Generation
from .recipe import Recipe
from .session import keep_for_ever


class Generator:
    """Write a complement for each prompt, many at once; streams where a request has `on_text`."""

    def __init__(self, directory: ModelDirectory, device: str = "auto", *, threads: int | None = None) -> None:
        self._recipe = Recipe.read(directory)
        self._threads = threads or os.cpu_count() or 1
        self._device = device
        self._session: Any = None
        decoder = self._open()
        self._begin([decoder])
        self.info = _info(directory, rows=decoder.rows, device=self._device)
        _LIVE.add(self)

    def _open(self) -> Decoder:
        # From the first time on, "auto" stays where it went.
        decoder, self._session, self._device = self._recipe.open(self._device, self._threads)
        return decoder

    def _begin(self, opened: list[Decoder]) -> None:
        self._batcher = Batcher(lambda: opened.pop() if opened else self._open())

    def propose(self, requests: Sequence[Request], deadline: Deadline) -> list[Proposal]:
        """Return one proposal a request, those that failed alone with their error; raises where all failed."""
        recipe, batcher = self._recipe, self._batcher
        generations = [Generation(request, recipe.tokenizer, recipe.limits, deadline) for request in requests]
        for generation in generations:
            batcher.submit(generation)
        proposals = [_proposal(generation, deadline) for generation in generations]
        errors = [proposal.error for proposal in proposals if proposal.error is not None]
        if errors and len(errors) == len(proposals):
            raise errors[0]
        return proposals

    def recognises(self, text: str) -> bool:
        """Return False: what a generator wrote is known only to the PAS object that applied it."""
        return False

    def close(self) -> None:
        """Stop what runs and release the session; the next prompt opens it again."""
        self._batcher.close()
        self._session = None

    def _forked(self) -> None:
        # The parent's threads and session are of no use to the child, which opens its own when first asked.
        keep_for_ever(self._session)
        keep_for_ever(self._batcher)
        self._session = None
        self._begin([])


def _proposal(generation: Generation, deadline: Deadline) -> Proposal:
    try:
        text = generation.text.result(deadline.left())
        return Proposal(text, cut_short=generation.cut_short)
    except WaitTimeout:
        return Proposal(error=DeadlineExceeded("The complement was not ready in time."))
    except CancelledError:
        return Proposal(error=AugmentationError("The model was closed while the prompt waited."))
    except AugmentationError as error:
        return Proposal(error=error)
    except BaseException as error:  # a tokenizer's panic is no Exception
        if not is_failure(error):
            raise
        return Proposal(error=AugmentationError(f"The model failed: {error}"))


def _info(directory: ModelDirectory, *, rows: int, device: str) -> ModelInfo:
    config = directory.config
    return ModelInfo(
        name=config["name"],
        kind="generator",
        version=config["version"],
        languages=tuple(config["languages"]),
        deadline_ms=float(config["limits"]["deadline_ms"]),
        digest=directory.digest,
        max_words=int(config["limits"]["max_words"]),
        threads=rows,
        bytes=directory.bytes,
        folder=str(directory.path),
        device=device,
        made=config.get("made", {}),
    )


_LIVE: WeakSet[Generator] = WeakSet()


def _start_anew() -> None:
    for generator in list(_LIVE):
        generator._forked()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_start_anew)
