import hashlib
import json
import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pas_middleware import PAS, AugmentationError, ConfigError, Record, ScriptedModel, Settings
from pas_middleware.cli import app
from pas_middleware.record import read_record
from pas_middleware.stores import rotated

PROMPT = "Write an email to my landlord about the heating, from 12 Canary Lane."
COMPLEMENT = "Check every step before you answer."
ENDINGS = pytest.mark.parametrize("ending", ["jsonl", "sqlite"])


def failing(_):
    raise RuntimeError("device lost at 12 Canary Lane")


def recorded(path: Path, script=COMPLEMENT, settings=None, prompts=(PROMPT,), **options) -> list[dict]:
    with PAS(ScriptedModel(script), settings, record=Record(path, **options)) as pas:
        for prompt in prompts:
            pas.augment(prompt)
    return list(read_record(path))


@ENDINGS
def test_by_default_a_row_holds_the_hash_and_no_text(tmp_path, ending):
    path = tmp_path / f"pas.{ending}"
    (row,) = recorded(path)
    assert row.keys() == {"at", "original", "chars", "status", "reason", "ms", "model"}
    assert row["original"] == hashlib.sha256(PROMPT.encode()).hexdigest()
    assert (row["status"], row["reason"], row["model"], row["chars"]) == ("applied", "", "scripted", len(PROMPT))
    assert row["ms"] > 0
    assert b"Canary" not in path.read_bytes() and COMPLEMENT.encode() not in path.read_bytes()


@ENDINGS
def test_texts_only_when_asked(tmp_path, ending):
    (row,) = recorded(tmp_path / f"pas.{ending}", texts=True)
    assert (row["prompt"], row["complement"], row["proposed"]) == (PROMPT, COMPLEMENT, COMPLEMENT)


@ENDINGS
def test_an_error_message_is_a_text_too(tmp_path, ending):
    path = tmp_path / f"pas.{ending}"
    (row,) = recorded(path, failing)
    assert row["reason"] == "model_error"
    assert b"Canary" not in path.read_bytes()


@pytest.mark.parametrize(
    "settings, status, reason",
    [(Settings(shadow=True), "shadowed", "shadow"), (Settings(sample_rate=0.0), "skipped", "sampled_out")],
)
def test_sampling_and_shadow_are_recorded(tmp_path, settings, status, reason):
    (row,) = recorded(tmp_path / "pas.jsonl", settings=settings, texts=True)
    assert (row["status"], row["reason"], row["complement"]) == (status, reason, "")
    assert row["proposed"] == (COMPLEMENT if status == "shadowed" else "")


async def test_every_call_is_recorded_once(tmp_path):
    record = Record(tmp_path / "pas.jsonl", texts=True)
    with PAS(ScriptedModel(), Settings(cache_entries=0), record=record) as pas:
        pas.augment(f"{PROMPT} 0")
        pas.augment_batch([f"{PROMPT} 1", f"{PROMPT} 2"])
        await pas.aaugment(f"{PROMPT} 3")
        pas.augment_messages([{"role": "user", "content": f"{PROMPT} 4"}])
        list(pas.stream(f"{PROMPT} 5"))
        list(pas.stream(f"{PROMPT} 6", commit="token"))
        [_ async for _ in pas.astream(f"{PROMPT} 7")]
    assert [row["prompt"][-1] for row in read_record(tmp_path / "pas.jsonl")] == list("01234567")


def test_a_raised_failure_is_recorded(tmp_path):
    with (
        PAS(ScriptedModel(failing), Settings(on_error="raise"), record=Record(tmp_path / "pas.jsonl")) as pas,
        pytest.raises(AugmentationError),
    ):
        pas.augment(PROMPT)
    assert [(row["status"], row["reason"]) for row in read_record(tmp_path / "pas.jsonl")] == [
        ("skipped", "model_error")
    ]


@ENDINGS
@pytest.mark.parametrize(
    "prompt", ["lone \ud800 surrogate, please explain", "line\u2028break\nand tab\t and nul \x00 too"]
)
def test_any_text_comes_back(tmp_path, ending, prompt):
    rows = recorded(tmp_path / f"pas.{ending}", texts=True, prompts=[prompt, PROMPT])
    assert [row["prompt"] for row in rows][1] == PROMPT
    assert rows[0]["prompt"] == (prompt if ending == "jsonl" else prompt.replace("\ud800", "\\ud800"))


