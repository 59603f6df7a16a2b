"""A PAS that is loaded when it is first asked for, and can be copied and pickled by how it is loaded."""

from __future__ import annotations

import asyncio
import os
import threading

from pas_middleware import PAS, ConfigError, Settings

Model = str | os.PathLike[str] | None


class LazyPAS:
    """Hold how a PAS is loaded, or one that is ready; copies share it, a pickle carries only the former."""

    def __init__(self, model: Model, device: str, settings: Settings | None, pas: PAS | None = None) -> None:
        if pas is not None and (model is not None or device != "auto" or settings is not None):
            raise ConfigError("pas is given with model, device or settings;", hint="give one or the other.")
        self._how = (model, device, settings)
        self._given = pas is not None
        self._pas = pas
        self._lock = threading.Lock()

    def get(self) -> PAS:
        """Return the PAS, loading it the first time; raises what PAS.load raises."""
        with self._lock:
            if self._pas is None:
                model, device, settings = self._how
                self._pas = PAS.load(model, device=device, settings=settings)
            return self._pas

    async def aget(self) -> PAS:
        """Return the PAS, loading it the first time in a thread."""
        # Read without the lock: it is held while loading, and waiting for it would block the event loop.
        if self._pas is not None:
            return self._pas
        return await asyncio.to_thread(self.get)

    def __deepcopy__(self, memo: dict[int, object]) -> LazyPAS:
        return self

    def __reduce__(self) -> tuple[type[LazyPAS], tuple[Model, str, Settings | None]]:
        if self._given:
            raise TypeError("A ready PAS cannot be pickled; give model, device and settings in place of pas.")
        return LazyPAS, self._how
