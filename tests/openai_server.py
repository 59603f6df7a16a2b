"""An OpenAI-compatible chat endpoint on the loopback interface that answers from a script and keeps its requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

_ENVELOPE = {"id": "chatcmpl-1", "created": 0, "model": "scripted"}
_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


@dataclass
class OpenAIServer:
    """The endpoint's address, the reply it gives, and the parsed bodies of the requests it got, oldest first."""

    url: str = ""
    reply: str = "Scripted reply."
    requests: list[dict[str, Any]] = field(default_factory=list)

    def completion(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": self.reply}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {**_ENVELOPE, "object": "chat.completion", "choices": [choice], "usage": _USAGE}

    def chunks(self) -> Iterator[dict[str, Any]]:
        """Yield the reply word by word in the form of a stream."""
        words = self.reply.split(" ")
        deltas = [{"content": word if n == 0 else f" {word}"} for n, word in enumerate(words)]
        for delta, reason in [*((d, None) for d in [{"role": "assistant", "content": ""}, *deltas]), ({}, "stop")]:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            yield {**_ENVELOPE, "object": "chat.completion.chunk", "choices": [choice]}


def _handler(server: OpenAIServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/chat/completions":
                self.send_error(404)
                return
            server.requests.append(body)
            if body.get("stream"):
                events = [json.dumps(chunk) for chunk in server.chunks()]
                self._answer("text/event-stream", "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]))
            else:
                self._answer("application/json", json.dumps(server.completion()))

        def _answer(self, kind: str, text: str) -> None:
            data = text.encode()
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test output clean."""

    return Handler


@pytest.fixture
def openai_server() -> Iterator[OpenAIServer]:
    server = OpenAIServer()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(server)) as http:
        server.url = f"http://127.0.0.1:{http.server_port}/v1"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield server
        http.shutdown()
        thread.join()
