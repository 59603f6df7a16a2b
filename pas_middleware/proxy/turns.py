"""Fairness between what is heavy and what is quick in one event loop."""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """Lets so many go on in one turn of the event loop.

    Hundreds of streams whose next piece is there would otherwise all be served before whatever came meanwhile: a new
    request, or the probe of an orchestrator that takes a slow answer for a dead process.
    """

    def __init__(self, each: int) -> None:
        self._each, self._taken = each, 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Go on at once while there is room in this turn, else in the order of asking."""
        if self._taken < self._each and not self._waiting:
            self._count()
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        await place

    def _count(self) -> None:
        if not self._taken:
            asyncio.get_running_loop().call_soon(self._next)
        self._taken += 1

    def _next(self) -> None:
        self._taken = 0
        while self._waiting and self._taken < self._each:
            place = self._waiting.popleft()
            if not place.done():  # its client may have left
                place.set_result(None)
                self._count()
