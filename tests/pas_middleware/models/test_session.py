import os
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from pas_middleware import PAS, ConfigError, ModelCorrupt, ModelIncompatible, RuntimeMissing
from pas_middleware.models.session import CpuSession


def test_missing_onnxruntime_names_the_extra(toy_selector, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeMissing, match=r'pip install "pas-middleware\[cpu\]"') as caught:
        PAS.load(toy_selector)
    assert "not installed" in str(caught.value)


def test_remains_of_two_flavours_are_called_broken(toy_selector, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    with pytest.raises(RuntimeMissing, match=r"broken; uninstall onnxruntime and onnxruntime-gpu"):
        PAS.load(toy_selector)


@pytest.mark.parametrize("device", ["gpu", "CPU", "", None, 0])
def test_unknown_device_is_refused_before_anything_is_opened(tmp_path, device):
    with pytest.raises(ConfigError, match=r"device is .*; use one of auto, cpu, cuda, tensorrt"):
        PAS.load(tmp_path / "nowhere", device=device)


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_selector_runs_on_the_cpu(toy_selector, device):
    assert PAS.load(toy_selector, device=device).augment("Write an email to my landlord about the heating.").applied


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_selector_does_not_run_on_a_gpu(toy_selector, device):
    with pytest.raises(ModelIncompatible, match="A selector runs on the CPU alone"):
        PAS.load(toy_selector, device=device)


def test_no_telemetry_file_is_written(toy_selector, tmp_path):
    code = f"from pas_middleware import PAS; PAS.load({str(toy_selector)!r}).augment('Write an email to my landlord.')"
    home = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "TMPDIR")}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    subprocess.run([sys.executable, "-c", code], env=environment | home, check=True)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("content", [b"", b"no model", bytes(range(256)) * 40])
def test_file_that_is_no_model_is_named(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelCorrupt, match=r"model\.onnx is no model that onnxruntime can open"):
        CpuSession(tmp_path / "model.onnx", threads=1)


def test_operator_that_onnxruntime_lacks_is_incompatible(tmp_path):
    shape = [helper.make_tensor_value_info(name, TensorProto.INT16, ["n"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", shape[:1], shape[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelIncompatible, match="needs an operator that onnxruntime lacks"):
        CpuSession(tmp_path / "model.onnx", threads=1)


def test_session_tells_its_outputs_and_runs(toy_selector):
    session = CpuSession(toy_selector / "model.onnx", threads=1)
    assert session.outputs == {"intents": ["batch", 6], "categories": ["batch", 4], "gate": ["batch"]}
    ids = np.zeros((2, 3), dtype=np.int64)
    gate, intents = session.run(("gate", "intents"), {"input_ids": ids, "attention_mask": ids})
    assert (gate.shape, intents.shape) == ((2,), (2, 6))


FORK = """
import os, sys
from pas_middleware import PAS
prompt = "Write an email to my landlord about the heating."
pas = PAS.load(sys.argv[1])
before = pas.augment(prompt).text
child = os.fork()
if child == 0 and "idle" in sys.argv:
    sys.exit(0)
if child == 0:
    changed = pas.augment(prompt + " ").text.replace(prompt + " ", prompt)
    sys.exit(0 if changed == before else 1)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(status or (0 if pas.augment(prompt + "  ").applied else 2))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("child", ["working", "idle"])
def test_forked_child_works_and_ends(toy_selector, child):
    done = subprocess.run([sys.executable, "-c", FORK, str(toy_selector), child], timeout=60)
    assert done.returncode == 0
