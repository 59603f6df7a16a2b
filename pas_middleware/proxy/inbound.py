"""One request as it comes in: its body, whole or in pieces, and the moment its client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

T = TypeVar("T")


class ClientGone(Exception):
    """The client left before it was answered."""


class Inbound:
    """Reads the body of a request and watches for the client's leaving."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.headers = Headers(scope=scope)
        self.path: str = scope["path"]
        self.method: str = scope["method"]
        self.raw: list[tuple[bytes, bytes]] = scope["headers"]
        self.target: bytes = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        self._receive = receive
        self._read: list[bytes] = []
        self._complete = asyncio.Event()

    async def body(self, limit: int) -> bytes | None:
        """Return the whole body, None where it is longer than the limit; `pieces` then still yields all of it."""
        size = 0
        async for piece in self._more():
            self._read.append(piece)
            size += len(piece)
            if size > limit:
                return None
        return b"".join(self._read)

    def no_body(self) -> None:
        """Say that there is no body to wait for."""
        self._complete.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body: what was read already, then what still comes."""
        read, self._read = self._read, []
        for piece in read:
            yield piece
        async for piece in self._more():
            yield piece

    async def _more(self) -> AsyncIterator[bytes]:
        while not self._complete.is_set():
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            if not message.get("more_body"):
                self._complete.set()
            yield message.get("body", b"")

    async def while_there(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what comes of the work; cancel it and raise ClientGone where the client leaves before."""
        task, left = asyncio.current_task(), False
        assert task is not None

        async def watch() -> None:
            nonlocal left
            await self._gone()
            left = True
            task.cancel()

        watcher = asyncio.ensure_future(watch())
        try:
            return await work
        except asyncio.CancelledError:
            if left and task.uncancel() == 0:  # by nobody else, too
                raise ClientGone from None
            raise
        finally:
            watcher.cancel()

    async def _gone(self) -> None:
        await self._complete.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
