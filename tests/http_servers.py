"""HTTP servers on the loopback interface: any ASGI application in a thread, and an upstream that keeps what it got."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

PROMPT = "10 birds in a tree, one is shot dead, how many are on the ground?"
COMPLEMENT = "Check every step before you answer."


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an ASGI application and give its address."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        # uvicorn calls what it is given without arguments, in case it makes an application; a mutant takes that.
        await app(scope, receive, send)

    config = uvicorn.Config(application, port=0, ws="none", log_level="critical", access_log=False, server_header=False)
    config.date_header = False
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server, started = uvicorn.Server(config), threading.Event()
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]

        async def serve() -> None:
            task = asyncio.ensure_future(server.serve([listener]))
            while not server.started and not task.done():
                await asyncio.sleep(0.005)
            started.set()
            await task

        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        assert started.wait(30) and server.started
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


@dataclass
class Got:
    """One request as it came, byte for byte."""

    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name.encode()]
        return values[0].decode("latin-1") if values else None


Answer = tuple[int, dict[str, str], "bytes | list[bytes]"]


@dataclass
class Upstream:
    """Answers from a script and keeps the requests; `hold` stops a streamed answer, `aborts` counts those that left."""

    answer: Callable[[Got], Answer] = lambda got: (200, {"content-type": "application/json"}, b'{"ok": true}')
    requests: list[Got] = field(default_factory=list)
    aborts: int = 0
    hold: threading.Event | None = None
    aborted: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        got = Got(scope["method"], scope["raw_path"] + query, list(scope["headers"]), body)
        self.requests.append(got)
        status, headers, content = self.answer(got)
        raw = [(k.encode(), v.encode()) for k, v in headers.items()]
        pieces = content if isinstance(content, list) else [content]
        if isinstance(content, bytes):
            raw.append((b"content-length", str(len(content)).encode()))
        gone = asyncio.ensure_future(self._gone(receive))
        try:
            await send({"type": "http.response.start", "status": status, "headers": raw})
            for number, piece in enumerate(pieces):
                if number and self.hold is not None:
                    await self._held(gone)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()

    async def _gone(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.aborts += 1
        self.aborted.set()

    async def _held(self, gone: Any) -> None:
        assert self.hold is not None
        while not self.hold.is_set() and not gone.done():
            await asyncio.sleep(0.005)


def openai_answer(got: Got) -> Answer:
    """Answer as OpenAI's API does: a chat completion, a response, or a stream of it."""
    body = json.loads(got.body or b"{}")
    shape = _SHAPES.get(got.target.decode().partition("?")[0].removeprefix("/v1"), lambda _: [{"ok": True}])
    events = shape(body)
    if not body.get("stream"):
        return 200, {"content-type": "application/json"}, json.dumps(events[0]).encode()
    named = got.target.endswith((b"/messages", b"/responses"))
    pieces = [
        (f"event: {event['type']}\n" if named else "").encode() + b"data: " + json.dumps(event).encode() + b"\n\n"
        for event in events[1:]
    ]
    return 200, {"content-type": "text/event-stream"}, [*pieces, *([] if named else [b"data: [DONE]\n\n"])]


def _chat(body: dict[str, Any]) -> list[dict[str, Any]]:
    envelope = {"id": "c1", "created": 0, "model": body.get("model", "m")}
    message: dict[str, Any] = {"role": "assistant", "content": '{"birds": 0}'}
    if body.get("tools"):
        call = {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Lisbon"}'}}
        message |= {"content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    whole = {**envelope, "object": "chat.completion", "choices": [choice], "usage": usage}
    deltas = [{"role": "assistant", "content": ""}, {"content": "None"}, {"content": " at all."}, {}]
    chunk = {**envelope, "object": "chat.completion.chunk"}
    return [
        whole,
        *({**chunk, "choices": [{"index": 0, "delta": d, "finish_reason": None if d else "stop"}]} for d in deltas),
    ]


def _completion(body: dict[str, Any]) -> list[dict[str, Any]]:
    choice = {"index": 0, "text": "None.", "finish_reason": "stop", "logprobs": None}
    whole = {"id": "x1", "object": "text_completion", "created": 0, "model": "m", "choices": [choice]}
    return [whole, whole]


def _response(body: dict[str, Any]) -> list[dict[str, Any]]:
    content = {"type": "output_text", "text": '{"birds": 0}', "annotations": []}
    item = {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [content]}
    whole = {
        "id": "r1", "object": "response", "created_at": 0, "model": "m", "status": "completed", "output": [item],
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    }  # fmt: skip
    delta = {"type": "response.output_text.delta", "delta": "None.", "item_id": "m1", "output_index": 0}
    ended = {"type": "response.completed", "response": whole, "sequence_number": 2}
    created = {"type": "response.created", "response": whole | {"output": []}, "sequence_number": 0}
    return [whole, created, delta | {"content_index": 0, "sequence_number": 1, "logprobs": []}, ended]


def _anthropic(body: dict[str, Any]) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = [{"type": "text", "text": "None."}]
    if body.get("tools"):
        content.append({"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Lisbon"}})
    usage = {"input_tokens": 1, "output_tokens": 1}
    whole = {"id": "m1", "type": "message", "role": "assistant", "model": "m", "content": content, "usage": usage}
    whole |= {"stop_reason": "end_turn", "stop_sequence": None}
    text = {"type": "text_delta", "text": "None."}
    return [
        whole,
        {"type": "message_start", "message": whole | {"content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": text},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]


def _embedding(body: dict[str, Any]) -> list[dict[str, Any]]:
    data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
    return [{"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}]


_SHAPES: dict[str, Callable[[dict[str, Any]], list[dict[str, Any]]]] = {
    "/chat/completions": _chat,
    "/completions": _completion,
    "/responses": _response,
    "/messages": _anthropic,
    "/embeddings": _embedding,
}
