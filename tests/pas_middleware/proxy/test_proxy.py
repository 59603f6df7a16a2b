"""The main path: one request through the proxy, what the upstream got of it, what the client got back."""

import asyncio
import json
import threading
from urllib.parse import unquote

import httpx
import pytest

from http_servers import COMPLEMENT, PROMPT, openai_answer
from pas_middleware import PAS, ModelCorrupt, Record, ScriptedModel, Settings
from pas_middleware.proxy.config import Secret
from pas_middleware.record import read_record

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


def chat(text: object = PROMPT, **more: object) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **more}).encode()


JSON = {"content-type": "application/json"}
CHAT = "/v1/chat/completions"


def test_a_skipped_request_goes_on_as_it_came(client, upstream):
    raw = b' {"messages":[ {"role" :"user","content":"\\ud83d\\ude00 !!"} ] ,"x":1.0e+2}\n'
    answer = client.post(CHAT, content=raw, headers=JSON)
    assert answer.headers["x-pas-status"] == "skipped"
    assert upstream.requests[0].body == raw


def test_opt_out_and_what_the_proxy_reads_stay_here(client, upstream):
    answer = client.post(CHAT, content=chat(), headers=JSON | {"x-pas": "off", "x-pas-show": "complement"})
    assert (answer.headers["x-pas-reason"], answer.headers["x-pas-complement"]) == ("opted_out", "")
    assert upstream.requests[0].body == chat()
    assert not [name for name, _ in upstream.requests[0].headers if name.startswith(b"x-pas")]


def test_complement_on_request(start, upstream):
    text = "先检查每一步，再作答。"
    with httpx.Client(base_url=start(ScriptedModel(text)), trust_env=False) as client:
        answer = client.post(CHAT, content=chat("请解释潮汐是怎么形成的"), headers=JSON | {"x-pas-show": "complement"})
    assert unquote(answer.headers["x-pas-complement"]) == text
    assert json.loads(upstream.requests[0].body)["messages"][0]["content"].endswith(text)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503, 529])
def test_upstream_errors_are_relayed_once(client, upstream, status):
    upstream.answer = lambda _: (
        status,
        {"retry-after": "7", "x-request-id": "r1", "x-pas-status": "forged"},
        b"\x00 no",
    )
    answer = client.post(CHAT, content=chat(), headers=JSON)
    assert (answer.status_code, answer.content) == (status, b"\x00 no")
    assert (answer.headers["retry-after"], answer.headers["x-request-id"]) == ("7", "r1")
    assert answer.headers["x-pas-status"] == "applied"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "method, target, body",
    [
        ("GET", "/v1/models?limit=2&after=a%2Fb", b""),
        ("POST", "/v1/embeddings", b'{"input": "10 birds"}'),
        ("POST", "/v1/files", bytes(range(256)) * 40),
        ("DELETE", "/v1/files/f%C3%A9", b""),
        ("POST", "/v1/messages/count_tokens", chat()),
        ("POST", "/v1/chat/completions/", chat()),
        ("GET", "/v1/chat/completions", b""),
        ("PUT", "/anything", chat()),
        ("HEAD", "/v1/models", b""),
        ("OPTIONS", "/v1/chat/completions", b""),
    ],
)
def test_everything_else_is_forwarded_untouched(client, upstream, method, target, body):
    answer = client.request(method, target, content=body, headers={"authorization": "Bearer k1", "x-own": b"\xe9"})
    (got,) = upstream.requests
    assert (got.method, got.target.decode(), got.body) == (method, target, body)
    assert (got.header("authorization"), got.header("x-own")) == ("Bearer k1", "\xe9")
    assert "x-pas-status" not in answer.headers


def test_a_stream_passes_piece_by_piece(client, upstream):
    upstream.hold = threading.Event()
    with client.stream("POST", CHAT, content=chat(stream=True), headers=JSON) as answer:
        pieces = answer.iter_raw()
        first = next(pieces)  # the second is held back until now
        upstream.hold.set()
        rest = b"".join(pieces)
    assert answer.headers["x-pas-status"] == "applied" and first.startswith(b"data: {")
    assert first + rest == b"".join(openai_answer(upstream.requests[0])[2])


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_aborts_the_upstream(proxy, upstream, stream):
    upstream.hold = threading.Event()
    upstream.answer = lambda _: (200, {"content-type": "text/plain"}, [b"a" * (1 if stream else 0), b"never"])
    with (
        httpx.Client(base_url=proxy, trust_env=False) as client,
        client.stream("POST", CHAT, content=chat(), headers=JSON) as answer,
    ):
        if stream:
            next(answer.iter_raw())
    assert upstream.aborted.wait(10)


def test_a_body_that_is_too_long_to_read_goes_on_whole(start, upstream):
    raw = chat("word " * 2_000)
    answer = httpx.post(start(max_body_bytes=1_024) + CHAT, content=raw, headers=JSON, trust_env=False)
    assert answer.headers["x-pas-reason"] == "too_long"
    assert upstream.requests[0].body == raw


def test_a_body_in_chunks_is_read_too(client, upstream):
    answer = client.post(CHAT, content=iter([chat()[:20], chat()[20:]]), headers=JSON)
    assert answer.headers["x-pas-status"] == "applied"
    assert COMPLEMENT.encode() in upstream.requests[0].body


