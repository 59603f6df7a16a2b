"""The application, called in this process: where each request goes, what it is told, what is counted and logged."""

import asyncio
import json
import logging

import pytest

from http_servers import COMPLEMENT, PROMPT
from in_process import (
    CHAT,
    CHAT_BODY,
    JSON,
    NOBODY,
    Client,
    FixedPAS,
    answering_here,
    call,
    ok,
    ready_proxy,
    refusal,
    sample,
)
from pas_middleware import PAS, DeadlineExceeded, Record, ScriptedModel, Settings
from pas_middleware.proxy.app import Proxy
from pas_middleware.proxy.config import ProxyConfig, Secret

KEYS = (Secret("one"), Secret("two"))
LENGTH = (b"content-length", str(len(CHAT_BODY)).encode())


def total(proxy: Proxy, name: str, **labels: str) -> float | None:
    return sample(proxy.metrics, f"pas_{name}", **labels)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_it_is_alive(method):
    told = (await call(ready_proxy(), path="/healthz", method=method)).told
    assert told == (200, {b"content-type": b"application/json"}, {"alive": True})


async def test_it_is_ready_with_its_model():
    proxy = ready_proxy()
    told = (await call(proxy, path="/readyz", method="GET")).told
    assert told == (200, {b"content-type": b"application/json"}, {"ready": True, "model": "fixed"})
    proxy.engine.pas = None
    told = (await call(proxy, path="/readyz", method="GET")).told
    headers = {b"content-type": b"application/json", b"retry-after": b"1"}
    assert told == (503, headers, {"ready": False, "model": ""})


async def test_its_counts_are_a_page():
    proxy = ready_proxy()
    client = await call(proxy, path="/metrics", method="GET")
    headers = dict(client.headers)
    assert client.status == 200 and headers[b"content-type"].startswith(b"text/plain")
    assert b"\npas_in_flight 1.0\n" in client.body  # this request itself
    assert total(proxy, "in_flight") == 0.0


async def test_a_known_route_is_augmented_and_answered():
    async with answering_here(ok(b"hello", b"x-own: 1")) as upstream:
        proxy = ready_proxy(upstream=upstream.url)
        client = await call(proxy, CHAT_BODY, headers=[*JSON, LENGTH, (b"x-pas-show", b"complement")])
        assert (client.status, client.body) == (200, b"hello")
        assert client.headers == [
            (b"x-own", b"1"),
            (b"content-length", b"5"),
            (b"x-pas-status", b"applied"),
            (b"x-pas-reason", b""),
            (b"x-pas-ms", b"1250.0"),
            (b"x-pas-complement", COMPLEMENT.encode()),
        ]
        (request,) = upstream.requests
        assert json.loads(request.partition(b"\r\n\r\n")[2])["messages"][0]["content"] == f"{PROMPT}\n\n{COMPLEMENT}"
        await proxy._upstream.close()


@pytest.mark.parametrize(
    "method, path",
    [("GET", CHAT), ("PUT", CHAT), ("POST", "/v1/embeddings"), ("GET", "/v1/models"), ("POST", "/"), ("GET", "/")],
)
async def test_everything_else_goes_on_untouched(method, path):
    async with answering_here() as upstream:
        proxy = ready_proxy(upstream=upstream.url)
        client = await call(proxy, CHAT_BODY, path=path, method=method, headers=[*JSON, LENGTH])
        assert client.headers == [(b"content-length", b"2")] and proxy.engine.pas.asked == []
        assert upstream.requests[0].startswith(f"{method} {path} HTTP/1.1\r\n".encode())
        assert upstream.requests[0].endswith(b"\r\n\r\n" + CHAT_BODY)
        await proxy._upstream.close()


