"""A budget that stops hard: a call is made only where what it can cost at most is still there."""

from __future__ import annotations

import threading

from pas_middleware.errors import ConfigError

from .errors import BudgetReached
from .store import Store


class Budget:
    """What may be spent on a store's answers in all, earlier runs included; None: without limit."""

    def __init__(self, store: Store, max_usd: float | None = None) -> None:
        if max_usd is not None and not max_usd >= 0:
            raise ConfigError(f"max_usd is {max_usd!r};", hint="give 0 or more.")
        self.max_usd = max_usd
        self._lock = threading.Lock()
        before = store.totals()
        self._spent, self._reserved = before.usd + before.lost_usd, 0.0

    @property
    def spent_usd(self) -> float:
        """Return what was spent, lost calls at their most."""
        return self._spent

    def reserve(self, usd: float) -> None:
        """Set money aside for a call; raises BudgetReached where it is not there."""
        with self._lock:
            if self.max_usd is not None and self._spent + self._reserved + usd > self.max_usd:
                raise BudgetReached(
                    f"The budget of {self.max_usd:.2f} USD is reached: {self._spent:.4f} spent, and the next call can "
                    f"cost {usd:.4f}.",
                    hint="Give a higher --max-usd and run again: what was paid for is kept and not asked again.",
                )
            self._reserved += usd

    def settle(self, reserved: float, usd: float) -> None:
        """Replace what was set aside for a call by what it cost."""
        with self._lock:
            self._reserved -= reserved
            self._spent += usd

    def __str__(self) -> str:
        limit = "" if self.max_usd is None else f"/{self.max_usd:.2f}"
        return f"{self._spent:.2f}{limit}"
