import json
import os
import shutil
from pathlib import Path

import pytest

from pas_middleware import PAS, ModelCorrupt, ModelIncompatible, ModelNotFound
from pas_middleware.models.directory import MANIFEST, open_directory, sha256_of, write_manifest
from toy_models import change_config, write_json

FILES = {"pas.json", "intents.json", "model.onnx", "tokenizer.json"}


def test_valid_directory_is_described(toy_selector):
    directory = open_directory(toy_selector)
    assert (directory.kind, directory.config["name"]) == ("selector", "toy")
    assert directory.digest == sha256_of(toy_selector / MANIFEST)
    assert directory.bytes == sum((toy_selector / name).stat().st_size for name in FILES)
    assert directory.json("intents.json")["categories"][0] == "writing"
    assert open_directory(str(toy_selector)).digest == directory.digest


@pytest.mark.parametrize("name", ["nowhere", "a file", "\0"])
def test_no_directory(tmp_path, name):
    (tmp_path / "a file").write_text("x")
    with pytest.raises(ModelNotFound, match="No model directory"):
        open_directory(tmp_path / name)


def test_directory_without_manifest(spoilable):
    (spoilable / MANIFEST).unlink()
    with pytest.raises(ModelNotFound, match=r"holds no manifest\.json"):
        open_directory(spoilable)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_link_outside(path: Path) -> None:
    outside = path.parent.parent / "outside"
    path.rename(outside)
    path.symlink_to(outside)


def replace_by_link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (Path.unlink, "is missing"),
        (truncate, "the manifest says"),
        (alter, "was altered"),
        (replace_by_folder, "not a regular file"),
        (replace_by_pipe, "not a regular file"),
        (replace_by_link_outside, "a link that leaves its folder"),
        (replace_by_link_to_nothing, "is missing"),
    ],
)
def test_spoilt_file_is_named(spoilable, name, spoil, said):
    spoil(spoilable / name)
    with pytest.raises(ModelCorrupt, match=said) as caught:
        PAS.load(spoilable)
    assert name in str(caught.value)


def test_manifest_that_is_a_link_out_is_refused(spoilable):
    replace_by_link_outside(spoilable / MANIFEST)
    with pytest.raises(ModelCorrupt, match="a link that leaves its folder"):
        open_directory(spoilable)


def test_unreadable_file_is_named(spoilable, monkeypatch):
    def refuse(*_):
        raise PermissionError("not yours")

    monkeypatch.setattr("pas_middleware.models.directory.sha256_of", refuse)
    with pytest.raises(ModelCorrupt, match=r"pas\.json cannot be read|intents\.json cannot be read"):
        open_directory(spoilable)


@pytest.mark.parametrize("make", [lambda path: path.write_text("x"), Path.mkdir], ids=["file", "folder"])
def test_extra_entry_is_named(spoilable, make):
    make(spoilable / "model.onnx.data")
    with pytest.raises(ModelCorrupt, match=r"model\.onnx\.data is not in the manifest"):
        open_directory(spoilable)


def test_file_that_the_kind_does_not_know_is_named(spoilable):
    (spoilable / "notes.txt").write_text("x")
    write_manifest(spoilable)
    with pytest.raises(ModelCorrupt, match=r"notes\.txt is unexpected in the selector"):
        open_directory(spoilable)


def test_file_that_the_kind_needs_is_named(spoilable):
    (spoilable / "intents.json").unlink()
    write_manifest(spoilable)
    with pytest.raises(ModelCorrupt, match=r"intents\.json is missing from the selector"):
        open_directory(spoilable)


SOUND = {"sha256": "0" * 64, "size": 1}


@pytest.mark.parametrize(
    ("manifest", "error", "said"),
    [
        ([], ModelIncompatible, "format 'list'"),
        ({}, ModelIncompatible, "format None"),
        ({"format": 2, "files": {}}, ModelIncompatible, "format 2"),
        ({"format": 1}, ModelCorrupt, r"lists no pas\.json"),
        ({"format": 1, "files": ["pas.json"]}, ModelCorrupt, r"lists no pas\.json"),
        ({"format": 1, "files": {"model.onnx": SOUND}}, ModelCorrupt, r"lists no pas\.json"),
        ({"format": 1, "files": {"pas.json": "abc"}}, ModelCorrupt, "unusable entry 'pas.json'"),
        ({"format": 1, "files": {"pas.json": {"size": 1}}}, ModelCorrupt, "unusable entry"),
        ({"format": 1, "files": {"pas.json": {"sha256": "0", "size": "1"}}}, ModelCorrupt, "unusable entry"),
        *(
            ({"format": 1, "files": {"pas.json": SOUND, name: SOUND}}, ModelCorrupt, "unusable entry")
            for name in ("../secret", "/etc/hostname", "a/b", "..", ".", "")
        ),
    ],
)
def test_malformed_manifest_is_refused(spoilable, manifest, error, said):
    write_json(spoilable / MANIFEST, manifest)
    with pytest.raises(error, match=said):
        open_directory(spoilable)


