"""The endpoint of complements, called in this process: every message, every refusal, every count."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from http_servers import COMPLEMENT, PROMPT
from in_process import APPLIED, JSON, SKIPPED, Client, FixedPAS, refusal, sample, scope
from pas_middleware import Augmentation, DeadlineExceeded, InputError, QueueFull
from pas_middleware.proxy.complement import Ask, ComplementEndpoint, read, shown
from pas_middleware.proxy.inbound import Inbound
from pas_middleware.proxy.metrics import Metrics

PATH = "/v1/complement"
FULL = Augmentation(PROMPT, PROMPT, "", "skipped", "queue_full", 5.0, "fixed")


class Endpoint:
    def __init__(self, *said: object, limit: int = 1, pas: object = True) -> None:
        self.metrics, self.pas = Metrics(), FixedPAS(*said) if pas else None
        self.endpoint = ComplementEndpoint(SimpleNamespace(pas=self.pas), self.metrics, limit, 8)

    async def __call__(self, body: object, method: str = "POST", headers: list = JSON) -> Client:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        client = Client(raw)
        async with asyncio.timeout(10):
            await self.endpoint(Inbound(scope(PATH, method, headers), client.receive), client.send)
        return client

    def counted(self, status: str, reason: str) -> float | None:
        return sample(self.metrics, "pas_augmentations_total", route=PATH, status=status, reason=reason)

    def refused(self, code: str) -> float | None:
        return sample(self.metrics, "pas_refused_total", code=code)


@pytest.mark.parametrize("constrained", [False, True])
async def test_a_complement_as_json(constrained):
    endpoint = Endpoint()
    client = await endpoint({"prompt": PROMPT, "constrained": constrained})
    status, headers, body = client.told
    assert (status, headers) == (200, {b"content-type": b"application/json", b"cache-control": b"no-store"})
    assert body == APPLIED.to_dict() | {"prompt": None}
    assert endpoint.pas.asked == [(PROMPT, {"constrained": constrained})]
    assert endpoint.counted("applied", "") == 1.0
    assert sample(endpoint.metrics, "pas_augment_seconds_sum") == 1.25


async def test_a_complement_for_messages():
    chat = [{"role": "user", "content": "One."}, {"role": "user", "content": [{"type": "text", "text": "Two."}]}]
    endpoint = Endpoint(SKIPPED)
    assert (await endpoint({"messages": chat})).told[2]["reason"] == "unsure"
    assert endpoint.pas.asked == [("Two.", {"constrained": False})]
    assert endpoint.counted("skipped", "unsure") == 1.0


@pytest.mark.parametrize("said, counted", [(FULL, 1.0), (QueueFull("full"), None)], ids=["passthrough", "raise"])
async def test_a_model_with_too_many_requests_before_it(said, counted):
    endpoint = Endpoint(said)
    message = "too many requests wait for the model."
    assert (await endpoint({"prompt": PROMPT})).told == refusal(429, "queue_full", message)
    assert endpoint.refused("queue_full") == 1.0 and endpoint.counted("skipped", "queue_full") == counted


async def test_what_on_error_raises():
    endpoint = Endpoint(DeadlineExceeded("late in /srv/secret"))
    assert (await endpoint({"prompt": PROMPT})).told == refusal(503, "deadline", "the augmentation failed.")
    assert endpoint.refused("deadline") == 1.0 and endpoint.counted("skipped", "deadline") is None


STARTED = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ],
}
ENDED = {"type": "http.response.body", "body": b""}


def event(name: str, data: object) -> dict[str, object]:
    text = f"event: {name}\ndata: {json.dumps(data)}\n\n"
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}


@pytest.mark.parametrize(
    "said, events",
    [
        (
            ["Check ", "é."],
            [("piece", {"text": "Check "}), ("piece", {"text": "é."}), ("done", shown(APPLIED))],
        ),
        ([], [("piece", {"text": COMPLEMENT}), ("done", shown(APPLIED))]),  # a selector has it at once
    ],
)
@pytest.mark.parametrize("constrained", [False, True])
async def test_a_complement_as_events(said, events, constrained):
    endpoint = Endpoint(*said, APPLIED)
    client = await endpoint({"prompt": PROMPT, "stream": True, "constrained": constrained})
    assert client.sent == [STARTED, *(event(*each) for each in events), ENDED]
    assert endpoint.pas.asked == [(PROMPT, {"constrained": constrained, "commit": "token"})]
    assert endpoint.counted("applied", "") == 1.0


@pytest.mark.parametrize("said", [[], ["Check "]])
async def test_a_stream_may_take_back_what_it_said(said):
    endpoint = Endpoint(*said, SKIPPED)
    client = await endpoint({"prompt": PROMPT, "stream": True})
    pieces = [event("piece", {"text": text}) for text in said]
    assert client.sent == [STARTED, *pieces, event("done", shown(SKIPPED)), ENDED]
    assert endpoint.counted("skipped", "unsure") == 1.0


async def test_a_stream_that_fails_says_why_and_ends():
    endpoint = Endpoint("Check ", DeadlineExceeded("late in /srv/secret"))
    client = await endpoint({"prompt": PROMPT, "stream": True})
    told = [event("piece", {"text": "Check "}), event("error", {"reason": "deadline"})]
    assert client.sent == [STARTED, *told, ENDED]


@pytest.mark.parametrize("method", ["GET", "PUT", "post"])
async def test_other_methods(method):
    endpoint = Endpoint()
    assert (await endpoint({"prompt": PROMPT}, method)).told == refusal(405, "method", "use POST.", (b"allow", b"POST"))
    assert endpoint.refused("method") == 1.0


async def test_before_the_model_is_ready():
    endpoint = Endpoint(pas=None)
    assert (await endpoint({"prompt": PROMPT})).told == refusal(503, "not_ready", "the model is not ready.")
    assert endpoint.refused("not_ready") == 1.0


LONGEST = 1_048_576


@pytest.mark.parametrize("length", [LONGEST, LONGEST + 1])
async def test_a_body_may_be_so_long(length):
    endpoint = Endpoint()
    body = json.dumps({"prompt": PROMPT}).encode()
    client = await endpoint(body + b" " * (length - len(body)))
    if length == LONGEST:
        assert client.status == 200
    else:
        assert client.told == refusal(413, "too_long", "the body is longer than 1,048,576 bytes.")
        assert endpoint.refused("too_long") == 1.0


@pytest.mark.parametrize(
    "body, headers",
    [
        (b"{", JSON),
        (b"\xff", JSON),
        (b"[" * 9 + b"]" * 9, JSON),
        (b'{"prompt": "x"}', []),
        (b'{"prompt": "x"}', [*JSON, (b"content-encoding", b"gzip")]),
    ],
)
async def test_a_body_that_cannot_be_read(body, headers):
    endpoint = Endpoint()
    message = "the body cannot be read; send application/json in UTF-8."
    assert (await endpoint(body, headers=headers)).told == refusal(400, "bad_body", message)
    assert endpoint.refused("bad_body") == 1.0


async def test_a_body_that_asks_for_nothing():
    endpoint = Endpoint()
    message = "The body needs a prompt or messages; give one of the two."
    assert (await endpoint({})).told == refusal(400, "bad_body", message)
    assert endpoint.refused("bad_body") == 1.0 and endpoint.pas.asked == []


NO_OBJECT = 'The body is no object; send {"prompt": "..."} or {"messages": [...]}.'
KNOWN = "known are constrained, messages, prompt, stream."
ONE_OF_TWO = "The body needs a prompt or messages; give one of the two."


@pytest.mark.parametrize(
    "body, said",
    [
        ([PROMPT], NO_OBJECT),
        (None, NO_OBJECT),
        ({"prompt": "x", "z": 1, "b" * 41: 2}, f"The body has '{'b' * 40}'; {KNOWN}"),
        ({"prompt": "x", "Stream": True}, f"The body has 'Stream'; {KNOWN}"),
        ({"prompt": "x", "stream": "yes"}, "stream is str; use true or false."),
        ({"prompt": "x", "stream": None}, "stream is NoneType; use true or false."),
        ({"prompt": "x", "constrained": 1}, "constrained is int; use true or false."),
        ({}, ONE_OF_TWO),
        ({"stream": True}, ONE_OF_TWO),
        ({"prompt": "x", "messages": []}, ONE_OF_TWO),
        ({"prompt": None}, "prompt is NoneType; give a text."),
        ({"prompt": ["x"]}, "prompt is list; give a text."),
        (
            {"messages": "x"},
            'messages is str; give OpenAI-style messages such as [{"role": "user", "content": "..."}].',
        ),
    ],
)
def test_what_is_wrong_with_a_body(body, said):
    with pytest.raises(InputError) as caught:
        read(body)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "body, asked",
    [
        ({"prompt": "x"}, Ask("x", False, False)),
        ({"prompt": "", "stream": True}, Ask("", True, False)),
        ({"prompt": "x", "constrained": True, "stream": False}, Ask("x", False, True)),
        ({"messages": [{"role": "user", "content": "x"}], "stream": True}, Ask("x", True, False)),
        ({"messages": [{"role": "system", "content": "x"}]}, Ask("", False, False)),
    ],
)
def test_what_a_body_asks_for(body, asked):
    assert read(body) == asked


def test_an_errors_message_is_not_shown_and_another_detail_is():
    assert shown(SKIPPED) == SKIPPED.to_dict() | {"prompt": None}
    failed = Augmentation("p", "p", reason="model_error", detail="device lost in /srv/secret")
    assert shown(failed) == failed.to_dict() | {"prompt": None, "detail": ""}


class SlowPAS(FixedPAS):
    """Answers once the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.release = asyncio.Event()

    async def aaugment(self, prompt, **options):
        await self.release.wait()
        return await super().aaugment(prompt, **options)


async def test_so_many_at_a_time_and_as_many_again_once_they_are_answered():
    endpoint = Endpoint(limit=2)
    for _ in range(3):  # what is given back is what was taken
        endpoint.endpoint._engine.pas = SlowPAS()
        asking = [asyncio.ensure_future(endpoint({"prompt": PROMPT})) for _ in range(2)]
        while endpoint.endpoint._free:
            await asyncio.sleep(0)
        message = "too many complements are asked for."
        assert (await endpoint({"prompt": PROMPT})).told == refusal(429, "queue_full", message)
        endpoint.endpoint._engine.pas.release.set()
        assert [client.status for client in await asyncio.gather(*asking)] == [200, 200]
    assert endpoint.refused("queue_full") == 3.0


@pytest.mark.parametrize("said", [KeyError("odd"), DeadlineExceeded("late")])
async def test_a_failure_takes_nobodys_place(said):
    endpoint = Endpoint(said)
    for _ in range(3):
        try:
            assert (await endpoint({"prompt": PROMPT})).status == 503
        except KeyError:
            pass
    endpoint.endpoint._engine.pas = FixedPAS()
    assert (await endpoint({"prompt": PROMPT})).status == 200