@pytest.mark.parametrize(
    "base, target, expected",
    [
        ("", "/v1/models", "/v1/models"),
        ("/", "/v1/models", "/v1/models"),
        ("/v1", "/v1/models?a=b", "/v1/models?a=b"),
        ("/openai/v1/", "/v1/models", "/openai/v1/models"),
        ("/v1beta/openai", "/v1/models", "/v1beta/openai/models"),
        ("/base", "/v10/models", "/base/v10/models"),
    ],
)
def test_the_upstreams_path_stands_for_the_clients_v1(start, upstream, base, target, expected):
    httpx.get(start(upstream=upstream.url + base) + target, trust_env=False)
    assert upstream.requests[0].target.decode() == expected


async def test_requests_pass_while_the_model_loads_and_it_is_ready_after_an_inference(start, upstream):
    loading, model = threading.Event(), ScriptedModel()

    def load() -> PAS:
        loading.wait()
        return PAS(model)

    url = start(load=load, wait=False)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.get("/healthz")).status_code == 200
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "model": ""})
        complement = await client.post("/v1/complement", json={"prompt": PROMPT})
        assert (complement.status_code, complement.headers["retry-after"]) == (503, "1")
        answer = await client.post(CHAT, content=chat(), headers=JSON)
        assert (answer.headers["x-pas-reason"], upstream.requests[0].body) == ("not_ready", chat())
        loading.set()
        while (ready := await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.002)
    assert ready.json() == {"ready": True, "model": "scripted"}
    assert len(model.calls) == 1


def test_a_model_that_cannot_be_loaded_takes_nothing_down(start, upstream):
    def load() -> PAS:
        raise ModelCorrupt("model.onnx was altered;")

    url = start(load=load, wait=False)
    answer = httpx.post(url + CHAT, content=chat(), headers=JSON, trust_env=False)
    assert (answer.status_code, answer.headers["x-pas-reason"]) == (200, "not_ready")
    assert httpx.get(url + "/readyz", trust_env=False).status_code == 503


def test_metrics_count_decisions_and_hold_no_text(client):
    client.post(CHAT, content=chat(), headers=JSON)
    client.post(CHAT, content=chat("!!"), headers=JSON)
    page = client.get("/metrics").text
    assert 'pas_augmentations_total{reason="",route="/v1/chat/completions",status="applied"} 1.0' in page
    assert 'pas_augmentations_total{reason="blank",route="/v1/chat/completions",status="skipped"} 1.0' in page
    assert 'pas_upstream_responses_total{code="2xx"} 2.0' in page and "pas_augment_seconds_count 2.0" in page
    assert "birds" not in page and "127.0.0.1" not in page


def test_what_happened_is_recorded(start, tmp_path):
    url = start(record=Record(tmp_path / "pas.jsonl"))
    httpx.post(url + CHAT, content=chat(), headers=JSON, trust_env=False)
    while not (tmp_path / "pas.jsonl").exists():
        threading.Event().wait(0.002)
    assert [row["status"] for row in read_record(tmp_path / "pas.jsonl")] == ["applied"]


def test_a_span_continues_the_clients_trace(client, spans):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    client.post(CHAT, content=chat(), headers=JSON | {"traceparent": parent})
    (span,) = spans.get_finished_spans()
    assert span.name == "pas.augment" and f"{span.context.trace_id:032x}" == parent.split("-")[1]
    assert span.attributes == {"pas.status": "applied", "pas.reason": ""}


def test_a_span_tells_why_a_failure_was_raised_and_not_what_it_said(start, spans):
    def failing(prompt: str) -> str:
        if prompt == PROMPT:  # not the one that warms up
            raise RuntimeError("device lost in /srv/secret")
        return COMPLEMENT

    url = start(ScriptedModel(failing), Settings(cache_entries=0, on_error="raise"))
    answer = httpx.post(url + CHAT, content=chat(), headers=JSON, trust_env=False)
    (span,) = spans.get_finished_spans()
    assert (answer.status_code, answer.headers["x-pas-status"]) == (503, "raised")
    assert span.attributes == {"pas.status": "raised", "pas.reason": "model_error"} and not span.events


def test_keys_of_the_operator_take_the_place_of_the_clients(start, upstream):
    url = start(upstream_key=Secret("sk-operator"), client_keys=(Secret("one"), Secret("two")))
    with httpx.Client(base_url=url, trust_env=False, headers=JSON) as client:
        assert client.post(CHAT, content=chat()).status_code == 401
        assert client.get("/v1/models", headers={"authorization": "Bearer three"}).status_code == 401
        assert client.post("/v1/complement", json={"prompt": PROMPT}).status_code == 401
        assert client.get("/healthz").status_code == 200
        assert not upstream.requests
        assert client.post(CHAT, content=chat(), headers={"authorization": "Bearer two"}).status_code == 200
        anthropic = {"x-api-key": "one", "anthropic-version": "2023-06-01"}
        assert client.post("/v1/messages", content=chat(), headers=anthropic).status_code == 200
    assert upstream.requests[0].header("authorization") == "Bearer sk-operator"
    assert upstream.requests[1].header("x-api-key") == "sk-operator"
    assert b"one" not in b"".join(value for _, value in upstream.requests[1].headers)
