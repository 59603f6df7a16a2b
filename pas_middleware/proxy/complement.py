"""POST /v1/complement: the complement alone, as JSON or as it is written, over server-sent events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.types import Send

from .. import messages
from ..augmentation import Augmentation
from ..errors import AugmentationError, InputError, QueueFull
from ..pas import PAS
from .augmenting import parse
from .engine import Engine
from .inbound import Inbound
from .metrics import Metrics
from .replies import RawHeaders, answer, failure

PATH = "/v1/complement"
_MAX_BYTES = 1_048_576
_KEYS = frozenset(("prompt", "messages", "stream", "constrained"))


@dataclass(frozen=True, slots=True)
class Ask:
    """What a client wants to see."""

    prompt: str
    stream: bool
    constrained: bool


class ComplementEndpoint:
    """Answers with a complement, for at most so many clients at a time."""

    def __init__(self, engine: Engine, metrics: Metrics, limit: int, max_depth: int) -> None:
        self._engine, self._metrics, self._free, self._max_depth = engine, metrics, limit, max_depth

    async def __call__(self, inbound: Inbound, send: Send) -> None:
        """Answer one request."""
        if inbound.method != "POST":
            await self._refuse(send, 405, "method", "use POST.", [(b"allow", b"POST")])
        elif self._engine.pas is None:
            await self._refuse(send, 503, "not_ready", "the model is not ready.")
        elif self._free < 1:
            await self._refuse(send, 429, "queue_full", "too many complements are asked for.")
        else:
            self._free -= 1
            try:
                await self._answer(inbound, send, self._engine.pas)
            finally:
                self._free += 1

    async def _answer(self, inbound: Inbound, send: Send, pas: PAS) -> None:
        raw = await inbound.body(_MAX_BYTES)
        if raw is None:
            await self._refuse(send, 413, "too_long", f"the body is longer than {_MAX_BYTES:,} bytes.")
            return
        try:
            ask = read(parse(inbound.headers, raw, self._max_depth))
        except InputError as error:
            await self._refuse(send, 400, "bad_body", str(error))
            return
        except ValueError:
            await self._refuse(send, 400, "bad_body", "the body cannot be read; send application/json in UTF-8.")
            return
        await (self._stream if ask.stream else self._whole)(ask, send, pas)

    async def _whole(self, ask: Ask, send: Send, pas: PAS) -> None:
        try:
            result = await pas.aaugment(ask.prompt, constrained=ask.constrained)
        except QueueFull:
            await self._refuse_full(send)
            return
        except AugmentationError as error:
            await self._refuse(send, 503, error.reason, "the augmentation failed.")
            return
        self._count(result)
        if result.reason == "queue_full":
            await self._refuse_full(send)
        else:
            await answer(send, 200, shown(result), [(b"cache-control", b"no-store")])

    async def _stream(self, ask: Ask, send: Send, pas: PAS) -> None:
        kind = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        begun = False
        try:
            async for item in pas.astream(ask.prompt, constrained=ask.constrained, commit="token"):
                if isinstance(item, str):
                    begun = True
                    await _event(send, "piece", {"text": item})
                else:
                    self._count(item)
                    if item.applied and not begun:  # a selector has it at once
                        await _event(send, "piece", {"text": item.complement})
                    await _event(send, "done", shown(item))
        except AugmentationError as error:
            await _event(send, "error", {"reason": error.reason})
        await send({"type": "http.response.body", "body": b""})

    def _count(self, result: Augmentation) -> None:
        self._metrics.augmentations.labels(PATH, result.status, result.reason).inc()
        self._metrics.seconds.observe(result.elapsed_ms / 1000)

    async def _refuse_full(self, send: Send) -> None:
        await self._refuse(send, 429, "queue_full", "too many requests wait for the model.")

    async def _refuse(self, send: Send, status: int, code: str, message: str, headers: RawHeaders = ()) -> None:
        self._metrics.refused.labels(code).inc()
        await failure(send, status, code, message, headers)


def read(body: Any) -> Ask:
    """Return what a body asks for; raises InputError naming what is wrong with it."""
    if not isinstance(body, dict):
        raise InputError("The body is no object;", hint='send {"prompt": "..."} or {"messages": [...]}.')
    if unknown := sorted(body.keys() - _KEYS):
        raise InputError(f"The body has {unknown[0][:40]!r};", hint=f"known are {', '.join(sorted(_KEYS))}.")
    for name in ("stream", "constrained"):
        if not isinstance(body.get(name, False), bool):
            raise InputError(f"{name} is {type(body[name]).__name__};", hint="use true or false.")
    if ("prompt" in body) == ("messages" in body):
        raise InputError("The body needs a prompt or messages;", hint="give one of the two.")
    prompt = body["prompt"] if "prompt" in body else messages.target(messages.check(body["messages"]))[1]
    if not isinstance(prompt, str):
        raise InputError(f"prompt is {type(prompt).__name__};", hint="give a text.")
    return Ask(prompt, body.get("stream", False), body.get("constrained", False))


def shown(result: Augmentation) -> dict[str, Any]:
    """Return what a client sees of an augmentation: all but the prompt and an error's message."""
    return result.to_dict() | {"prompt": None, "detail": "" if result.reason == "model_error" else result.detail}


async def _event(send: Send, name: str, data: dict[str, Any]) -> None:
    text = f"event: {name}\ndata: {json.dumps(data)}\n\n"
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
