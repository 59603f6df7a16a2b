"""No request reaches another host than the operator's upstream: every connection of the process is watched."""

import json
import socket

import pytest

from raw_http import GOOD, exchange, post

EVIL = [
    "http://evil.test",
    "https://evil.test/v1",
    "//evil.test",
    "@evil.test",
    "http://[::1]:1",
    "http://2130706433:1",
]
EVIL += ["http://0177.0.0.1:1", "http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "http://a:b@evil.test"]
FIELDS = ["api_base", "base_url", "upstream", "proxy", "extra_headers", "api_key"]
HEADERS = [
    "host",
    "x-forwarded-host",
    "x-forwarded-for",
    "forwarded",
    "x-original-url",
    "x-pas-upstream",
    "x-rewrite-url",
]
TARGETS = [
    b"//evil.test/v1/models",
    b"http://evil.test/v1/models",
    b"@evil.test/",
    b"evil.test",
    b"/../admin",
    b"/v1/%2e%2e/admin",
]
TARGETS += [
    b"/v1/..%2fadmin",
    b"/v1/..\\admin",
    b"\\\\evil.test\\x",
    b"/.",
    b"/v1/./../x",
    b"https://evil.test:443/",
    b"/%2e%2e/%2e%2e/x",
    b"/v1/x#@evil.test/",
    b"/v1/x?url=http://evil.test/&api_base=http://evil.test",
    b"http://127.0.0.1:1/v1/models",
    b"http://[::ffff:127.0.0.1]:1/v1/models",
]


def ssrf():
    for url in EVIL:
        yield pytest.param(
            post(json.dumps(dict.fromkeys(FIELDS, url)).encode()[:-1] + b", " + GOOD[1:]), id=f"body {url}"
        )
    for field in FIELDS:
        yield pytest.param(post(json.dumps({field: EVIL[0]}).encode(), path=b"/v1/embeddings"), id=f"field {field}")
    for header in HEADERS:
        for url in EVIL[:4]:
            line = b"GET /v1/models HTTP/1.1\r\nconnection: close\r\n"
            host = b"" if header == "host" else b"host: x\r\n"
            yield pytest.param(line + host + f"{header}: {url}\r\n\r\n".encode(), id=f"{header} {url}")
    for target in TARGETS:
        yield pytest.param(
            b"GET " + target + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", id=f"target {target!r}"
        )
    for number in (301, 302, 303, 307, 308):
        yield pytest.param(
            b"GET /redirect/%d HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" % number, id=f"{number}"
        )


def test_there_are_60_attempts():
    assert len(list(ssrf())) >= 60


@pytest.fixture
def connections(monkeypatch):
    """Record whom the process connects to."""
    seen: list[object] = []
    for name in ("connect", "connect_ex"):
        real = getattr(socket.socket, name)
        monkeypatch.setattr(socket.socket, name, lambda self, to, real=real: (seen.append(to), real(self, to))[1])
    return seen


@pytest.mark.parametrize("raw", list(ssrf()))
def test_only_the_configured_upstream_is_reached(shared, connections, raw):
    client, upstream = shared

    def answer(got):
        if b"/redirect/" in got.target:
            return int(got.target[-3:]), {"location": "http://evil.test/"}, b""
        return 200, {}, b""

    upstream.answer = answer
    url = str(client.base_url).rstrip("/")
    status = int(exchange(url, raw).split(b" ", 2)[1])
    ports = {to[1] for to in connections}
    assert ports <= {int(url.rsplit(":", 1)[1]), int(upstream.url.rsplit(":", 1)[1])} and status < 500
    for got in upstream.requests:
        assert got.header("host") == upstream.url.removeprefix("http://")
        assert b".." not in got.target and got.target.startswith(b"/")
