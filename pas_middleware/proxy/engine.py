"""The PAS object of a proxy: loaded while requests already pass, ready after an inference, closed at the end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from ..augmentation import Augmentation
from ..pas import PAS
from ..record import Record

_log = logging.getLogger("pas_middleware.proxy")
_WARM_UP = {"en": "Compare renting and buying a flat for a family of four.", "zh": "请比较四口之家租房和买房的利弊。"}
#: What says that no inference has succeeded yet.
_FAILURES = frozenset({"deadline", "model_error", "breaker_open", "queue_full"})
_PAUSE_S = 1.0


class Engine:
    """Loads in the background; `pas` is None until a warm-up inference has succeeded."""

    def __init__(self, load: Callable[[], PAS], record: Record | None = None) -> None:
        self.pas: PAS | None = None
        self.record = record
        self._load = load
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to load."""
        self._task = asyncio.create_task(self._start())

    async def _start(self) -> None:
        try:
            pas = await asyncio.to_thread(self._load)
            while (reason := await asyncio.to_thread(_warm_up, pas)) in _FAILURES:
                _log.warning("the warm-up failed (%s); requests pass through, and it is tried again", reason)
                await asyncio.sleep(_PAUSE_S)
        except Exception as error:  # the requests pass through, and /readyz says that it is not ready
            _log.error("the model was not loaded: %s: %s", type(error).__name__, error)
            return
        pas.record, self.pas = self.record, pas

    async def close(self) -> None:
        """Stop loading or release the model; what the record holds is written."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self.pas is not None:
            await asyncio.to_thread(self.pas.close)


def _warm_up(pas: PAS) -> str:
    prompts = [_WARM_UP[code] for code in pas.model.languages if code in _WARM_UP]
    try:
        results: list[Augmentation] = pas.augment_batch(prompts[:1])
    except Exception as error:  # on_error="raise"
        return getattr(error, "reason", "model_error")
    return results[0].reason if results else ""
