"""The connections to the upstream: when one is used again, what may go wrong on it, TLS."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest

from http_servers import PROMPT
from pas_middleware.proxy.config import ProxyConfig
from pas_middleware.proxy.metrics import Metrics
from pas_middleware.proxy.upstream import Upstream

CHAT = "/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": PROMPT}]}


def whole(text: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"content-length: %d" % len(text), *headers]
    return b"\r\n".join([*lines, b"", text])


class Scripted:
    """Gives every request the same answer; keeps the requests of every connection."""

    def __init__(self, answer: bytes, context: ssl.SSLContext | None) -> None:
        self.answer, self.context = answer, context
        self.requests: list[list[bytes]] = []
        self.sockets: list[socket.socket] = []

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with suppress(ssl.SSLError):
                self.sockets.append(
                    self.context.wrap_socket(connection, server_side=True) if self.context else connection
                )
                self.requests.append([])
                threading.Thread(target=self.serve, args=(self.sockets[-1], self.requests[-1])).start()

    def serve(self, connection: socket.socket, requests: list[bytes]) -> None:
        with connection, connection.makefile("rb") as file, suppress(OSError):
            while file.peek(1):
                head = b"".join(iter(file.readline, b"\r\n"))
                length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length"))
                requests.append(head + file.read(length))
                connection.sendall(self.answer)


@contextmanager
def scripted(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[list[bytes]]]]:
    """Give every request this answer; yield the address, and the requests of every connection."""
    server = Scripted(answer, context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.accept, args=(listener,))
        thread.start()
        try:
            yield f"http{'s' * bool(context)}://127.0.0.1:{listener.getsockname()[1]}", server.requests
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in server.sockets:
                connection.close()


def asked(url: str) -> list[bytes]:
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        return [client.post(CHAT, json=BODY).content for _ in range(3)]


def test_a_connection_is_used_again(start):
    with scripted(whole(b"one")) as (upstream, connections):
        assert asked(start(upstream=upstream)) == [b"one"] * 3
        assert [len(requests) for requests in connections] == [3]


@pytest.mark.parametrize(
    "answer",
    [
        whole(b"one", b"connection: close"),
        whole(b"one") + b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",
        whole(b"one") + b"x",
    ],
    ids=["closes", "speaks unasked", "sends too much"],
)
def test_a_connection_is_not_used_again_where_the_next_answer_would_not_be_the_next_requests(start, answer):
    with scripted(answer) as (upstream, connections):
        assert asked(start(upstream=upstream)) == [b"one"] * 3
        assert [len(requests) for requests in connections] == [1, 1, 1]


def test_what_only_says_that_it_goes_on_is_no_answer(start):
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    with scripted(b"HTTP/1.1 100 Continue\r\n\r\n" + early + whole(b"one")) as (upstream, _):
        assert asked(start(upstream=upstream)) == [b"one"] * 3


def test_an_upstream_that_answers_before_it_has_read_all_is_relayed(start):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1_024)
                connection.sendall(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig")
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass

        thread = threading.Thread(target=refuse)
        thread.start()
        url = start(upstream=f"http://127.0.0.1:{listener.getsockname()[1]}", max_body_bytes=1_024)
        answer = httpx.post(url + CHAT, content=b"x" * 4_000_000, trust_env=False, timeout=30)
        thread.join()
    assert (answer.status_code, answer.content) == (413, b"big")


def test_a_large_answer_comes_whole_to_a_client_that_reads_slowly(start, upstream):
    sent = bytes(range(256)) * 40_000
    upstream.answer = lambda _: (200, {"content-type": "text/plain"}, [sent[:5_000_000], sent[5_000_000:]])
    with httpx.stream("POST", start() + CHAT, json=BODY, trust_env=False, timeout=30) as answer:
        threading.Event().wait(0.3)
        assert b"".join(answer.iter_raw()) == sent


@pytest.mark.parametrize(
    "url, host, target",
    [
        ("http://a.test", b"a.test", b"/v1/models"),
        ("http://a.test:80/", b"a.test", b"/v1/models"),
        ("https://A.test:443", b"a.test", b"/v1/models"),
        ("https://a.test:80", b"a.test:80", b"/v1/models"),
        ("http://[::1]:8000/v1", b"[::1]:8000", b"/v1/models"),
        ("http://b\u00fccher.test/a b/v1", b"xn--bcher-kva.test", b"/a%20b/v1/models"),
    ],
)
def test_the_host_and_the_path_are_the_upstreams(url, host, target):
    upstream = Upstream(ProxyConfig(url), Metrics())
    assert (upstream._host, upstream.target(b"/v1/models")) == (host, target)


@pytest.fixture
def certified(tmp_path):
    """A certificate for 127.0.0.1 that nobody knows, and a server's context with it."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", key, "-out", certificate, "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return str(certificate), context


def test_tls_is_spoken_to_an_upstream_whose_certificate_is_known_and_to_no_other(start, monkeypatch, certified):
    certificate, context = certified
    with scripted(whole(b"one"), context) as (upstream, connections):
        answer = httpx.post(start(upstream=upstream) + CHAT, json=BODY, trust_env=False)
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
        assert not connections
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        assert asked(start(upstream=upstream)) == [b"one"] * 3
        assert [len(requests) for requests in connections] == [3]
