"""`pas review` as a command: a review is started, killed, gone on with, and its results printed."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request

import pytest
from reviews import some_items, start, write_items
from typer.testing import CliRunner

from pas_middleware.errors import ConfigError, InputError
from pas_trainer.review.command import app
from pas_trainer.review.serving import address, bind, is_local
from pas_trainer.review.store import Store


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def serve(*arguments):
    """Start `pas review` in a process of its own; return it and its address."""
    command = [sys.executable, "-m", "pas_middleware", "review", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("Open "):
            return process, line.split()[1]
    raise AssertionError("it did not start")


def put(url, number, mark):
    request = urllib.request.Request(f"{url}api/tasks/{number}?reviewer=Ada", method="PUT")
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, json.dumps({"marks": [mark]}).encode()) as answer:
        return json.load(answer)["done"]


def test_a_killed_server_has_kept_every_mark(tmp_path):
    items = write_items(tmp_path / "items.jsonl", some_items(1_000))
    process, url = serve(tmp_path / "review", "--items", items)
    for number in range(1, 51):
        assert len(put(url, number, 0)) == number
    process.kill()
    process.wait()
    process.stderr.close()
    process, url = serve(tmp_path / "review")
    assert put(url, 1_000, 1) == [*range(1, 51), 1_000]
    process.send_signal(signal.SIGINT)
    process.wait()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.returncode == 0
    printed = json.loads(run(tmp_path / "review", "--results", "--json").stdout)
    assert (printed["tasks"], printed["reviewers"]) == (1_000, {"Ada": 51})
    assert "| all | pas | 51 |" in run(tmp_path / "review", "--results").stdout


def test_a_port_in_use_is_told(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        start(tmp_path, some_items(2)).close()
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port} cannot be used .*another --port"):
            run(tmp_path, "--port", port)


def test_what_a_review_is_cannot_change(tmp_path):
    items = write_items(tmp_path / "items.jsonl", some_items(2))
    start(tmp_path, some_items(2)).close()
    for options, name in ((["--mode", "grade"], "mode"), (["--scale", 4], "scale"), (["--items", items], "items")):
        with pytest.raises(ConfigError, match=f"already has a review, and {name} cannot change"):
            run(tmp_path, *options)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (["."], ConfigError, "has no review; start one with --items"),
        ([".", "--results"], ConfigError, "has no review"),
        (["items.jsonl"], ConfigError, "is a file; name a folder"),
        ([".", "--json"], ConfigError, "add --results"),
        (["r", "--items", "none.jsonl"], ConfigError, r"none\.jsonl is not a file"),
        (["r", "--items", "empty.jsonl"], InputError, "is empty"),
        (["r", "--items", "items.jsonl", "--baseline", "x"], ConfigError, "baseline is 'x'"),
    ],
)
def test_wrong_calls_are_explained_and_leave_nothing(tmp_path, monkeypatch, arguments, error, said):
    monkeypatch.chdir(tmp_path)
    write_items(tmp_path / "items.jsonl", some_items(2))
    (tmp_path / "empty.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(error, match=said):
        run(*arguments)
    assert {file.name for file in tmp_path.iterdir()} == {"items.jsonl", "empty.jsonl"}


def test_a_file_that_is_no_review_is_told(tmp_path):
    (tmp_path / "review.sqlite").write_bytes(b"not a database, but long enough to look like one" * 30)
    with pytest.raises(ConfigError, match="is not a review"):
        Store.open(tmp_path)
    (tmp_path / "review.sqlite").unlink()
    sqlite3.connect(tmp_path / "review.sqlite").close()
    with pytest.raises(ConfigError, match="is not a review"):
        Store.open(tmp_path)


def test_the_file_is_its_owners_alone(tmp_path):
    start(tmp_path, some_items(2))
    assert os.stat(tmp_path / "review.sqlite").st_mode & 0o077 == 0


def test_only_this_machine_needs_no_token():
    assert all(is_local(host) for host in ("127.0.0.1", "::1", "localhost"))
    assert not any(is_local(host) for host in ("0.0.0.0", "::", "10.0.0.1", "host.example"))
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address(taken, "127.0.0.1", "t") == f"http://127.0.0.1:{port}/?token=t"
        assert address(taken, "::1") == f"http://[::1]:{port}/"
