"""PAS, the one noun: load a model, augment prompts, keep every promise when the model fails."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import cast, get_args, overload
from weakref import WeakSet

from . import messages
from .augmentation import REASONS, Augmentation, AugmentedMessages, Reason, Status
from .draft import Commit
from .errors import AugmentationError, InputError
from .limits import Clock
from .models.base import ComplementModel, ModelInfo, Request
from .models.load import load_model
from .pipeline import Pipeline
from .record import Record
from .screening import Verdict
from .settings import Settings

#: Prompts of a batch that share one call of the model, and so one deadline of as many times `deadline_ms`.
_CHUNK = 32
#: Characters of which the rules and the language take more than a few milliseconds to read.
_MUCH_TEXT = 20_000


class PAS:
    """Put a complement behind prompts: `augment`, `aaugment`, `augment_batch`, `augment_messages`, `stream`.

    Safe to share between threads and tasks. A failure or a lateness passes the prompt on unchanged and is recorded in
    `status` and `reason`; with `Settings(on_error="raise")` it raises an AugmentationError.
    """

    def __init__(
        self,
        model: ComplementModel,
        settings: Settings | None = None,
        *,
        record: Record | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.settings, self.record = settings or Settings(), record
        self._pipeline = Pipeline(model, self.settings, clock)
        _LIVE.add(self._pipeline)

    @classmethod
    def load(
        cls,
        model: str | os.PathLike[str] | None = None,
        *,
        device: str = "auto",
        settings: Settings | None = None,
        threads: int | None = None,
        record: Record | None = None,
    ) -> PAS:
        """Load a model directory, by default the embedded pas-mini; device is auto, cpu, cuda or tensorrt.

        `threads` are those of one run of the model: by default 2 for a selector, every core for a generator.
        `record` keeps what comes of every prompt.

        Raises ModelNotFound, ModelCorrupt, ModelIncompatible, RuntimeMissing or ConfigError before anything runs.
        """
        folder = Path(__file__).parent / "pas_mini" if model is None else Path(model)
        return cls(load_model(folder, device, threads), settings, record=record)

    @property
    def model(self) -> ModelInfo:
        """Return what the model says of itself."""
        return self._pipeline.model.info

    def augment(self, prompt: str, *, constrained: bool = False) -> Augmentation:
        """Augment one prompt; `constrained` says that a response format fixes the answer elsewhere."""
        return self._augment_all([prompt], constrained)[0]

    def augment_batch(self, prompts: Sequence[str], *, constrained: bool = False) -> list[Augmentation]:
        """Augment many prompts with one call of the model for every 32 of them, in order."""
        return self._augment_all(prompts, constrained)

    async def aaugment(self, prompt: str, *, constrained: bool = False) -> Augmentation:
        """Augment one prompt without blocking the event loop."""
        return (await self.aaugment_batch([prompt], constrained=constrained))[0]

    async def aaugment_batch(self, prompts: Sequence[str], *, constrained: bool = False) -> list[Augmentation]:
        """Augment many prompts without blocking the event loop."""
        started = time.perf_counter()
        _check_prompts(prompts)
        with self._raising(prompts, started):
            verdicts, waiting = await self._ascreen(prompts, constrained)
            for chunk in _chunks(list(waiting)):
                requests = [waiting[i] for i in chunk]
                verdicts.update(zip(chunk, await self._pipeline.apropose(requests), strict=True))
        return self._finish(prompts, verdicts, started)

    def augment_messages(self, chat: Sequence[messages.Message], *, constrained: bool = False) -> AugmentedMessages:
        """Augment the last user text of OpenAI-style messages; nothing given is changed."""
        position, text = messages.target(messages.check(chat))
        return self._placed(chat, position, self.augment(text, constrained=constrained))

    async def aaugment_messages(
        self, chat: Sequence[messages.Message], *, constrained: bool = False
    ) -> AugmentedMessages:
        """Augment the last user text of OpenAI-style messages without blocking the event loop."""
        position, text = messages.target(messages.check(chat))
        return self._placed(chat, position, await self.aaugment(text, constrained=constrained))

    @overload
    def stream(self, prompt: str, *, constrained: bool = False) -> Iterator[str]: ...
    @overload
    def stream(self, prompt: str, *, constrained: bool = False, commit: Commit) -> Iterator[str | Augmentation]: ...
    def stream(
        self, prompt: str, *, constrained: bool = False, commit: Commit = "sentence"
    ) -> Iterator[str | Augmentation]:
        """Yield the complement as it comes; nothing where none is applied.

        `commit="sentence"` yields sentences that have passed the guard, and what was yielded is what is applied;
        `commit="token"` yields provisional pieces, and at last the Augmentation, which may retract them.
        """
        started = time.perf_counter()
        prompts = _check_streamed(prompt, commit)
        with self._raising(prompts, started):
            verdicts, waiting = self._pipeline.screen(prompts, constrained)
            pieces = self._pipeline.stream(waiting[0], commit) if waiting else iter([verdicts[0]])
            for piece in pieces:
                yield from self._streamed(prompt, piece, commit, started, first=not waiting)

    @overload
    def astream(self, prompt: str, *, constrained: bool = False) -> AsyncIterator[str]: ...
    @overload
    def astream(
        self, prompt: str, *, constrained: bool = False, commit: Commit
    ) -> AsyncIterator[str | Augmentation]: ...
    async def astream(
        self, prompt: str, *, constrained: bool = False, commit: Commit = "sentence"
    ) -> AsyncIterator[str | Augmentation]:
        """Yield the complement as it comes, without blocking the event loop; otherwise like `stream`."""
        started = time.perf_counter()
        prompts = _check_streamed(prompt, commit)
        with self._raising(prompts, started):
            verdicts, waiting = await self._ascreen(prompts, constrained)
            for verdict in verdicts.values():
                for item in self._streamed(prompt, verdict, commit, started, first=True):
                    yield item
            for request in waiting.values():
                async for piece in self._pipeline.astream(request, commit):
                    for item in self._streamed(prompt, piece, commit, started, first=False):
                        yield item

    def _streamed(
        self, prompt: str, piece: str | Verdict, commit: Commit, started: float, *, first: bool
    ) -> Iterator[str | Augmentation]:
        """Yield what a caller sees of one piece: nothing of a shadow; of a verdict, what was not streamed before."""
        if isinstance(piece, str):
            yield from [] if self.settings.shadow else [piece]
            return
        result = self._finish([prompt], {0: piece}, started)[0]
        if first and result.applied:
            yield result.complement
        if commit == "token":
            yield result

    def close(self) -> None:
        """Stop the threads, release the model, write what the record still holds; later calls start anew."""
        self._pipeline.close()
        if self.record:
            self.record.flush()

    def __enter__(self) -> PAS:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _augment_all(self, prompts: Sequence[str], constrained: bool) -> list[Augmentation]:
        started = time.perf_counter()
        _check_prompts(prompts)
        with self._raising(prompts, started):
            verdicts, waiting = self._pipeline.screen(prompts, constrained)
            for chunk in _chunks(list(waiting)):
                requests = [waiting[i] for i in chunk]
                verdicts.update(zip(chunk, self._pipeline.propose(requests), strict=True))
        return self._finish(prompts, verdicts, started)

    async def _ascreen(
        self, prompts: Sequence[str], constrained: bool
    ) -> tuple[dict[int, Verdict], dict[int, Request]]:
        # A thread costs more than it saves for a short prompt, and the application may keep asyncio's threads busy.
        if sum(map(len, prompts)) < _MUCH_TEXT:
            return self._pipeline.screen(prompts, constrained)
        return await asyncio.to_thread(self._pipeline.screen, prompts, constrained)

    def _finish(self, prompts: Sequence[str], verdicts: dict[int, Verdict], started: float) -> list[Augmentation]:
        elapsed = (time.perf_counter() - started) * 1000
        results = [self._augmentation(prompt, verdicts[i], elapsed) for i, prompt in enumerate(prompts)]
        if self.record:
            for result in results:
                self.record.add(result)
        return results

    @contextmanager
    def _raising(self, prompts: Sequence[str], started: float) -> Iterator[None]:
        """Record a failure that `on_error` has raised, for each prompt that it took along."""
        try:
            yield
        except AugmentationError as error:
            reason = cast(Reason, error.reason if error.reason in REASONS else "model_error")
            self._finish(
                prompts, dict.fromkeys(range(len(prompts)), Verdict(reason=reason, detail=str(error))), started
            )
            raise

    def _augmentation(self, prompt: str, verdict: Verdict, elapsed: float) -> Augmentation:
        status: Status = "skipped"
        reason: Reason = verdict.reason
        if not reason:
            status, reason = ("shadowed", "shadow") if self.settings.shadow else ("applied", "")
        applied = status == "applied"
        if applied:
            self._pipeline.remember(verdict.complement)
        return Augmentation(
            prompt=prompt,
            text=prompt + verdict.insertion if applied else prompt,
            complement=verdict.complement if applied else "",
            status=status,
            reason=reason,
            elapsed_ms=elapsed,
            model=self.model.label,
            proposed=verdict.proposed,
            detail=verdict.detail,
        )

    @staticmethod
    def _placed(chat: Sequence[messages.Message], position: int, result: Augmentation) -> AugmentedMessages:
        if not result.applied:
            return AugmentedMessages(chat, result)
        return AugmentedMessages(messages.with_insertion(chat, position, result.insertion), result)


def _check_prompts(prompts: object) -> None:
    if isinstance(prompts, str) or not isinstance(prompts, Sequence):
        raise InputError(f"prompts is {type(prompts).__name__};", hint="give a list of texts.")
    for prompt in prompts:
        if not isinstance(prompt, str):
            raise InputError(f"A prompt is {type(prompt).__name__};", hint="give a str.")


def _check_streamed(prompt: object, commit: object) -> list[str]:
    if commit not in get_args(Commit):
        raise InputError(f"commit is {commit!r};", hint='use "sentence" or "token".')
    if not isinstance(prompt, str):
        raise InputError(f"A prompt is {type(prompt).__name__};", hint="give a str.")
    return [prompt]


def _chunks(numbers: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(numbers), _CHUNK):
        yield numbers[start : start + _CHUNK]


_LIVE: WeakSet[Pipeline] = WeakSet()


def _start_anew() -> None:
    # The parent's threads do not exist in a forked child, and its locks may be held for ever.
    for pipeline in list(_LIVE):
        pipeline.start()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_start_anew)
