"""An upstream on the loopback interface that speaks OpenAI's and Anthropic's endpoints and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REPLY = "Scripted reply."
_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
_IO_USAGE = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
_TEXT = {"type": "output_text", "text": REPLY, "annotations": []}
_MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [_TEXT]}
_CHAT = {"id": "chatcmpl-1", "created": 0, "model": "scripted"}
_ANSWERS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        **_CHAT,
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": REPLY}}],
        "usage": _USAGE,
    },
    "/v1/completions": {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 0,
        "model": "scripted",
        "choices": [{"index": 0, "finish_reason": "stop", "text": REPLY, "logprobs": None}],
        "usage": _USAGE,
    },
    "/v1/responses": {
        "id": "resp_1",
        "object": "response",
        "created_at": 0,
        "model": "scripted",
        "status": "completed",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "output": [_MESSAGE],
        "usage": _IO_USAGE,
    },
    "/v1/embeddings": {
        "object": "list",
        "model": "scripted",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "usage": _USAGE,
    },
    "/v1/messages": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "content": [{"type": "text", "text": REPLY}],
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
}


@dataclass
class Upstream:
    """The upstream's address, and the path and parsed body of each request it got, oldest first."""

    url: str = ""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    #: Requests that are refused with a 500 before one is answered.
    failures: int = 0


def _chunks() -> Iterator[str]:
    deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in ("Scripted", " reply.")), {}]
    for delta in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}
        yield f"data: {json.dumps({**_CHAT, 'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n"
    yield "data: [DONE]\n\n"


def _handler(upstream: Upstream) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            path = self.path.split("?")[0]
            upstream.asked.append((path, body))
            if upstream.failures:
                upstream.failures -= 1
                self._answer(500, "application/json", '{"error": {"message": "scripted failure"}}')
            elif body.get("stream") and path == "/v1/chat/completions":
                self._answer(200, "text/event-stream", "".join(_chunks()))
            elif path in _ANSWERS:
                self._answer(200, "application/json", json.dumps(_ANSWERS[path]))
            else:
                self.send_error(404)

        def _answer(self, status: int, kind: str, text: str) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test output clean."""

    return Handler


@contextmanager
def serve() -> Iterator[Upstream]:
    upstream = Upstream()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(upstream)) as http:
        upstream.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield upstream
        http.shutdown()
        thread.join()