@pytest.mark.parametrize("text", ["", "{", "\ufffe", "[" * 100_000, '{"format": 1, "files": {}', "null"])
def test_manifest_that_is_no_json_is_refused(spoilable, text):
    (spoilable / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises((ModelCorrupt, ModelIncompatible), match=r"manifest\.json"):
        open_directory(spoilable)


def test_manifest_of_another_encoding_is_refused(spoilable):
    (spoilable / MANIFEST).write_bytes('{"format": 1, "files": {"é": 1}}'.encode("latin-1"))
    with pytest.raises(ModelCorrupt, match="cannot be read as JSON"):
        open_directory(spoilable)


def test_huge_json_is_not_read(spoilable, monkeypatch):
    monkeypatch.setattr("pas_middleware.models.directory._MAX_JSON", 10)
    with pytest.raises(ModelCorrupt, match="larger than 10 bytes"):
        open_directory(spoilable)


@pytest.mark.parametrize("kind", ["oracle", None, 3, ["selector"]])
def test_unknown_kind_is_refused(spoilable, kind):
    change_config(spoilable, kind=kind)
    with pytest.raises(ModelIncompatible, match=r"has kind .* known kinds: selector, generator"):
        open_directory(spoilable)


def test_config_that_is_no_object_is_refused(spoilable):
    write_json(spoilable / "pas.json", ["selector"])
    write_manifest(spoilable)
    with pytest.raises(ModelIncompatible, match="has kind None"):
        open_directory(spoilable)


@pytest.mark.parametrize("field", ["name", "version", "languages", "limits"])
def test_missing_field_is_named(spoilable, field):
    change_config(spoilable, **{field: None})
    with pytest.raises(ModelCorrupt, match=f"has no '{field}'"):
        open_directory(spoilable)


def test_generator_needs_its_own_entries(spoilable):
    (spoilable / "intents.json").unlink()
    (spoilable / "model.onnx.data").write_bytes(b"x")
    change_config(spoilable, kind="generator")
    assert open_directory(spoilable).kind == "generator"
    with pytest.raises(ModelCorrupt, match="'graph'"):
        PAS.load(spoilable)


@pytest.fixture
def hub_snapshot(toy_selector: Path, tmp_path: Path) -> Path:
    """Lay the toy out as a hub cache does: blobs by hash, and a snapshot of links to them."""
    blobs, snapshot = tmp_path / "models--org--toy" / "blobs", tmp_path / "models--org--toy" / "snapshots" / "c0ffee"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for name in {*FILES, MANIFEST}:
        digest = sha256_of(toy_selector / name)
        shutil.copy(toy_selector / name, blobs / digest)
        (snapshot / name).symlink_to(Path("..") / ".." / "blobs" / digest)
    return snapshot


def test_hub_cache_is_accepted(hub_snapshot, toy_selector):
    assert PAS.load(hub_snapshot).model.digest == PAS.load(toy_selector).model.digest


def test_hub_cache_is_accepted_through_a_link_to_the_snapshot(hub_snapshot, tmp_path):
    (tmp_path / "current").symlink_to(hub_snapshot)
    assert PAS.load(tmp_path / "current").model.name == "toy"


def test_link_out_of_the_hub_cache_is_refused(hub_snapshot, tmp_path):
    link = hub_snapshot / "model.onnx"
    shutil.copy(link.resolve(), tmp_path / "elsewhere")
    link.unlink()
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelCorrupt, match=r"model\.onnx is a link that leaves its folder"):
        open_directory(hub_snapshot)


def test_written_manifest_lists_every_file_but_itself(spoilable):
    path = write_manifest(spoilable)
    entries = json.loads(path.read_text())["files"]
    assert set(entries) == FILES
    assert entries["pas.json"] == {
        "sha256": sha256_of(spoilable / "pas.json"),
        "size": (spoilable / "pas.json").stat().st_size,
    }


def test_large_file_is_read_once_and_again_when_it_changed(spoilable, monkeypatch):
    read = []
    monkeypatch.setattr("pas_middleware.models.directory._LARGE", 100)
    record = lambda path: read.append(path.name) or sha256_of(path)  # noqa: E731
    monkeypatch.setattr("pas_middleware.models.directory.sha256_of", record)
    open_directory(spoilable)
    open_directory(spoilable)
    assert read.count("model.onnx") == 1
    content = bytearray((spoilable / "model.onnx").read_bytes())
    content[-1] ^= 1
    (spoilable / "model.onnx").write_bytes(content)
    with pytest.raises(ModelCorrupt, match="was altered"):
        open_directory(spoilable)