@pytest.mark.parametrize("more, reason", [(0, ""), (1, "too_long")])
async def test_a_body_is_read_up_to_the_operators_limit(more, reason):
    async with answering_here() as upstream:
        proxy = ready_proxy(upstream=upstream.url, max_body_bytes=1_024)
        body = CHAT_BODY + b" " * (1_024 + more - len(CHAT_BODY))
        headers = [*JSON, (b"content-length", str(len(body)).encode())]
        client = await call(proxy, body[:1_000], body[1_000:], headers=headers)
        assert dict(client.headers)[b"x-pas-reason"] == reason.encode()
        if reason:
            assert upstream.requests[0].endswith(b"\r\n\r\n" + body)
        await proxy._upstream.close()


async def test_the_operators_limits_on_depth_and_complements_hold():
    proxy = ready_proxy(max_json_depth=8, complement_limit=1)
    deep = b'{"prompt": "x", "messages": ' + b"[" * 8 + b"]" * 8 + b"}"
    answer = (await call(proxy, deep, path="/v1/complement")).told
    assert answer[2]["error"]["message"].startswith("pas proxy: the body cannot be read")
    assert (proxy._augmenter._max_depth, proxy._closed["/v1/complement"]._free) == (8, 1)


async def test_what_on_error_raises_is_a_503_that_says_so():
    proxy = ready_proxy(FixedPAS(DeadlineExceeded("late in /srv/secret")))
    client = await call(proxy, CHAT_BODY)
    told = [(b"x-pas-status", b"raised"), (b"x-pas-reason", b"deadline")]
    message = "the augmentation failed, and on_error is raise."
    assert client.told == refusal(503, "deadline", message, *told)
    assert total(proxy, "augmentations_total", route=CHAT, status="raised", reason="deadline") == 1.0


