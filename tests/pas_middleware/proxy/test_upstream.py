"""One request to the upstream and its answer back: which bytes leave, which headers stay here, what is counted."""

import ssl

import pytest

from in_process import Client, Pairs, answering_here, call, ok, refusal, sample, scope
from pas_middleware.proxy.config import ProxyConfig, Secret
from pas_middleware.proxy.inbound import Inbound
from pas_middleware.proxy.metrics import Metrics
from pas_middleware.proxy.upstream import Upstream, end_to_end, without

TOLD = [(b"x-pas-status", b"skipped")]


class Relay:
    """An upstream as an ASGI application, with the body that the proxy has decided on."""

    def __init__(self, url: str, body: bytes | None = None, told: Pairs = TOLD, **options: object) -> None:
        self.metrics = Metrics()
        self.upstream = Upstream(ProxyConfig(url, **options), self.metrics)
        self.body, self.told = body, told

    async def __call__(self, scope, receive, send):
        await self.upstream.relay(Inbound(scope, receive), send, self.body, self.told)

    def answers(self, code: str) -> float | None:
        return sample(self.metrics, "pas_upstream_responses_total", code=code)


async def sent(*pieces: bytes, body: bytes | None = None, options: dict | None = None, **request: object) -> bytes:
    """Return the bytes that reach an upstream, whose address stands for a.test."""
    async with answering_here() as upstream:
        relay = Relay(upstream.url, body, **(options or {}))
        await call(relay, *pieces, **request)
        await relay.upstream.close()
        return upstream.requests[0].replace(upstream.url.removeprefix("http://").encode(), b"a.test")


async def test_a_body_of_the_proxys_own_goes_with_its_own_length():
    headers = [(b"accept", b"*/*"), (b"content-length", b"3"), (b"Content-Length", b"3"), (b"x-own", b"\xe9")]
    request = await sent(b"old", body=b"newer", headers=headers, path="/v1/x", query=b"a=b")
    assert request == (
        b"POST /v1/x?a=b HTTP/1.1\r\nhost: a.test\r\naccept: */*\r\nx-own: \xe9\r\ncontent-length: 5\r\n\r\nnewer"
    )


async def test_a_body_of_the_proxys_own_may_be_empty():
    assert (await sent(b"old", body=b"", headers=[])).endswith(b"\r\ncontent-length: 0\r\n\r\n")


async def test_the_clients_body_goes_as_it_comes_with_its_length():
    request = await sent(b"one ", b"two", headers=[(b"content-length", b"7")], method="PATCH")
    assert request == b"PATCH /v1/chat/completions HTTP/1.1\r\nhost: a.test\r\ncontent-length: 7\r\n\r\none two"


async def test_the_clients_chunks_go_as_chunks():
    request = await sent(b"one ", b"two", headers=[(b"transfer-encoding", b"gzip, chunked")])
    head, _, body = request.partition(b"\r\n\r\n")
    assert head == b"POST /v1/chat/completions HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked"
    assert body.replace(b"\r\n", b" ") == b"4 one  3 two 0  "


@pytest.mark.parametrize(
    "method, length",
    [("POST", b"content-length: 0\r\n"), ("PUT", b"content-length: 0\r\n"), ("PATCH", b"content-length: 0\r\n")]
    + [(method, b"") for method in ("GET", "HEAD", "DELETE", "OPTIONS")],
)
async def test_a_request_without_a_body_says_so_where_one_is_usual(method, length):
    request = await sent(headers=[], method=method)
    assert request == method.encode() + b" /v1/chat/completions HTTP/1.1\r\nhost: a.test\r\n" + length + b"\r\n"


async def test_nobody_waits_for_a_body_of_which_no_header_speaks():
    async with answering_here() as upstream:
        relay, got = Relay(upstream.url), Inbound(scope(headers=[]), Client().receive)
        await relay.upstream.relay(got, (client := Client()).send, None, [])
        assert client.status == 200 and [piece async for piece in got.pieces()] == []
        await relay.upstream.close()


