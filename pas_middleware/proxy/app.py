"""The ASGI application: the known routes augmented, its own endpoints answered, everything else forwarded untouched."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from ..errors import AugmentationError
from ..pas import PAS
from ..record import Record
from .augmenting import Augmenter
from .complement import PATH, ComplementEndpoint
from .config import ProxyConfig
from .engine import Engine
from .inbound import ClientGone, Inbound
from .metrics import Metrics
from .page import endpoints
from .replies import answer, answer_bytes, failure
from .shapes import ROUTES
from .upstream import Upstream

_log = logging.getLogger("pas_middleware.proxy")
Endpoint = Callable[[Inbound, Send], Awaitable[None]]


class Proxy:
    """Answers HTTP requests; one object a worker."""

    def __init__(self, config: ProxyConfig, load: Callable[[], PAS], record: Record | None = None) -> None:
        self._config = config
        self.metrics = Metrics()
        self.engine = Engine(load, record)
        self._upstream = Upstream(config, self.metrics)
        self._augmenter = Augmenter(self.engine, self.metrics, config.max_json_depth)
        complement = ComplementEndpoint(self.engine, self.metrics, config.complement_limit, config.max_json_depth)
        self._open: dict[str, Endpoint] = {"/healthz": _alive, "/readyz": self._ready, "/metrics": self._metrics}
        if config.page:
            self._open |= endpoints()
        self._closed: dict[str, Endpoint] = {PATH: complement}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        with self.metrics.in_flight.track_inprogress():
            await self._http(Inbound(scope, receive), send)

    async def _http(self, inbound: Inbound, send: Send) -> None:
        """Answer a request; whatever goes wrong, its client sees that it did, never a message or a traceback."""
        begun = False

        async def watched(message: dict[str, object]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await inbound.while_there(self._dispatch(inbound, watched))  # type: ignore[arg-type]
        except ClientGone:
            self.metrics.aborted.inc()
        except Exception as error:  # one request's fault must not take the others down
            _log.error("a request failed in the proxy: %s", type(error).__name__)
            self.metrics.errors.inc()
            if not begun:
                await failure(send, 500, "proxy_error", "a fault of the proxy.")

    async def _dispatch(self, inbound: Inbound, send: Send) -> None:
        if "transfer-encoding" in inbound.headers and "content-length" in inbound.headers:
            # Whoever is behind may believe the other one: the classic of request smuggling.
            await failure(send, 400, "two_lengths", "the request has a length and chunks.")
        elif endpoint := self._open.get(inbound.path):
            await endpoint(inbound, send)
        elif not self._admitted(inbound):
            self.metrics.refused.labels("key").inc()
            await failure(send, 401, "key", "present a key that this proxy knows.")
        elif endpoint := self._closed.get(inbound.path):
            await endpoint(inbound, send)
        elif inbound.method == "POST" and inbound.path in ROUTES:
            await self._augmented(inbound, send)
        else:
            await self._upstream.relay(inbound, send, None, [])

    async def _augmented(self, inbound: Inbound, send: Send) -> None:
        raw = await inbound.body(self._config.max_body_bytes)
        try:
            outcome = await self._augmenter.decide(inbound.path, inbound.headers, raw)
        except AugmentationError as error:
            told = [(b"x-pas-status", b"raised"), (b"x-pas-reason", error.reason.encode())]
            await failure(send, 503, error.reason, "the augmentation failed, and on_error is raise.", told)
            return
        await self._upstream.relay(inbound, send, outcome.body, outcome.headers(inbound.headers))

    def _admitted(self, inbound: Inbound) -> bool:
        if not self._config.client_keys:
            return True
        shown = inbound.headers.get("x-api-key") or inbound.headers.get("authorization", "").removeprefix("Bearer ")
        return any([hmac.compare_digest(shown.encode(), key.reveal().encode()) for key in self._config.client_keys])

    async def _ready(self, _: Inbound, send: Send) -> None:
        pas = self.engine.pas
        if pas is None:
            await answer(send, 503, {"ready": False, "model": ""}, [(b"retry-after", b"1")])
        else:
            await answer(send, 200, {"ready": True, "model": pas.model.label})

    async def _metrics(self, _: Inbound, send: Send) -> None:
        kind, page = self.metrics.page()
        await answer_bytes(send, 200, kind, page)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self.engine.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._upstream.close()
        await self.engine.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _alive(_: Inbound, send: Send) -> None:
    await answer(send, 200, {"alive": True})
