"""The server: chat completions (streamed, too), models, files and batches; it counts every call."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from .batches import Batches
from .faults import ERRORS, Fault, Faults

#: What answers a request's body.
Answering = Callable[[dict[str, Any]], str]
#: What chooses the fault that a call meets, by its number from 0 and its body.
Choosing = Callable[[int, dict[str, Any]], Fault | None]


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what was asked, and the fault it met, "" where it was answered."""

    body: dict[str, Any]
    fault: str


@dataclass
class ScriptedServer:
    """What the server says and what it saw."""

    answering: Answering
    faults: Sequence[Faults] | Choosing = ()
    key: str = ""
    models: Sequence[str] = ("scripted",)
    retry_after_s: float = 0.01
    polls: int = 1
    calls: list[Call] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self.batches = Batches(self)

    @property
    def answered(self) -> list[dict[str, Any]]:
        """Return the bodies that were answered: what a real endpoint would bill."""
        return [call.body for call in self.calls if not call.fault]

    def stats(self) -> dict[str, Any]:
        """Return counts of calls by what became of them."""
        met = Counter(call.fault or "answered" for call in self.calls)
        return {"calls": len(self.calls), "batches": len(self.batches.made), **met}

    def app(self) -> Starlette:
        """Return the ASGI application."""
        routes = [
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/v1/models", self._list_models),
            Route("/stats", self._stats),
            *self.batches.routes(),
        ]
        return Starlette(routes=routes)

    def refusal_of(self, request: Request, model: object = None) -> Response | None:
        """Return the error for a wrong key or an unknown model."""
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return failure(401, "invalid_api_key", "Incorrect API key provided.")
        if model is not None and model not in self.models:
            return failure(404, "model_not_found", f"The model {model!r} does not exist.")
        return None

    def note(self, body: dict[str, Any]) -> Fault | None:
        """Count a call and return the fault that it is to meet."""
        with self._lock:
            number = len(self.calls)
            fault = self._fault(number, body)
            self.calls.append(Call(body, fault or ""))
        return fault

    def _fault(self, number: int, body: dict[str, Any]) -> Fault | None:
        if callable(self.faults):
            return self.faults(number, body)
        return next((faults.fault for faults in self.faults if faults.hits(number)), None)

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        if refused := self.refusal_of(request, body.get("model")):
            return refused
        fault = self.note(body)
        if fault in (*ERRORS, "timeout", "html"):
            return await self._fail(request, fault)
        completion = completion_of(body, "" if fault else self.answering(body), fault)
        if fault == "truncated":
            return Response(json.dumps(completion)[:40], media_type="application/json")
        return streamed(completion) if body.get("stream") else JSONResponse(completion)

    async def _fail(self, request: Request, fault: str) -> Response:
        if fault in ERRORS:
            status, code, param = ERRORS[fault]
            wait = {"Retry-After": str(self.retry_after_s), "Retry-After-Ms": str(self.retry_after_s * 1000)}
            return failure(status, code, f"Scripted: {code}.", param, wait if status in (429, 503) else None)
        if fault == "timeout":
            while (await request.receive())["type"] != "http.disconnect":
                pass  # no answer until the client gives up
        return HTMLResponse("<!doctype html><title>Welcome</title><p>Please sign in.")

    async def _list_models(self, request: Request) -> Response:
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "scripted"} for name in self.models]
        return self.refusal_of(request) or JSONResponse({"object": "list", "data": models})

    async def _stats(self, _: Request) -> Response:
        return JSONResponse(self.stats())


def failure(
    status: int, code: str, message: str, param: str | None = None, headers: dict[str, str] | None = None
) -> Response:
    """Return an error as OpenAI shapes it."""
    error = {"message": message, "type": code, "param": param, "code": code}
    return JSONResponse({"error": error}, status, headers)


def completion_of(body: dict[str, Any], text: str, fault: Fault | None = None) -> dict[str, Any]:
    """Return a chat completion; a token is four bytes."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if fault == "refusal":
        message |= {"content": None, "refusal": "I can't help with that."}
    if fault in ("length", "malformed"):
        message |= {"content": "Certainly, here is"}
    asked = sum(len(str(each.get("content", "")).encode()) for each in body.get("messages", ()))
    usage = {"prompt_tokens": -(-asked // 4), "completion_tokens": -(-len(text.encode()) // 4)}
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": "length" if fault == "length" else "stop"}],
        "usage": usage | {"total_tokens": sum(usage.values())},
    }


def streamed(completion: dict[str, Any]) -> Response:
    """Return a completion as server-sent events, a word at a time."""
    text = completion["choices"][0]["message"]["content"] or ""
    head = {name: completion[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}

    async def events() -> Any:
        for piece in text.split(" "):
            delta = {"role": "assistant", "content": piece + " "}
            yield _event(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        yield _event(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


def _event(chunk: dict[str, Any]) -> str:
    return f"data: {json.dumps(chunk)}\n\n"


@contextlib.contextmanager
def serve(answering: Answering | str, *, port: int = 0, **script: Any) -> Iterator[ScriptedServer]:
    """Run a scripted server on a port of loopback, 0: a free one; `url` is its base URL, ending in /v1."""
    server = ScriptedServer(answering if callable(answering) else lambda _: answering, **script)
    with socket.create_server(("127.0.0.1", port)) as listening:
        server.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        config = uvicorn.Config(server.app(), log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        http = uvicorn.Server(config)
        # Connections wait in the socket until the loop takes them: nobody has to poll for the start.
        thread = threading.Thread(target=http.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.should_exit = True
            thread.join()
