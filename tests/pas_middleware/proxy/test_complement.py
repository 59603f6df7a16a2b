"""POST /v1/complement: the complement alone, whole and as it is written."""

import json
import threading
from queue import SimpleQueue

import httpx
import pytest

from http_servers import COMPLEMENT, PROMPT
from pas_middleware import ScriptedModel, Settings

PATH = "/v1/complement"


def events(text: str) -> list[tuple[str, dict]]:
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def failing(prompt: str) -> str:
    if prompt == PROMPT:
        raise RuntimeError("device lost in /srv/secret")
    return COMPLEMENT


def test_a_complement(shared):
    answer = shared[0].post(PATH, json={"prompt": PROMPT})
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["complement"], body["status"], body["reason"]) == (COMPLEMENT, "applied", "")
    assert body["text"] == f"{PROMPT}\n\n{COMPLEMENT}" and body["prompt"] is None and body["model"] == "scripted"
    assert not shared[1].requests


def test_messages_do_as_well(shared):
    chat = [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}, {"role": "assistant", "content": "None."}]
    assert shared[0].post(PATH, json={"messages": chat}).json()["complement"] == COMPLEMENT


def test_a_skip_says_why(shared):
    assert shared[0].post(PATH, json={"prompt": "!!"}).json()["reason"] == "blank"
    constrained = shared[0].post(PATH, json={"prompt": PROMPT, "constrained": True}).json()
    assert constrained["reason"] == "already_constrained"


def test_a_stream_of_events(shared):
    answer = shared[0].post(PATH, json={"prompt": PROMPT, "stream": True})
    assert answer.headers["content-type"] == "text/event-stream"
    *pieces, (name, done) = events(answer.text)
    assert name == "done" and {name for name, _ in pieces} == {"piece"}
    assert "".join(data["text"] for _, data in pieces) == done["complement"] == COMPLEMENT
    assert [name for name, _ in events(shared[0].post(PATH, json={"prompt": "!!", "stream": True}).text)] == ["done"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_failure_shows_its_reason_and_no_message(start, stream):
    answer = httpx.post(
        start(ScriptedModel(failing)) + PATH, json={"prompt": PROMPT, "stream": stream}, trust_env=False
    )
    assert answer.status_code == 200 and "model_error" in answer.text and "secret" not in answer.text
    raised = start(ScriptedModel(failing), Settings(cache_entries=0, on_error="raise"))
    answer = httpx.post(raised + PATH, json={"prompt": PROMPT, "stream": stream}, trust_env=False)
    assert "model_error" in answer.text and "secret" not in answer.text
    assert answer.status_code == (200 if stream else 503)  # a stream has begun before anything can fail


@pytest.mark.parametrize(
    "body, named",
    [
        ({}, "a prompt or messages"),
        ({"prompt": PROMPT, "messages": []}, "a prompt or messages"),
        ({"prompt": 7}, "prompt is int"),
        ({"prompt": None}, "prompt is NoneType"),
        ({"messages": []}, "messages is empty"),
        ({"messages": "hello"}, "messages is str"),
        ({"messages": [{"content": "no role"}]}, "messages[0]"),
        ({"prompt": PROMPT, "stream": "yes"}, "stream is str"),
        ({"prompt": PROMPT, "constrained": 1}, "constrained is int"),
        ({"prompt": PROMPT, "api_base": "http://e"}, "api_base"),
        ([PROMPT], "no object"),
    ],
)
def test_wrong_bodies_are_named(shared, body, named):
    answer = shared[0].post(PATH, json=body)
    assert answer.status_code == 400 and named in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "content, headers, status",
    [
        (b"{", {"content-type": "application/json"}, 400),
        (b'{"prompt": "x"}', {"content-type": "text/plain"}, 400),
        (b'{"prompt": "x"}', {"content-type": "application/json; charset=utf-16"}, 400),
        (b'{"prompt": "x"}', {"content-type": "application/json", "content-encoding": "gzip"}, 400),
        (b'"' + b"x" * 1_100_000 + b'"', {"content-type": "application/json"}, 413),
    ],
)
def test_bodies_that_cannot_be_read_are_refused(shared, content, headers, status):
    assert shared[0].post(PATH, content=content, headers=headers).status_code == status


def test_other_methods_are_refused(shared):
    answer = shared[0].get(PATH)
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/json")
    assert answer.headers["allow"] == "POST"
    error = {"message": "pas proxy: use POST.", "type": "pas_proxy_error", "code": "method", "param": None}
    assert answer.json() == {"type": "error", "error": error}  # as OpenAI's clients read it, and Anthropic's


@pytest.mark.parametrize(
    "settings, clients",
    [({"complement_limit": 1}, 2), ({"settings": Settings(queue_limit=1, cache_entries=0, deadline_ms=600_000)}, 3)],
)
def test_more_than_the_limit_are_told_to_come_back(start, settings, clients):
    release, asked = threading.Event(), threading.Semaphore(0)

    def slow(prompt: str) -> str:
        if prompt.startswith("Explain"):
            asked.release()
            release.wait()
        return COMPLEMENT

    url = start(ScriptedModel(slow), **settings) + PATH
    answers: SimpleQueue[httpx.Response] = SimpleQueue()

    def ask(number: int) -> None:
        body = {"prompt": f"Explain {number} to a child."}
        answers.put(httpx.post(url, json=body, trust_env=False, timeout=600))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    threads[0].start()
    asked.acquire()
    [thread.start() for thread in threads[1:]]
    refused = answers.get()  # the others wait for the model, or for their turn
    release.set()
    [thread.join() for thread in threads]
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1" and refused.json()["error"]["code"] == "queue_full"
    assert [answers.get().status_code for _ in threads[1:]] == [200] * (clients - 1)