KEYS = [(b"authorization", b"Bearer k"), (b"x-api-key", b"k"), (b"api-key", b"k"), (b"x-goog-api-key", b"k")]


@pytest.mark.parametrize(
    "options, given, left",
    [
        ({}, KEYS, KEYS),
        (
            {},
            [(b"x-pas", b"off"), (b"x-pas-show", b"complement"), (b"x-past", b"1"), (b"y", b"x-pas")],
            [(b"y", b"x-pas")],
        ),
        ({"client_keys": (Secret("k"),)}, [*KEYS, (b"y", b"1")], [(b"y", b"1")]),
        ({"upstream_key": Secret("sk")}, [*KEYS, (b"y", b"1")], [(b"y", b"1"), (b"authorization", b"Bearer sk")]),
        (
            {"upstream_key": Secret("sk")},
            [*KEYS, (b"anthropic-version", b"2023-06-01")],
            [(b"anthropic-version", b"2023-06-01"), (b"x-api-key", b"sk")],
        ),
        ({"client_keys": (Secret("k"),), "upstream_key": Secret("sk")}, KEYS, [(b"authorization", b"Bearer sk")]),
    ],
)
async def test_which_keys_and_headers_go_on(options, given, left):
    request = await sent(method="GET", headers=given, options=options)
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in left)
    assert request == b"GET /v1/chat/completions HTTP/1.1\r\nhost: a.test\r\n" + lines + b"\r\n"


