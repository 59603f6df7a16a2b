"""Exact-match cache of decisions, for one PAS object."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

V = TypeVar("V")


class LRU(Generic[V]):
    """Keep the values of the most recently used keys; safe to share between threads."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._values: OrderedDict[str, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> V | None:
        """Return the value of a key, None where it is unknown."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: str, value: V) -> None:
        """Keep a value, dropping the least recently used beyond the bound."""
        if self._entries == 0:
            return
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._entries:
                self._values.popitem(last=False)

    def keys(self) -> tuple[str, ...]:
        """Return the keys, the least recently used first."""
        with self._lock:
            return tuple(self._values)

    def __len__(self) -> int:
        return len(self._values)