@ENDINGS
def test_rotates_and_keeps_the_youngest(tmp_path, ending):
    path = tmp_path / f"pas.{ending}"
    record = Record(path, texts=True, max_bytes=20_000, keep=2)
    with PAS(ScriptedModel(), record=record) as pas:
        for number in range(40):
            pas.augment(f"Explain number {number}: " + "word " * 1_000)
            record.flush()
    assert [rotated(path, n).exists() for n in range(4)] == [True, True, True, False]
    numbers = [int(row["prompt"].split()[2][:-1]) for row in read_record(path)]
    assert numbers == list(range(numbers[0], 40)) and numbers[0] > 0
    assert all(rotated(path, n).stat().st_size < 40_000 for n in range(3))


@pytest.mark.skipif(os.name != "posix", reason="file modes")
@ENDINGS
def test_only_the_owner_may_read(tmp_path, ending):
    recorded(tmp_path / f"pas.{ending}")
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_a_line_cut_short_by_a_crash_spoils_no_other(tmp_path):
    path = tmp_path / "pas.jsonl"
    recorded(path)
    path.write_bytes(path.read_bytes() + b'{"at": "2026')
    assert len(recorded(path)) == 2


def test_a_disk_that_fails_costs_no_prompt_its_answer(tmp_path, caplog):
    (tmp_path / "sub").mkdir()
    record = Record(tmp_path / "sub" / "pas.jsonl")
    (tmp_path / "sub").rmdir()
    with PAS(ScriptedModel(), record=record) as pas:
        assert pas.augment(PROMPT).applied
    assert record.dropped == 1
    assert "1 rows of the record" in caplog.text and "Canary" not in caplog.text.replace(str(tmp_path), "")


def _many(path: str, number: int) -> None:
    record = Record(path, max_bytes=10_000, keep=900)
    with PAS(ScriptedModel(), record=record) as pas:
        for i in range(50):
            pas.augment(f"Explain {number} times {i} to a child.")
            record.flush()


@ENDINGS
def test_processes_share_a_path(tmp_path, ending):
    path = tmp_path / f"pas.{ending}"
    workers = [multiprocessing.get_context("spawn").Process(target=_many, args=(str(path), n)) for n in range(2)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len({row["original"] for row in read_record(path)}) == 100


def test_what_was_added_is_written_when_the_program_ends(tmp_path):
    code = (
        "from pas_middleware import *\n"
        f"pas = PAS(ScriptedModel(), record=Record({str(tmp_path / 'pas.jsonl')!r}))\n"
        "[pas.augment(f'Explain {i} to a child.') for i in range(20)]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert len(list(read_record(tmp_path / "pas.jsonl"))) == 20


@pytest.mark.parametrize(
    "options, named",
    [
        ({"path": "pas.txt"}, "pas.txt"),
        ({"path": "nowhere/pas.jsonl"}, "nowhere"),
        ({"path": "pas.jsonl", "max_bytes": 10}, "max_bytes is 10"),
        ({"path": "pas.jsonl", "keep": -1}, "keep is -1"),
    ],
)
def test_wrong_options_are_named(tmp_path, monkeypatch, options, named):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=named):
        Record(**options)


@ENDINGS
def test_pas_log_sums_up(tmp_path, ending):
    path = tmp_path / f"pas.{ending}"
    recorded(path, prompts=[f"Explain {i} to a child." for i in range(6)] + ["", "!!"])
    done = CliRunner().invoke(app, ["log", str(path), "--json"])
    summary = json.loads(done.stdout)
    assert summary["augmentations"] == 8
    assert summary["decisions"] == [
        {"status": "applied", "reason": "", "count": 6, "rate": 0.75},
        {"status": "skipped", "reason": "blank", "count": 2, "rate": 0.25},
    ]
    assert summary["models"] == {"scripted": 8}
    assert 0 < summary["ms"]["applied"]["p50"] <= summary["ms"]["applied"]["p99"]
    shown = CliRunner().invoke(app, ["log", str(path)]).stdout
    assert "75.0%" in shown and "blank" in shown and "8 augmentations" in shown


def test_pas_log_names_what_is_no_record(tmp_path):
    sqlite3.connect(tmp_path / "other.db").close()
    (tmp_path / "noise.db").write_bytes(b"noise " * 100)
    for name in ("absent.jsonl", "other.db", "noise.db"):
        error = CliRunner().invoke(app, ["log", str(tmp_path / name)]).exception
        assert isinstance(error, ConfigError) and name in str(error)


def test_an_empty_record_is_no_error(tmp_path):
    (tmp_path / "pas.jsonl").touch()
    assert "empty" in CliRunner().invoke(app, ["log", str(tmp_path / "pas.jsonl")]).stdout