LENGTHS = [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize("path", [CHAT, "/healthz"])
async def test_a_request_with_a_length_and_chunks_is_refused_everywhere(path):
    message = "the request has a length and chunks."
    assert (await call(ready_proxy(), path=path, headers=LENGTHS)).told == refusal(400, "two_lengths", message)


@pytest.mark.parametrize("headers", [LENGTHS[:1], LENGTHS[1:], []])
async def test_a_request_with_one_of_them_or_none_is_not(headers):
    assert (await call(ready_proxy(), path="/healthz", headers=headers)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer one")],
        [(b"authorization", b"Bearer two")],
        [(b"authorization", b"two")],
        [(b"x-api-key", b"two")],
        [(b"x-api-key", b"one"), (b"authorization", b"Bearer three")],
        [(b"x-api-key", b""), (b"authorization", b"Bearer one")],
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/complement"])
async def test_who_has_a_key_is_let_in(headers, path):
    async with answering_here() as upstream:
        proxy = ready_proxy(upstream=upstream.url, client_keys=KEYS)
        body = CHAT_BODY if path == CHAT else b'{"prompt": "x"}'
        client = await call(proxy, body, path=path, headers=[*JSON, *headers])
        assert client.status == 200 and len(proxy.engine.pas.asked) == 1
        assert total(proxy, "refused_total", code="key") is None
        await proxy._upstream.close()


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Bearer three")],
        [(b"authorization", b"bearer one")],
        [(b"authorization", b"oneBearer ")],
        [(b"authorization", b"Bearer one,two")],
        [(b"authorization", b"Bearer \xe9")],
        [(b"x-api-key", b"Bearer one")],
        [(b"x-api-key", b"three"), (b"authorization", b"Bearer one")],
        [(b"x-goog-api-key", b"one")],
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/complement", "/v1/models", "/healthzz", "/"])
async def test_who_has_none_is_not(headers, path):
    proxy = ready_proxy(client_keys=KEYS)
    client = await call(proxy, CHAT_BODY, path=path, headers=[*JSON, *headers])
    assert client.told == refusal(401, "key", "present a key that this proxy knows.")
    assert total(proxy, "refused_total", code="key") == 1.0 and proxy.engine.pas.asked == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/", "/pas-page/page.css"])
async def test_its_own_pages_need_no_key(path):
    proxy = ready_proxy(client_keys=KEYS, page=True)
    assert (await call(proxy, path=path, method="GET", headers=[])).status == 200


async def test_what_is_no_http_is_closed():
    sent = Client()
    await ready_proxy()({"type": "websocket"}, sent.receive, sent.send)
    assert sent.sent == [{"type": "websocket.close", "code": 1008}]


class Broken:
    """An upstream in which something of ours fails, before or after the answer began."""

    def __init__(self, error: Exception, begun: bool) -> None:
        self.error, self.begun = error, begun

    async def relay(self, inbound, send, body, told):
        assert (body, told) == (None, [])
        if self.begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise self.error


@pytest.mark.parametrize("begun", [False, True])
async def test_a_fault_of_the_proxy_is_told_once_and_without_what_it_said(begun, caplog):
    proxy = ready_proxy()
    proxy._upstream = Broken(KeyError("sk-secret"), begun)
    with caplog.at_level(logging.DEBUG):
        client = await call(proxy, path="/v1/models", method="GET")
    if begun:
        assert client.sent == [{"type": "http.response.start", "status": 200, "headers": []}]
    else:
        assert client.told == refusal(500, "proxy_error", "a fault of the proxy.")
    assert caplog.record_tuples == [("pas_middleware.proxy", logging.ERROR, "a request failed in the proxy: KeyError")]
    assert (total(proxy, "proxy_errors_total"), total(proxy, "client_aborts_total")) == (1.0, 0.0)


async def test_a_client_that_leaves_is_counted_and_told_nothing(caplog):
    proxy, ended = ready_proxy(), []

    async def forever(inbound, send, body, told):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    proxy._upstream.relay = forever
    assert (await call(proxy, CHAT_BODY, leaves=True)).sent == []
    assert (total(proxy, "client_aborts_total"), total(proxy, "proxy_errors_total")) == (1.0, 0.0)
    assert (ended, total(proxy, "in_flight"), caplog.record_tuples) == (["ended"], 0.0, [])


async def test_requests_under_way_are_counted():
    proxy, seen = ready_proxy(), []

    async def relay(inbound, send, body, told):
        seen.append(total(proxy, "in_flight"))

    proxy._upstream.relay = relay
    await call(proxy)
    assert (seen, total(proxy, "in_flight")) == ([1.0], 0.0)


async def test_it_loads_when_it_is_started_and_gives_everything_back_in_the_end(tmp_path):
    record = Record(tmp_path / "pas.jsonl")
    pas = PAS(ScriptedModel(), Settings(cache_entries=0))
    proxy, closed = Proxy(ProxyConfig(NOBODY), lambda: pas, record), []
    messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    sent: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    proxy._upstream._idle.append(type("Idle", (), {"close": lambda self: closed.append("idle")})())
    pas.close = lambda: closed.append("pas")
    async with asyncio.timeout(30):
        running = asyncio.ensure_future(proxy({"type": "lifespan"}, messages.get, sent.put))
        await asyncio.sleep(0)
        assert sent.empty() and proxy.engine._task is None  # nobody has asked it to start
        await messages.put({"type": "lifespan.startup"})
        assert await sent.get() == {"type": "lifespan.startup.complete"}
        while proxy.engine.pas is None:
            await asyncio.sleep(0.001)
        assert proxy.engine.pas is pas and pas.record is record
        assert closed == [] and not running.done()
        await messages.put({"type": "lifespan.shutdown"})
        assert await sent.get() == {"type": "lifespan.shutdown.complete"}
        await running
    assert closed == ["idle", "pas"] and sent.empty()


@pytest.mark.parametrize("page", [True, False])
async def test_the_page_is_there_where_the_operator_wants_it(page):
    async with answering_here(ok(b"theirs")) as upstream:
        proxy = ready_proxy(upstream=upstream.url, page=page)
        client = await call(proxy, path="/", method="GET", headers=[])
        assert (client.body == b"theirs") is not page and (b"<!doctype html>" in client.body.lower()) is page
        await proxy._upstream.close()
