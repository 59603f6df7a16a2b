"""A checkpoint becomes a model directory: the same each time, compared with torch, or nothing at all."""

import json
import shutil

import pytest
from typer.testing import CliRunner

import nano_models
from pas_middleware.errors import ConfigError, PASError
from pas_middleware.models.base import Request
from pas_middleware.models.directory import open_directory
from pas_middleware.models.load import load_model
from pas_trainer.export import directory, graphs, surgery
from pas_trainer.export.command import app


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def made(folder):
    return json.loads((folder / "pas.json").read_text())["made"]


def test_fp32_parts_from_torch_by_rounding_alone(nano_checkpoint, tmp_path):
    folder = nano_models.write_generator(nano_checkpoint, tmp_path / "out", prompts=200)
    parity = made(folder)["parity"]
    assert parity["prompts"] == 200
    assert parity["max_logit_difference"] <= 1e-3
    assert parity["equal_complements"] == 1.0
    assert parity["valid"] == parity["valid_torch"]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_two_exports_are_byte_identical(nano_checkpoint, tmp_path, precision):
    first, second = (
        nano_models.write_generator(nano_checkpoint, tmp_path / name, precision=precision) for name in ("a", "b")
    )
    assert contents(first) == contents(second)
    assert set(contents(first)) == {"manifest.json", "model.onnx", "pas.json", "tokenizer.json"}


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_quantised_models_report_what_they_keep_and_still_know_their_pairs(nano_checkpoint, tmp_path, precision):
    folder = nano_models.write_generator(nano_checkpoint, tmp_path / "out", precision=precision, prompts=24, equal=0.0)
    parity = made(folder)["parity"]
    assert 0 <= parity["equal_complements"] <= 1
    assert 0 <= parity["valid"] <= 1
    assert parity["max_logit_difference"] > 1e-3  # it is another model, and says by how much
    size, full = (
        (f / "model.onnx").stat().st_size
        for f in (folder, nano_models.write_generator(nano_checkpoint, tmp_path / "full"))
    )
    assert size < full / 2
    if precision == "int8":
        row = nano_models.known_pairs()[0]
        model = load_model(folder, "cpu")
        proposal = model.propose([Request(row["prompt"], row["language"])], nano_models.unhurried())[0]
        model.close()
        assert proposal.complement == row["complement"]


def test_below_the_threshold_nothing_is_left_behind(nano_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(directory, "DIFFERENCE", 0.0)
    with pytest.raises(ConfigError, match=r"parts from its checkpoint: 100\.0% equal complements"):
        nano_models.write_generator(nano_checkpoint, tmp_path / "out", prompts=2)
    assert list(tmp_path.iterdir()) == []


def test_disk_that_fills_up_leaves_nothing_behind(nano_checkpoint, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(surgery, "_save", full)
    with pytest.raises(OSError, match="No space left"):
        nano_models.write_generator(nano_checkpoint, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_builder_that_fails_is_quoted(nano_checkpoint, tmp_path):
    broken = shutil.copytree(nano_checkpoint, tmp_path / "checkpoint")
    (broken / "model.safetensors").write_bytes(b"no tensors" * 100)
    with pytest.raises(ConfigError, match=r"could not be exported: .*; is it a sound checkpoint\?"):
        nano_models.write_generator(broken, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint"]


def test_large_weights_go_to_one_file_beside_the_graph(nano_checkpoint, toy_generator, tmp_path, monkeypatch):
    monkeypatch.setattr(surgery, "_INLINE", 1000)
    folder = nano_models.write_generator(nano_checkpoint, tmp_path / "out")
    assert set(contents(folder)) == {"manifest.json", "model.onnx", "model.onnx.data", "pas.json", "tokenizer.json"}
    assert open_directory(folder).bytes > 500_000
    request = Request(nano_models.known_pairs()[0]["prompt"], "en")
    said = []
    for path in (folder, toy_generator):
        model = load_model(path, "cpu")
        said.append(model.propose([request], nano_models.unhurried()))
        model.close()
    assert said[0] == said[1]


def test_other_architectures_are_exported_in_fp32_alone(nano_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(graphs, "FUSED", frozenset({"LlamaForCausalLM"}))
    with pytest.raises(ConfigError, match="Qwen2ForCausalLM can be exported in fp32 only; use --precision fp32"):
        nano_models.write_generator(nano_checkpoint, tmp_path / "out", precision="int8")


def test_same_weights_run_plain_and_fused_alike(nano_checkpoint, toy_generator, tmp_path, monkeypatch):
    monkeypatch.setattr(graphs, "FUSED", frozenset())
    plain = nano_models.write_generator(nano_checkpoint, tmp_path / "out")
    assert json.loads((plain / "pas.json").read_text())["graph"]["style"] == "plain"
    requests = [Request(row["prompt"], row["language"]) for row in nano_models.known_pairs(6)]
    said = []
    for path in (plain, toy_generator):
        model = load_model(path, "cpu")
        said.append(model.propose(requests, nano_models.unhurried()))
        model.close()
    assert said[0] == said[1]


def test_command_writes_a_directory_and_says_what_it_kept(nano_checkpoint, tmp_path):
    out = tmp_path / "out"
    result = CliRunner().invoke(
        app, [str(nano_checkpoint), str(out), "--precision", "fp32", "--prompts", "3", "--name", "mine"]
    )
    assert result.exit_code == 0, result.output
    assert '"equal_complements": 1.0' in result.stdout
    assert load_model(out, "cpu").info.name == "mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "tpu"], "use cpu or cuda"),
        (["--precision", "fp16"], "fp16 is for CUDA"),
        (["--template", "nowhere.txt"], "nowhere.txt cannot be read"),
    ],
)
def test_command_refuses_what_does_not_go_together(nano_checkpoint, tmp_path, options, message):
    result = CliRunner().invoke(app, [str(nano_checkpoint), str(tmp_path / "out"), *options])
    assert isinstance(result.exception, PASError)
    assert message in str(result.exception)
    assert not (tmp_path / "out").exists()
