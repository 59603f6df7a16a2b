"""`pas serve` as a process of its own: what it refuses, that it serves with pas-mini, how it stops."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from typer.testing import CliRunner

from http_servers import PROMPT
from pas_middleware import ConfigError, ModelNotFound
from pas_middleware.cli import app
from pas_middleware.record import read_record

BODY = {"model": "m", "messages": [{"role": "user", "content": PROMPT}]}


@contextmanager
def serve(*options: str) -> Iterator[tuple[subprocess.Popen, str]]:
    command = [sys.executable, "-m", "pas_middleware", "serve", "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = ""
            while not (found := re.search(r"http://127\.0\.0\.1:\d+", said)):
                said += (line := process.stderr.readline())
                assert line, said
            url = found.group()
            with httpx.Client(trust_env=False) as client:
                while not _ready(client, url):
                    threading.Event().wait(0.02)
            yield process, url
        finally:
            process.kill()


def _ready(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serves_records_and_stops_gently(upstream, tmp_path, workers):
    upstream.hold = threading.Event()
    record = tmp_path / "pas.jsonl"
    options = ["--upstream", upstream.url, "--workers", workers, "--deadline-ms", "60000"]
    with serve(*options, "--log", str(record), "--log-texts") as (process, url):
        with httpx.Client(trust_env=False, timeout=60) as client:
            with _applied(client, f"{url}/v1/chat/completions") as answer:
                pieces = answer.iter_raw()
                begun = next(pieces)
                assert "pas_in_flight" in client.get(f"{url}/metrics").text
                process.send_signal(signal.SIGTERM)
                upstream.hold.set()
                assert (begun + b"".join(pieces)).endswith(b"data: [DONE]\n\n")
        assert process.wait(30) == 0
    sent = json.loads(upstream.requests[-1].body)["messages"][0]["content"]
    assert sent.startswith(PROMPT) and len(sent) > len(PROMPT)
    assert [row["prompt"] for row in read_record(record)] == [PROMPT]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nobody_is_let_in_while_it_stops(upstream, workers):
    upstream.hold = threading.Event()
    with serve("--upstream", upstream.url, "--workers", workers) as (process, url):
        with httpx.Client(trust_env=False, timeout=60) as client:
            with client.stream("POST", f"{url}/v1/chat/completions", json=BODY | {"stream": True}) as answer:
                next(answer.iter_raw())
                process.send_signal(signal.SIGTERM)
                _wait_until_refused(url)
                upstream.hold.set()
        assert process.wait(30) == 0


def _wait_until_refused(url: str) -> None:
    for _ in range(1_500):
        try:
            httpx.get(f"{url}/healthz", trust_env=False, timeout=1)
        except httpx.ConnectError:
            return
        except httpx.TransportError:  # taken, and left without an answer
            pass
        threading.Event().wait(0.02)
    pytest.fail("connections are still taken")


def test_workers_stop_when_the_process_that_started_them_is_killed(upstream):
    with serve("--upstream", upstream.url, "--workers", "2") as (process, url):
        process.kill()
        process.wait()
        _wait_until_refused(url)


@contextmanager
def _applied(client: httpx.Client, url: str) -> Iterator[httpx.Response]:
    """Stream an answer, from a worker that is ready: one may be so before the other."""
    while True:
        with client.stream("POST", url, json=BODY | {"stream": True}) as answer:
            if answer.headers["x-pas-reason"] == "not_ready":
                continue
            assert answer.headers["x-pas-status"] == "applied", answer.headers
            yield answer
            return


@pytest.mark.parametrize(
    "options, environment, error, named",
    [
        (["--upstream", "ftp://x"], {}, ConfigError, "no http or https"),
        (["--upstream", "api.openai.com"], {}, ConfigError, "no http or https"),
        (["--upstream", "https://sk-canary@x/v1"], {}, ConfigError, "a user"),
        (["--upstream", "https://x/v1?key=sk-canary"], {}, ConfigError, "a query"),
        (["--upstream", "http://x:99999"], {}, ConfigError, "no http or https"),
        (["--on-error", "ignore"], {}, ConfigError, "ignore"),
        (["--deadline-ms", "0"], {}, ConfigError, "deadline_ms is 0"),
        (["--model", "nowhere"], {}, ModelNotFound, "nowhere"),
        (["--log", "pas.txt"], {}, ConfigError, "pas.txt"),
        (["--host", "0.0.0.0"], {"PAS_UPSTREAM_KEY": "sk-canary"}, ConfigError, "PAS_CLIENT_KEYS"),
        ([], {"PAS_CLIENT_KEYS": "sk canary"}, ConfigError, "a space"),
    ],
)
def test_wrong_options_are_named_before_a_port_is_opened(monkeypatch, options, environment, error, named):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    default = [] if "--upstream" in options else ["--upstream", "http://127.0.0.1:9"]
    done = CliRunner().invoke(app, ["serve", "--port", "0", *default, *options])
    assert isinstance(done.exception, error) and named in str(done.exception)
    assert "canary" not in str(done.exception) + done.output


def test_a_port_that_is_taken_is_named(upstream):
    port = upstream.url.rsplit(":", 1)[1]
    done = CliRunner().invoke(app, ["serve", "--upstream", "http://127.0.0.1:9", "--port", port])
    assert isinstance(done.exception, ConfigError) and port in str(done.exception)


def test_the_core_loads_nothing_of_the_proxy():
    code = (
        "import sys, pas_middleware.cli; print({'uvicorn', 'starlette', 'httpx', 'prometheus_client'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "set()"
