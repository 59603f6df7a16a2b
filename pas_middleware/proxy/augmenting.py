"""What becomes of one request's body: augmented, or as it came; whatever goes wrong, as it came."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers

from ..augmentation import Augmentation
from ..errors import AugmentationError
from . import shapes
from .engine import Engine
from .metrics import Metrics
from .splice import splice
from .tracing import span

_log = logging.getLogger("pas_middleware.proxy")
#: Reasons of the proxy's own, beside those of an Augmentation.
OPTED_OUT, UNREADABLE, NOT_READY = "opted_out", "unreadable", "not_ready"
_NESTS = (dict, list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided, and the body to send on: None where it goes on as it comes."""

    status: str = "skipped"
    reason: str = ""
    ms: float = 0.0
    complement: str = ""
    body: bytes | None = None

    def headers(self, asked: Headers) -> list[tuple[bytes, bytes]]:
        """Return the headers that say what happened; the complement, percent-encoded, where it is asked for."""
        told = {"x-pas-status": self.status, "x-pas-reason": self.reason, "x-pas-ms": f"{self.ms:.1f}"}
        if asked.get("x-pas-show") == "complement":
            told["x-pas-complement"] = quote(self.complement, safe=" ,.;:!?'()")
        return [(name.encode(), value.encode()) for name, value in told.items()]


class Augmenter:
    """Decides requests to the known routes."""

    def __init__(self, engine: Engine, metrics: Metrics, max_depth: int) -> None:
        self._engine, self._metrics, self._max_depth = engine, metrics, max_depth

    async def decide(self, route: str, headers: Headers, raw: bytes | None) -> Outcome:
        """Return what becomes of a body; raises AugmentationError only where `on_error` says so."""
        with span(headers) as mark:
            try:
                outcome = await self._decide(route, headers, raw)
            except AugmentationError as error:
                mark("status", "raised")
                mark("reason", error.reason)
                self._metrics.augmentations.labels(route, "raised", error.reason).inc()
                raise
            except Exception as error:  # a fault of ours must not cost anybody an answer
                _log.error("a request was not augmented: %s", type(error).__name__)
                self._metrics.errors.inc()
                outcome = Outcome(reason="model_error", body=raw)
            mark("status", outcome.status)
            mark("reason", outcome.reason)
        self._metrics.augmentations.labels(route, outcome.status, outcome.reason).inc()
        return outcome

    async def _decide(self, route: str, headers: Headers, raw: bytes | None) -> Outcome:
        pas = self._engine.pas
        if raw is None:
            return Outcome(reason="too_long")
        if headers.get("x-pas", "").lower() == "off":
            return Outcome(reason=OPTED_OUT, body=raw)
        if pas is None:
            return Outcome(reason=NOT_READY, body=raw)
        try:
            target = shapes.find(route, parse(headers, raw, self._max_depth))
        except ValueError:
            return Outcome(reason=UNREADABLE, body=raw)
        if target is None:
            return Outcome(reason="blank", body=raw)
        result = await pas.aaugment(target.text, constrained=target.constrained)
        self._metrics.seconds.observe(result.elapsed_ms / 1000)
        return _outcome(result, target, raw)


def _outcome(result: Augmentation, target: shapes.Target, raw: bytes) -> Outcome:
    if not result.applied:
        return Outcome(result.status, result.reason, result.elapsed_ms, body=raw)
    body = splice(raw, target.path, result.insertion)
    if body is None:
        return Outcome(reason=UNREADABLE, ms=result.elapsed_ms, body=raw)
    return Outcome(result.status, result.reason, result.elapsed_ms, result.complement, body)


def parse(headers: Headers, raw: bytes, max_depth: int) -> Any:
    """Return the JSON of a body; raises ValueError where it is none, or is nested deeper than so many levels."""
    kind, _, parameters = headers.get("content-type", "").partition(";")
    charset = parameters.lower().replace('"', "").replace(" ", "")
    if kind.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise ValueError("it is no application/json in UTF-8")
    if headers.get("content-encoding", "identity") != "identity":  # never unpacked: a small body can become a huge one
        raise ValueError("it is compressed")
    try:
        body = json.loads(raw.decode())
    except RecursionError:  # where Python's own parser ends differs between versions
        raise ValueError("it is nested too deeply") from None
    _check_depth(body, max_depth)
    return body


def _check_depth(body: Any, limit: int) -> None:
    """Go through a document level by level, which no nesting can exhaust; a list of numbers is one level."""
    level, depth = [body], 0
    while nests := [value for value in level if isinstance(value, _NESTS)]:
        depth += 1
        if depth > limit:
            raise ValueError("it is nested too deeply")
        level = [inner for nest in nests for inner in (nest.values() if isinstance(nest, dict) else nest)]
