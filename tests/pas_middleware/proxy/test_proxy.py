"""The main path: one request through the proxy, what the upstream got of it, what the client got back."""

import json

import pytest
from conftest import COMPLEMENT, PROMPT  # type: ignore[import-not-found]

BODIES = {
    "/v1/chat/completions": {"model": "m", "messages": [{"role": "user", "content": PROMPT}]},
    "/v1/completions": {"model": "m", "prompt": PROMPT},
    "/v1/responses": {"model": "m", "input": PROMPT},
    "/v1/messages": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": PROMPT}]},
}


@pytest.mark.parametrize("path", BODIES)
def test_known_routes_are_augmented(client, upstream, path):
    raw = json.dumps(BODIES[path], indent=3).encode()
    answer = client.post(path, content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert (answer.headers["x-pas-status"], answer.headers["x-pas-reason"]) == ("applied", "")
    assert float(answer.headers["x-pas-ms"]) >= 0 and "x-pas-complement" not in answer.headers
    (got,) = upstream.requests
    assert got.body == raw.replace(b"on the ground?", b"on the ground?\\n\\n" + COMPLEMENT.encode())
