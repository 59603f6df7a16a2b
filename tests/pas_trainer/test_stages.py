"""Stage folders: finished work is kept, half-done work goes on, two configurations do not mix."""

import errno
import json
import subprocess
import sys

import pytest

from pas_middleware.errors import ConfigError
from pas_trainer.stages import RECORD, Done, Record, Stage, digest, records


class Work:
    def __init__(self, fails=None):
        self.calls, self.fails = 0, fails

    def __call__(self, folder):
        self.calls += 1
        (folder / f"call-{self.calls}").touch()
        if self.fails:
            raise self.fails
        return Done({"in": 3, "kept": 2}, {"too_short": 1}, {"mean": 1.5}, usd=0.25)


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "in.jsonl"
    file.write_text("{}\n")
    return file


def stage(source, **settings):
    return Stage("clean", {"prompts": source}, settings)


def test_a_finished_stage_is_recorded_and_not_done_again(tmp_path, source):
    work = Work()
    first = stage(source, least=3).run(tmp_path / "out", work)
    again = stage(source, least=3).run(tmp_path / "out", work)
    assert work.calls == 1
    assert again == first == Record.read(tmp_path / "out")
    written = json.loads((tmp_path / "out" / RECORD).read_text())
    assert written["inputs"] == {"prompts": digest(source)}
    assert (written["rejected"], written["usd"], written["finished"]) == ({"too_short": 1}, 0.25, True)
    assert [record.name for _, record in records(tmp_path)] == ["clean"]


def test_the_time_computed_is_that_of_the_process_and_its_children(tmp_path, source):
    def work(folder):
        subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"], check=True)
        return Done()

    assert stage(source).run(tmp_path / "out", work).cpu_seconds > 0.25


@pytest.mark.parametrize("finished", [True, False])
def test_another_configuration_is_refused_naming_the_difference_before_any_work(tmp_path, source, finished):
    work = Work(fails=None if finished else RuntimeError("killed"))
    try:
        stage(source, bounds={"least": 3}).run(tmp_path / "out", work)
    except RuntimeError:
        pass
    other = Work()
    with pytest.raises(ConfigError, match=r"made with bounds\.least 3, not 4"):
        stage(source, bounds={"least": 4}).run(tmp_path / "out", other)
    assert other.calls == 0


def test_another_input_is_refused_and_redo_begins_anew(tmp_path, source):
    stage(source).run(tmp_path / "out", Work())
    source.write_text("{}\n{}\n")
    work = Work()
    with pytest.raises(ConfigError, match="input prompts"):
        stage(source).run(tmp_path / "out", work)
    (tmp_path / "out" / "old").touch()
    stage(source).run(tmp_path / "out", work, redo=True)
    assert work.calls == 1
    assert not (tmp_path / "out" / "old").exists()


def test_a_killed_stage_finds_what_it_left(tmp_path, source):
    work = Work(fails=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        stage(source).run(tmp_path / "out", work)
    assert Record.read(tmp_path / "out").finished is False
    work.fails = None
    assert stage(source).run(tmp_path / "out", work).finished
    assert (tmp_path / "out" / "call-1").exists()


def test_a_full_disk_says_how_to_go_on(tmp_path, source):
    with pytest.raises(ConfigError, match=r"No room is left for .*run the same again"):
        stage(source).run(tmp_path / "out", Work(fails=OSError(errno.ENOSPC, "No space left on device")))


def test_other_faults_of_the_system_stay_what_they_are(tmp_path, source):
    with pytest.raises(PermissionError):
        stage(source).run(tmp_path / "out", Work(fails=PermissionError(errno.EACCES, "no")))


def test_an_input_that_is_absent_and_a_broken_record_are_named(tmp_path, source):
    with pytest.raises(ConfigError, match=r"nothing at .*absent"):
        Stage("clean", {"prompts": tmp_path / "absent"}, {}).run(tmp_path / "out", Work())
    (tmp_path / RECORD).write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        stage(source).run(tmp_path, Work())
