"""Faults between the proxy and its upstream, in both modes of `on_error`: relayed as they are, never sent twice."""

import socket
from contextlib import ExitStack

import httpx
import pytest

from http_servers import PROMPT
from pas_middleware import ScriptedModel, Settings
from raw_http import CHAT, answering

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
FAULTS = {
    "closes without a word": b"",
    "resets in the head": b"HTTP/1.1 200 OK\r\ncontent-",
    "resets in the body": HEAD + b"content-length: 100\r\n\r\n" + b"x" * 40,
    "resets in a stream": HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\ndata:\r\n",
    "speaks no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n",
}
MODES = pytest.mark.parametrize("on_error", ["passthrough", "raise"])


def ask(url: str) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": PROMPT}]}
    return httpx.post(url + CHAT, json=body, trust_env=False, timeout=30)


@MODES
@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_answer_is_shown_as_broken_and_not_asked_for_again(start, name, on_error):
    with answering(FAULTS[name]) as (upstream, asked):
        url = start(ScriptedModel(), Settings(cache_entries=0, on_error=on_error), upstream=upstream)
        if FAULTS[name].startswith(HEAD):
            with pytest.raises(httpx.RemoteProtocolError):  # cut, not ended
                ask(url)
        else:
            answer = ask(url)
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
            assert answer.headers["x-pas-status"] == "applied"
        assert len(asked) == 1


@MODES
def test_an_upstream_that_refuses(start, on_error):
    url = start(ScriptedModel(), Settings(cache_entries=0, on_error=on_error), upstream="http://127.0.0.1:1")
    answer = ask(url)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert httpx.get(url + "/healthz", trust_env=False).status_code == 200


def test_an_upstream_that_takes_no_connection(start):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        for _ in range(4):  # more than it lets wait: whoever comes next is not even refused
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        address = f"http://127.0.0.1:{full.getsockname()[1]}"
        answer = ask(start(upstream=address, connect_timeout_s=0.05))
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")


@MODES
def test_an_upstream_that_never_answers(start, upstream, on_error):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        policy = Settings(cache_entries=0, on_error=on_error)
        answer = ask(start(ScriptedModel(), policy, upstream=address, read_timeout_s=0.05))
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")


@MODES
def test_a_slow_drip_passes_drop_by_drop(start, upstream, on_error):
    upstream.answer = lambda _: (200, {"content-type": "text/plain"}, [b"x"] * 200)
    assert ask(start(ScriptedModel(), Settings(cache_entries=0, on_error=on_error))).content == b"x" * 200
