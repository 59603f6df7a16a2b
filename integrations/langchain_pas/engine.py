"""The engines of a process: one PAS for each model, device and settings, loaded when it is first used."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from pas_middleware import PAS, Augmentation, AugmentationError, Settings

#: Failures of the moment rather than of a prompt: asking for each prompt alone would only add to them.
_OF_THE_MOMENT = ("deadline", "queue_full", "breaker_open")


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What makes one engine another."""

    model: str | None
    device: str
    settings: Settings


_engines: dict[EngineSpec, PAS] = {}
_lock = threading.Lock()


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    # A child forked while another thread was loading would wait for that thread for ever.
    os.register_at_fork(after_in_child=_renew_lock)


def engine(spec: EngineSpec) -> PAS:
    """Return the process's engine for a spec, loading it the first time; raises what PAS.load raises."""
    found = _engines.get(spec)
    if found is not None:
        return found
    with _lock:
        if spec not in _engines:
            _engines[spec] = PAS.load(spec.model, device=spec.device, settings=spec.settings)
        return _engines[spec]


async def aengine(spec: EngineSpec) -> PAS:
    """Return the process's engine for a spec; loading keeps off the event loop."""
    found = _engines.get(spec)
    return await asyncio.to_thread(engine, spec) if found is None else found


def chunks(texts: list[str], size: int | None) -> Iterator[list[str]]:
    """Yield the texts in lists of at most `size`, all at once where it is None."""
    step = size or max(1, len(texts))
    for start in range(0, len(texts), step):
        yield texts[start : start + step]


def ask(pas: PAS, texts: list[str], apart: bool) -> list[Augmentation | AugmentationError]:
    """Augment texts in one call of the engine; with `apart`, the failure of one does not fail the others."""
    try:
        return [*pas.augment_batch(texts)]
    except AugmentationError as error:
        if not apart:
            raise
        if _final(texts, error):
            return [error] * len(texts)
    return [result for text in texts for result in ask(pas, [text], apart)]


async def aask(pas: PAS, texts: list[str], apart: bool) -> list[Augmentation | AugmentationError]:
    """Do as `ask` does without blocking the event loop."""
    try:
        return [*await pas.aaugment_batch(texts)]
    except AugmentationError as error:
        if not apart:
            raise
        if _final(texts, error):
            return [error] * len(texts)
    return [result for text in texts for result in await aask(pas, [text], apart)]


def _final(texts: list[str], error: AugmentationError) -> bool:
    return len(texts) == 1 or error.reason in _OF_THE_MOMENT
