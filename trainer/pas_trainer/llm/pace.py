"""When to ask again: one gate for all threads, shut for as long as the endpoint asks."""

from __future__ import annotations

import email.utils
import random
import threading
import time
from collections.abc import Callable, Mapping

_LONGEST_S = 120.0


class Pace:
    """Waiting between attempts. A 429, or a Retry-After, holds everybody back, not only the one who got it."""

    def __init__(
        self, sleep: Callable[[float], object] = time.sleep, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sleep, self._clock = sleep, clock
        self._lock = threading.Lock()
        self._open_at = self._last_answer = clock()

    def enter(self) -> None:
        """Wait until the gate is open."""
        while (wait := self._open_at - self._clock()) > 0:
            self._sleep(wait)

    def answered(self) -> None:
        """Note that the endpoint answers."""
        self._last_answer = self._clock()

    def silent_s(self) -> float:
        """Return for how long nobody got an answer."""
        return self._clock() - self._last_answer

    def shut(self, seconds: float) -> None:
        """Hold everybody back for so long, and a little jitter, so that not all come at once."""
        with self._lock:
            self._open_at = max(self._open_at, self._clock() + seconds * (1 + random.random() / 4))

    def back_off(self, attempt: int) -> None:
        """Wait before the next attempt of one call, with jitter."""
        self._sleep(growing(attempt) * (0.5 + random.random() / 2))


def growing(attempt: int) -> float:
    """Return how many seconds to wait where nobody says: 0.5 s doubled each time, 30 s at most."""
    return min(30.0, 0.5 * 2.0 ** min(attempt, 10))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds a response asks to wait, None where it does not say."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return min(_LONGEST_S, max(0.0, float(headers[name]) / unit))
        except (KeyError, ValueError):
            continue
    try:
        date = email.utils.parsedate_to_datetime(headers["retry-after"])
        return min(_LONGEST_S, max(0.0, date.timestamp() - time.time()))
    except (KeyError, ValueError):
        return None
