"""The command line as a shell sees it: a process, its two streams and its exit code."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import nano_models
from pas_middleware import PAS
from pas_middleware.cli.inputs import UNHURRIED

PROMPT = "10 birds in a tree, one is shot dead, how many are on the ground?"
HARD = "Zeilen\r\nmit \x00 und \t und 🦜\n".encode()


def pas(*arguments, stdin=b"", env=None):
    return subprocess.run(
        [sys.executable, "-m", "pas_middleware", *arguments],
        input=stdin,
        capture_output=True,
        timeout=60,
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"} | (env or {}),
    )


def test_augment_prints_the_prompt_then_the_complement():
    done = pas("augment", PROMPT)
    with PAS.load(settings=UNHURRIED) as here:
        expected = here.augment(PROMPT)
    assert expected.applied
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == expected.text + "\n"


@pytest.mark.parametrize("arguments", [["augment"], ["augment", "-"]], ids=["no argument", "dash"])
def test_standard_input_comes_out_byte_for_byte(arguments):
    done = pas(*arguments, stdin=HARD)
    assert done.returncode == 0
    assert done.stdout.startswith(HARD)


def test_nothing_added_is_said_on_stderr_alone():
    done = pas("augment", stdin=b"hello there")
    assert (done.returncode, done.stdout) == (0, b"hello there\n")
    assert done.stderr == b"pas: nothing added (no_complement_needed)\n"


def test_json_is_one_object_with_the_whole_record():
    done = pas("augment", "--json", PROMPT)
    record = json.loads(done.stdout)
    assert record["text"].startswith(PROMPT)
    assert record["complement"] in record["text"]
    assert record["status"] == "applied"
    assert record["model"].startswith("pas-mini@")
    assert record["elapsed_ms"] > 0


def test_stream_prints_the_complement_alone():
    streamed, record = pas("augment", "--stream", PROMPT), json.loads(pas("augment", "--json", PROMPT).stdout)
    assert streamed.stdout.decode() == record["complement"] + "\n"


def test_stream_that_adds_nothing_says_so():
    done = pas("augment", "--stream", "make it shorter")
    assert (done.returncode, done.stdout) == (0, b"\n")
    assert b"nothing added; `pas inspect` says why" in done.stderr


def test_generator_is_streamed_and_inspected(toy_generator):
    row = nano_models.known_pairs(1)[0]
    streamed = pas("augment", "--stream", "--model", str(toy_generator), row["prompt"])
    assert streamed.stdout.decode() == row["complement"] + "\n"
    shown = pas("inspect", "--model", str(toy_generator), row["prompt"]).stdout.decode()
    assert "toy-generator 1 (generator)" in shown
    assert row["complement"] in shown


def test_inspect_names_the_model():
    out = pas("inspect").stdout.decode()
    with PAS.load() as here:
        info = here.model
    for value in (info.name, info.digest, "en, zh", f"{info.bytes / 1e6:.1f} MB"):
        assert value in out


def test_inspect_tells_decision_and_why():
    out = pas("inspect", PROMPT).stdout.decode()
    assert "applied" in out
    assert "intent reasoning." in out
    skipped = json.loads(pas("inspect", "--json", "hello there").stdout)["augmentation"]
    assert (skipped["status"], skipped["reason"]) == ("skipped", "no_complement_needed")
    assert "needs 0." in skipped["detail"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "told"),
    [
        (["augment", "--model", "/nowhere", "x"], b"", b"/nowhere"),
        (["augment", "--device", "tpu", "x"], b"", b"tpu"),
        (["augment"], b"\xff\xfe", b"not UTF-8 at byte 0"),
    ],
    ids=["model", "device", "encoding"],
)
def test_errors_are_one_line_on_stderr_and_exit_code_2(arguments, stdin, told):
    done = pas(*arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"pas: ")
    assert done.stderr.count(b"\n") == 1
    assert told in done.stderr


def test_what_utf8_cannot_hold_comes_out_as_it_came_in_and_is_escaped_in_json():
    odd = b"Explain how tides work \xff to a child"
    assert pas("augment", odd).stdout.startswith(odd)
    for command in ("augment", "inspect"):
        record = json.loads(pas(command, "--json", odd).stdout.decode("utf-8"))
        assert record.get("augmentation", record)["prompt"] == odd.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("options", [[], ["--json"], ["--stream"]], ids=["plain", "json", "stream"])
def test_output_is_utf8_in_every_locale(options):
    expected = pas("augment", *options, "-", stdin="解释一下潮汐是怎么形成的".encode())
    done = pas("augment", *options, "-", stdin="解释一下潮汐是怎么形成的".encode(), env={"PYTHONIOENCODING": "latin-1"})
    complement = PAS.load(settings=UNHURRIED).augment("解释一下潮汐是怎么形成的").complement
    assert complement in expected.stdout.decode("utf-8")
    assert complement in done.stdout.decode("utf-8")
    assert (done.returncode, done.stderr) == (0, b"")


def test_inspect_shows_brackets_as_they_are_and_reads_standard_input(toy_selector, tmp_path):
    folder = shutil.copytree(toy_selector, tmp_path / "a [/b] model")
    done = pas("inspect", "--model", str(folder), "-", stdin=b"make it shorter")
    assert done.returncode == 0
    assert "a [/b] model" in done.stdout.decode()
    assert "skipped, follow_up" in done.stdout.decode()


@pytest.mark.parametrize(
    ("redirection", "told"),
    [
        ("<&-", b"No prompt was given"),
        (">&-", b"standard output is closed"),
        ("> /dev/full", b"No space left on device"),
    ],
)
def test_streams_that_are_closed_or_full_are_one_line_too(redirection, told):
    given = "" if "<" in redirection else "'Explain how tides work'"
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m pas_middleware augment {given} {redirection}"],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_usage_errors_exit_with_2_too():
    assert pas("augment", "--no-such-option").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["augment", "inspect", "mini", "pas augment"]),
        (["augment", "--help"], ["--json", "--stream", "--model", "--device", "cat prompt.txt | pas augment"]),
        (["inspect", "--help"], ["digest", "pas inspect"]),
    ],
)
def test_help_teaches(arguments, words):
    out = pas(*arguments).stdout.decode()
    for word in words:
        assert word in out


def test_version():
    from pas_middleware import __version__

    assert pas("--version").stdout.decode() == f"pas-middleware {__version__}\n"
