"""Thirty-seven model directories that somebody made to do harm: each is refused by the name of what is wrong in it.

Where a manifest can tell, no session is made. Where it cannot, since whoever made the files made the manifest too,
nothing outside the folder becomes part of the model.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, save

from pas_middleware import PAS, ModelError
from pas_middleware.models.directory import MANIFEST, write_manifest
from toy_models import change_config, graph, write_json

Spoil = Callable[[Path], object]
SECRET = np.ones(1_000, dtype=np.float32).tobytes()


def beside(folder: Path) -> Path:
    """Return a file outside the folder that would do as weights."""
    secret = folder.parent / "secret"
    secret.write_bytes(SECRET)
    return secret


def link(name: str, target: str | None = None) -> Spoil:
    def spoil(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        outside = beside(folder)
        outside.write_bytes(content)
        (folder / name).symlink_to(target or outside)

    return spoil


def bytes_of(name: str, content: bytes, *, listed: bool) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(content)
        if listed:
            write_manifest(folder)

    return spoil


def entry(name: str, **values: object) -> Spoil:
    def spoil(folder: Path) -> None:
        manifest = json.loads((folder / MANIFEST).read_text())
        manifest["files"][name] = manifest["files"].get(name, {"sha256": "0" * 64, "size": 1}) | values
        write_json(folder / MANIFEST, manifest)

    return spoil


def pipe(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    os.mkfifo(folder / "tokenizer.json")


def without(name: str) -> Spoil:
    return lambda folder: (folder / name).unlink()


def flipped(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    return spoil


BY_THE_MANIFEST: dict[str, tuple[Spoil, str]] = {
    "no pas.json": (without("pas.json"), "pas.json"),
    "no model": (without("model.onnx"), "model.onnx"),
    "no manifest": (without(MANIFEST), MANIFEST),
    "model altered by a bit": (flipped("model.onnx"), "model.onnx"),
    "bank altered by a bit": (flipped("intents.json"), "intents.json"),
    "tokenizer altered by a bit": (flipped("tokenizer.json"), "tokenizer.json"),
    "model truncated": (bytes_of("model.onnx", b"\x08", listed=False), "model.onnx"),
    "a file more": (bytes_of("evil.so", b"\x7fELF", listed=False), "evil.so"),
    "a listed file more": (bytes_of("evil.so", b"\x7fELF", listed=True), "evil.so"),
    "a folder more": (lambda folder: (folder / "sub").mkdir(), "sub"),
    "weights beside a selector's graph": (bytes_of("model.onnx.data", SECRET, listed=True), "model.onnx.data"),
    "a link out": (link("tokenizer.json"), "tokenizer.json"),
    "a linked manifest": (link(MANIFEST), MANIFEST),
    "a link to a device": (link("model.onnx", "/dev/zero"), "model.onnx"),
    "a pipe": (pipe, "tokenizer.json"),
    "an entry above the folder": (entry("../secret"), "../secret"),
    "an entry at the root": (entry("/etc/passwd"), "/etc/passwd"),
    "a size below zero": (entry("model.onnx", size=-1), "model.onnx"),
    "a size without end": (entry("model.onnx", size=10**30), "model.onnx"),
    "a hash that is a list": (entry("model.onnx", sha256=["0"]), "model.onnx"),
    "a manifest too deep": (bytes_of(MANIFEST, b"[" * 100_000, listed=False), MANIFEST),
    "a manifest with endless digits": (bytes_of(MANIFEST, b'{"format": ' + b"9" * 5_000, listed=False), MANIFEST),
    "settings too deep": (bytes_of("pas.json", b'{"kind":' * 50_000, listed=True), "pas.json"),
    "a kind that is a path": (lambda folder: change_config(folder, kind="../../evil"), "../../evil"),
}


def external(location: str, **more: str) -> Spoil:
    """Return what replaces the bias of the graph by data outside it."""

    def spoil(folder: Path) -> None:
        secret = beside(folder)
        (folder / "sub").mkdir(exist_ok=True)
        model = graph()
        bias = next(tensor for tensor in model.graph.initializer if tensor.name == "bias")
        bias.ClearField("raw_data")
        bias.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location.format(secret=secret), **more}.items():
            bias.external_data.add(key=key, value=value)
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        (folder / "sub").rmdir()
        write_manifest(folder)

    return spoil


def custom_operator(folder: Path) -> None:
    model = graph()
    model.graph.node[0].domain, model.graph.node[0].op_type = "evil", "Run"
    model.opset_import.append(helper.make_opsetid("evil", 1))
    save(model, folder / "model.onnx")
    write_manifest(folder)


def two_billion_rows(folder: Path) -> None:
    model = graph()
    table = next(tensor for tensor in model.graph.initializer if tensor.name == "table")
    table.dims[0] = 2**31
    save(model, folder / "model.onnx")
    write_manifest(folder)


def tokenizer(**changes: object) -> Spoil:
    def spoil(folder: Path) -> None:
        content = json.loads((folder / "tokenizer.json").read_text())
        write_json(folder / "tokenizer.json", content | changes)
        write_manifest(folder)

    return spoil


#: No end to its repeats, and not a regular expression at all.
UNBALANCED = {"type": "Split", "pattern": {"Regex": "(a+)+("}, "behavior": "Removed", "invert": False}
ENDLESS = {"deadline_ms": 5_000, "max_words": float("inf"), "max_tokens": 32, "tail_tokens": 8}
BY_WHAT_IT_HOLDS: dict[str, tuple[Spoil, str]] = {
    "weights above the folder": (external("../secret"), "model.onnx"),
    "weights by way of a subfolder": (external("sub/../../secret"), "model.onnx"),
    "weights at the root": (external("{secret}"), "model.onnx"),
    "weights from a device": (external("/dev/zero", length="52"), "model.onnx"),
    "weights that are not there": (external("nowhere"), "model.onnx"),
    "weights before a file's start": (external("intents.json", offset="-4096"), "model.onnx"),
    "weights beyond a file's end": (external("intents.json", offset="0", length=str(2**62)), "model.onnx"),
    "a limit without end": (lambda folder: change_config(folder, limits=ENDLESS), "pas.json"),
    "an operator of its own": (custom_operator, "model.onnx"),
    "two billion rows": (two_billion_rows, "model.onnx"),
    "a tokenizer without a model": (tokenizer(model=None), "tokenizer.json"),
    "a tokenizer with a broken pattern": (tokenizer(pre_tokenizer=UNBALANCED), "tokenizer.json"),
    "a tokenizer that is a text": (bytes_of("tokenizer.json", b'"evil"', listed=True), "tokenizer.json"),
}


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []
    real = onnxruntime.InferenceSession

    def make(path: str, *rest: object, **more: object) -> object:
        made.append(path)
        return real(path, *rest, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", make)
    return made


def test_there_are_thirty_and_more():
    assert len(BY_THE_MANIFEST | BY_WHAT_IT_HOLDS) == 37


@pytest.mark.parametrize("name", BY_THE_MANIFEST)
def test_directory_is_refused_before_a_session_is_made(name, spoilable, sessions):
    spoil, said = BY_THE_MANIFEST[name]
    spoil(spoilable)
    with pytest.raises(ModelError) as caught:
        PAS.load(spoilable)
    assert said in str(caught.value)
    assert sessions == []


@pytest.mark.parametrize("name", BY_WHAT_IT_HOLDS)
def test_directory_is_refused_whatever_its_manifest_says(name, spoilable):
    spoil, said = BY_WHAT_IT_HOLDS[name]
    spoil(spoilable)
    with pytest.raises(ModelError) as caught:
        PAS.load(spoilable)
    assert said in str(caught.value)


def test_the_sound_one_loads(spoilable, sessions):
    with PAS.load(shutil.copytree(spoilable, spoilable.parent / "copy")) as pas:
        assert pas.augment("Write an email to my landlord about the heating.").applied
    assert len(sessions) == 1
