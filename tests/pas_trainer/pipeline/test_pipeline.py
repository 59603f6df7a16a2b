"""The whole chain at a size of seconds: every stage once, resumed, redone where settings change, reported."""

import json
import shutil
import socket

import pytest
import yaml
from typer.testing import CliRunner

from pas_middleware import PAS
from pas_middleware.errors import ConfigError, InputError
from pas_trainer.mini.examples import DATA, read_jsonl
from pas_trainer.pipeline import run as stages
from pas_trainer.pipeline.command import app
from pas_trainer.pipeline.config import read_config
from pas_trainer.pipeline.run import run
from pas_trainer.report.command import page_of
from pas_trainer.stages import Record

ROOT_EXAMPLE = "examples/pipeline-demo.yaml"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.fixture(scope="module")
def values(tmp_path_factory):
    """Return a configuration over forty of the project's prompts."""
    folder = tmp_path_factory.mktemp("pipeline")
    rows = [row for row in read_jsonl(DATA / "pairs.jsonl") if row["category"] in ("advice", "coding", "math")]
    lines = [json.dumps({"prompt": row["prompt"]}, ensure_ascii=False) for row in rows[:25] + rows[-25:]]
    (folder / "mine.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    port = free_port()
    return {
        "out": str(folder / "run"),
        "name": "tiny",
        "scripted_teacher": port,
        "curate": {"reading": {"sources": [str(folder / "mine.jsonl")]}, "count": 40, "least": 0.0},
        "synthesize": {"generator": {"model": "scripted", "base_url": f"http://127.0.0.1:{port}/v1"}},
        "base": {"epochs": 1},
        "train": {
            "epochs": 1,
            "batch": 8,
            "context": 512,
            "held_out": 0.2,
            "samples": 5,
            "gradient_checkpointing": False,
        },
        "export": {"precision": "fp32", "prompts": 2},
        "evaluate": {"prompts": 5},
        "licences": {"mine.jsonl": "MIT"},
    }


def write(folder, values):
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def finished(values, tmp_path_factory):
    config = read_config(write(tmp_path_factory.mktemp("config"), values), None)
    return config, run(config, str)


def test_run_ends_in_a_model_that_pas_loads(finished):
    config, record = finished
    assert record.finished
    with PAS.load(config.folders["export"] / "model") as pas:
        assert pas.model.name == "tiny"
        assert pas.augment("How do I learn to swim?").status in ("applied", "skipped")


def test_pairs_are_the_teachers_and_flaws_were_found(finished):
    config, _ = finished
    pairs = list(read_jsonl(config.folders["synthesize"] / "pairs.jsonl"))
    known = {row["prompt"]: row["complement"] for row in read_jsonl(DATA / "pairs.jsonl")}
    assert len(pairs) > 20
    assert all(row["complement"] == known[row["prompt"]] for row in pairs)
    assert any(row["rejected"] for row in pairs)


def test_cards_name_sources_licences_writers_counts_and_figures(finished):
    config, _ = finished
    data, model = ((config.out / name).read_text() for name in ("DATA_CARD.md", "MODEL_CARD.md"))
    assert "mine.jsonl | MIT |" in data
    assert "Generator: `scripted`" in data
    assert "scripted server" in data
    assert "| advice |" in data
    assert "| parameters |" in model
    assert "| max_logit_difference |" in model
    assert "| words_of_references |" in model
    assert "| applied |" in model
    assert "Not measured in this run" in model


def test_report_shows_every_stage(finished):
    config, _ = finished
    html = page_of(config.out).html()
    names = ("curate", "synthesize", "base", "train", "export", "evaluate")
    for word in (*names, "Flaws", "max_logit_difference", "s of CPU"):
        assert word in html


def test_same_run_again_does_nothing(finished, monkeypatch):
    config, record = finished
    monkeypatch.setattr("pas_trainer.sft.fit.fit", None)
    monkeypatch.setattr("pas_trainer.nano.pretrain", None)
    monkeypatch.setattr("pas_trainer.export.directory.export", None)
    monkeypatch.setattr(stages, "golden", None)
    again = run(config, str)
    assert again == record


def test_changed_settings_are_refused_and_redone_from_where_they_matter(finished, values, tmp_path, monkeypatch):
    config, _ = finished
    copy = tmp_path / "run"
    shutil.copytree(config.out, copy)
    changed = values | {"out": str(copy), "evaluate": {"prompts": 3}}
    other = read_config(write(tmp_path, changed), None)
    with pytest.raises(ConfigError, match=r"was made with evaluate\.prompts 5, not 3; .*--redo"):
        run(other, str)
    monkeypatch.setattr("pas_trainer.sft.fit.fit", None)
    monkeypatch.setattr("pas_trainer.export.directory.export", None)
    run(other, str, redo=True)
    record = Record.read(copy / "evaluate")
    assert record is not None
    assert record.counts["prompts"] == 3


def test_run_that_broke_off_goes_on(values, finished, tmp_path, monkeypatch):
    config, _ = finished
    copy = tmp_path / "run"
    shutil.copytree(config.out, copy)
    shutil.rmtree(copy / "export")
    shutil.rmtree(copy / "evaluate")
    other = read_config(write(tmp_path, values | {"out": str(copy)}), None)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pas_trainer.export.directory.export", full)
        with pytest.raises(ConfigError, match=r"No room is left for .*export"):
            run(other, str)
    monkeypatch.setattr("pas_trainer.sft.fit.fit", None)
    said = []
    run(other, said.append)
    assert any(line.startswith("train: as it was") for line in said)
    assert any(line.startswith("export: ") and "bytes" in line for line in said)


def test_port_that_is_taken_is_named(values, tmp_path, finished):
    copy = tmp_path / "run"
    shutil.copytree(finished[0].folders["curate"], copy / "curate")
    with socket.create_server(("127.0.0.1", values["scripted_teacher"])):
        config = read_config(write(tmp_path, values | {"out": str(copy)}), None)
        with pytest.raises(ConfigError, match=r"cannot listen on port \d+"):
            run(config, str)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"curate": {}}, r"curate\.reading\.sources is empty"),
        ({"curate": {"reading": {"sources": ["own"]}, "least": "much"}}, r"curate: least is 'much'"),
        ({"curate": {"reading": {"sources": ["own"], "turn": "all"}}}, r"reading: unknown setting 'turn'"),
        ({"synthesize": {}}, r"synthesize has no generator"),
        ({"train": {"epoch": 1}}, r"train: unknown setting 'epoch'"),
        ({"export": {"precision": "fp8"}}, r"export: precision is 'fp8'"),
        ({"judge": {}}, r"unknown setting 'judge'; known: out, name"),
        ({"base": 3}, r"base is 3"),
    ],
)
def test_bad_configuration_is_named(values, tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        read_config(write(tmp_path, values | change), None)


def test_source_that_is_not_there_stops_before_anything_is_asked(values, tmp_path):
    sources = {"reading": {"sources": [str(tmp_path / "nowhere.jsonl")]}}
    config = read_config(write(tmp_path, values | {"curate": sources, "out": str(tmp_path / "run")}), None)
    with pytest.raises((ConfigError, InputError), match="nowhere"):
        run(config, str)
    assert not (tmp_path / "run" / "synthesize").exists()


def test_demo_that_ships_can_be_read(tmp_path, pytestconfig):
    config = read_config(pytestconfig.rootpath / ROOT_EXAMPLE, tmp_path)
    assert config.out == tmp_path
    assert config.train.base == str(tmp_path / "base" / "checkpoint")
    assert config.curate.reading.sources == (str(DATA / "pairs.jsonl"),)


def test_command_says_what_is_wrong(tmp_path):
    done = CliRunner().invoke(app, [str(tmp_path / "none.yaml")])
    assert isinstance(done.exception, ConfigError)
    assert "none.yaml is not there" in str(done.exception)
