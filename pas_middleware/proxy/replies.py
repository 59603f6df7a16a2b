"""What the proxy itself answers, in the form that OpenAI's and Anthropic's clients read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.types import Send

RawHeaders = Sequence[tuple[bytes, bytes]]


async def answer(send: Send, status: int, content: Mapping[str, Any], headers: RawHeaders = ()) -> None:
    """Send a JSON answer."""
    await answer_bytes(send, status, b"application/json", json.dumps(content).encode(), headers)


async def answer_bytes(send: Send, status: int, kind: bytes, body: bytes, headers: RawHeaders = ()) -> None:
    """Send an answer of any content type."""
    own = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": own})
    await send({"type": "http.response.body", "body": body})


async def failure(send: Send, status: int, code: str, message: str, headers: RawHeaders = ()) -> None:
    """Send an error of the proxy's own; where trying again helps, it says when."""
    retry = [(b"retry-after", b"1")] if status in (429, 503) else []
    error = {"message": f"pas proxy: {message}", "type": "pas_proxy_error", "code": code, "param": None}
    await answer(send, status, {"type": "error", "error": error}, [*retry, *headers])