@pytest.mark.parametrize(
    "given, left",
    [
        (b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer", b""),
        (b"transfer-encoding upgrade expect host", b""),
        (b"Connection TE Host", b""),
        (b"content-length content-type accept x-own", b"content-length content-type accept x-own"),
    ],
)
def test_headers_of_one_connection_alone(given, left):
    assert end_to_end([(name, b"1") for name in given.split()]) == [(name, b"1") for name in left.split()]


def test_what_a_connection_names_as_its_own_stays_here_and_no_header_that_says_what_a_body_is():
    named = [(b"Connection", b"content-length,close, X-One "), (b"connection", b"x-two,content-type")]
    hop = [(b"x-one", b"1"), (b"X-Two", b"2"), (b"close", b"3")]
    kept = [(b"content-length", b"4"), (b"content-type", b"5"), (b"x-three", b"6")]
    assert end_to_end([*named, *hop, *kept]) == kept


def test_without_names_in_any_case():
    assert without([(b"A", b"1"), (b"b", b"2"), (b"c", b"3")], b"a", b"c") == [(b"b", b"2")]


@pytest.mark.parametrize(
    "status, code", [(b"200 OK", "2xx"), (b"304 Not", "3xx"), (b"404 Not", "4xx"), (b"529 Busy", "5xx")]
)
async def test_an_answer_is_relayed_with_what_the_proxy_tells_and_counted(status, code):
    said = [
        b"X-Request-Id: r1",
        b"x-pas-status: forged",
        b"X-Pas-Ms: 1",
        b"connection: x-hop",
        b"x-hop: 1",
        b"x-past: 2",
    ]
    async with answering_here(ok(b"" if code == "3xx" else b"hello", *said, status=status)) as upstream:
        relay = Relay(upstream.url)
        client = await call(relay)
        await relay.upstream.close()
    headers = [(b"X-Request-Id", b"r1"), (b"x-past", b"2"), (b"content-length", b"0" if code == "3xx" else b"5"), *TOLD]
    body = [] if code == "3xx" else [{"type": "http.response.body", "body": b"hello", "more_body": True}]
    assert client.sent == [
        {"type": "http.response.start", "status": int(status[:3]), "headers": headers},
        *body,
        {"type": "http.response.body", "body": b""},
    ]
    assert relay.answers(code) == 1.0 and sample(relay.metrics, "pas_upstream_cuts_total") == 0.0


async def test_an_answer_that_is_cut_is_counted_and_not_ended():
    async with answering_here(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\none") as upstream:
        relay = Relay(upstream.url, read_timeout_s=0.05)
        client = await call(relay)
    assert [message.get("more_body") for message in client.sent] == [None, True]
    assert (relay.answers("2xx"), sample(relay.metrics, "pas_upstream_cuts_total")) == (1.0, 1.0)


async def test_an_upstream_that_is_too_slow():
    async with answering_here(b"") as upstream:
        relay = Relay(upstream.url, read_timeout_s=0.05)
        client = await call(relay)
    message = "the upstream did not answer in time (TimeoutError)."
    assert client.told == refusal(504, "upstream_timeout", message, *TOLD)
    assert relay.answers("none") == 1.0 and upstream.requests


async def test_an_upstream_that_is_not_there():
    async with answering_here() as upstream:
        pass
    relay = Relay(upstream.url)
    message = "the upstream gave no answer (ConnectionRefusedError)."
    assert (await call(relay)).told == refusal(502, "upstream_unreachable", message, *TOLD)
    assert relay.answers("none") == 1.0


async def test_an_upstream_that_speaks_something_else():
    async with answering_here(b"SSH-2.0-OpenSSH\r\n\r\n") as upstream:
        relay = Relay(upstream.url)
        client = await call(relay)
    message = "the upstream gave no answer (RemoteProtocolError)."
    assert client.told == refusal(502, "upstream_unreachable", message, *TOLD)
    assert relay.answers("none") == 1.0


async def test_one_that_does_not_even_take_a_connection_in_time(monkeypatch):
    async def open(origin):
        raise TimeoutError

    monkeypatch.setattr("pas_middleware.proxy.upstream.Connection.open", open)
    client = await call(Relay("http://a.test"))
    assert client.told == refusal(504, "upstream_timeout", "the upstream did not answer in time (TimeoutError).", *TOLD)


@pytest.mark.parametrize("path", ["//evil.test/", "/v1/../x", "http://evil.test"])
async def test_a_target_that_is_no_plain_path_goes_nowhere(path):
    client = await call(Relay("http://a.test"), path=path)
    assert client.told == refusal(400, "bad_target", "the request's target is no plain path.", *TOLD)


@pytest.mark.parametrize(
    "base, asked, target",
    [
        ("", b"/v1/models?a=/../b", b"/v1/models?a=/../b"),
        ("", b"/v1", b"/v1"),
        ("", b"/", b"/"),
        ("/b", b"/v1", b"/b"),
        ("/b", b"/v1?a=b", b"/b?a=b"),
        ("/b/v2/", b"/v1/v1/x", b"/b/v2/v1/x"),
        ("/b//", b"/v1/x", b"/b/x"),
        ("/X/", b"/v1/x", b"/X/x"),
        ("//b", b"/v1/x", b"//b/x"),
        ("/b", b"/v1x", b"/b/v1x"),
        ("/b", b"/x/v1", b"/b/x/v1"),
        ("/a b%/:@!$&'()*+,;=~", b"/v1/x", b"/a%20b%/:@!$&'()*+,;=~/x"),
        ("", b"/.well-known/x", b"/.well-known/x"),
        ("", b"/a..b/...", b"/a..b/..."),
        ("", b"", None),
        ("", b"/x?y?z", b"/x?y?z"),
        ("", b"//x", None),
        ("", b"/a//x", b"/a//x"),
        ("", b"x", None),
        ("", b"/a b", None),
        ("", b"/\xe9", None),
        ("", b"/x?a b", None),
        ("", b"/./x", None),
        ("", b"/x/..", None),
        ("", b"/x/%2E%2e/y", None),
        ("", b"/x\\..\\y", None),
        ("", b"/x/..;a/y", None),
    ],
)
def test_the_upstreams_target_for_a_clients(base, asked, target):
    assert Upstream(ProxyConfig(f"http://a.test{base}"), Metrics()).target(asked) == target


@pytest.mark.parametrize(
    "url, host, port, name",
    [
        ("http://A.test", "a.test", 80, b"a.test"),
        ("http://a.test:80", "a.test", 80, b"a.test"),
        ("http://a.test:443", "a.test", 443, b"a.test:443"),
        ("http://a.test:8000", "a.test", 8000, b"a.test:8000"),
        ("http://[::1]", "::1", 80, b"[::1]"),
        ("http://[::1]:8000", "::1", 8000, b"[::1]:8000"),
        ("http://b\u00fccher.test", "xn--bcher-kva.test", 80, b"xn--bcher-kva.test"),
    ],
)
def test_where_the_upstream_is(url, host, port, name):
    upstream = Upstream(ProxyConfig(url, connect_timeout_s=3.0, read_timeout_s=4.0), Metrics())
    origin = upstream._origin
    assert (origin.host, origin.port, origin.context, upstream._host) == (host, port, None, name)
    assert (origin.connect_s, origin.read_s) == (3.0, 4.0)


@pytest.mark.parametrize("port, name", [("", b"a.test"), (":443", b"a.test"), (":80", b"a.test:80")])
def test_https_speaks_http_1_1_over_tls_as_the_machine_trusts_it(monkeypatch, port, name):
    class Context(ssl.SSLContext):
        spoken: list[str]

        def set_alpn_protocols(self, protocols):
            self.spoken = protocols

    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(ssl, "create_default_context", lambda: context)
    upstream = Upstream(ProxyConfig(f"https://a.test{port}"), Metrics())
    assert upstream._origin.context is context and context.spoken == ["http/1.1"]
    assert (upstream._origin.port, upstream._host) == (80 if port == ":80" else 443, name)


class Rested:
    """Stands for a connection that rested."""

    def __init__(self, fresh: bool = True, *, rests: bool = True) -> None:
        self.fresh, self.rests, self.closed = fresh, rests, 0

    def rest(self) -> bool:
        return self.rests

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def upstream() -> Upstream:
    return Upstream(ProxyConfig("http://a.test"), Metrics())


async def test_the_connection_that_rested_least_is_taken_first_and_none_that_is_old(upstream):
    old, young, youngest = idle = [Rested(), Rested(), Rested()]
    for each in idle:
        upstream._give_back(each)
    youngest.fresh = False
    assert await upstream._take() is young
    assert [each.closed for each in idle] == [0, 0, 1]
    assert await upstream._take() is old


async def test_where_none_is_left_one_is_opened(upstream, monkeypatch):
    opened = []

    async def open(origin):
        opened.append(origin)
        return "new"

    monkeypatch.setattr("pas_middleware.proxy.upstream.Connection.open", open)
    upstream._give_back(old := Rested())
    old.fresh = False
    assert await upstream._take() == "new"
    assert opened == [upstream._origin] and old.closed == 1


def test_at_most_200_rest_and_none_longer_than_it_may(upstream):
    idle = [Rested() for _ in range(200)]
    for each in idle:
        upstream._give_back(each)
    assert not any(each.closed for each in idle)
    upstream._give_back(Rested())
    assert [each.closed for each in idle] == [1] + [0] * 199
    idle[1].fresh = idle[2].fresh = False
    upstream._give_back(last := Rested())
    assert [each.closed for each in idle] == [1, 1, 1] + [0] * 197 and not last.closed


def test_one_that_cannot_rest_is_closed(upstream):
    upstream._give_back(ended := Rested(rests=False))
    assert ended.closed == 1 and not upstream._idle


async def test_all_that_rest_are_closed_in_the_end(upstream):
    for each in (idle := [Rested(), Rested()]):
        upstream._give_back(each)
    await upstream.close()
    assert [each.closed for each in idle] == [1, 1] and not upstream._idle


async def test_a_connection_is_used_again_and_never_after_a_request_that_broke_off():
    async with answering_here() as upstream:
        relay = Relay(upstream.url)
        for _ in range(2):
            await call(relay)
        assert [len(requests) for requests in upstream.connections] == [2]

        async def breaks(message):
            raise RuntimeError

        with pytest.raises(RuntimeError):
            await relay(scope(headers=[]), Client(b"").receive, breaks)
        assert not relay.upstream._idle
        await call(relay)
        assert [len(requests) for requests in upstream.connections] == [3, 1]
        await relay.upstream.close()
