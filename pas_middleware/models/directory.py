"""What a valid model directory is, as data, and the checks made before anything in it is opened."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelCorrupt, ModelIncompatible, ModelNotFound

FORMAT = 1
MANIFEST = "manifest.json"
_MAX_JSON = 64 * 1024 * 1024
#: Bytes from which on a file is read once while the process lives, and known again by inode, size and time of change.
_LARGE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Layout:
    """The files that a kind of model must and may hold besides its manifest."""

    required: frozenset[str]
    optional: frozenset[str] = frozenset()


LAYOUTS = {
    "selector": Layout(frozenset({"pas.json", "model.onnx", "tokenizer.json", "intents.json"})),
    "generator": Layout(frozenset({"pas.json", "model.onnx", "tokenizer.json"}), frozenset({"model.onnx.data"})),
}


@dataclass(frozen=True, slots=True)
class ModelDirectory:
    """A checked directory: its path, its parsed `pas.json`, its digest and its size in bytes."""

    path: Path
    config: dict[str, Any]
    digest: str
    bytes: int

    @property
    def kind(self) -> str:
        """Return "selector" or "generator"."""
        return str(self.config["kind"])

    def json(self, name: str) -> Any:
        """Return the parsed content of one of the JSON files."""
        return _read_json(self.path / name)


def sha256_of(path: Path) -> str:
    """Return the hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path) -> Path:
    """Write `manifest.json` over the files of a folder: sha256 and size of each."""
    files = sorted(p for p in folder.iterdir() if p.name != MANIFEST)
    entries = {p.name: {"sha256": sha256_of(p), "size": p.stat().st_size} for p in files}
    path = folder / MANIFEST
    path.write_text(json.dumps({"format": FORMAT, "files": entries}, indent=1) + "\n", encoding="utf-8")
    return path


def open_directory(folder: str | os.PathLike[str]) -> ModelDirectory:
    """Check a model directory and return it.

    Raises ModelNotFound where there is none, ModelCorrupt naming the file that is missing, altered, unexpected or a
    link out of the folder, ModelIncompatible for a format or kind that this version does not know.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ModelNotFound(f"No model directory at {str(path)!r};", hint="give a folder made by `pas export`.")
    if not (path / MANIFEST).is_file():
        raise ModelNotFound(f"{str(path)!r} holds no {MANIFEST};", hint="give a folder made by `pas export`.")
    _check_link(path, path / MANIFEST)
    entries = _entries(path, _read_json(path / MANIFEST))
    for name, entry in entries.items():
        _check_file(path, name, entry)
    config = _read_json(path / "pas.json")
    _check_layout(path, config, set(entries))
    return ModelDirectory(path, config, sha256_of(path / MANIFEST), sum(e["size"] for e in entries.values()))


def _entries(path: Path, manifest: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise ModelIncompatible(f"{path / MANIFEST} has format {found!r};", hint=f"this version reads format {FORMAT}.")
    entries = manifest.get("files")
    if not isinstance(entries, dict) or "pas.json" not in entries:
        raise ModelCorrupt(f"{path / MANIFEST} lists no pas.json.")
    for name, entry in entries.items():
        plain = isinstance(name, str) and name not in ("", ".", "..") and Path(name).name == name
        sound = isinstance(entry, dict) and isinstance(entry.get("size"), int) and isinstance(entry.get("sha256"), str)
        if not plain or not sound:
            raise ModelCorrupt(f"{path / MANIFEST} has an unusable entry {name!r}.")
    extra = {p.name for p in path.iterdir()} - set(entries) - {MANIFEST}
    if extra:
        raise ModelCorrupt(f"{path / sorted(extra)[0]} is not in the manifest;", hint="remove it or export again.")
    return entries


def _check_file(folder: Path, name: str, entry: dict[str, Any]) -> None:
    path = folder / name
    if not path.exists():
        raise ModelCorrupt(f"{path} is missing;", hint="copy or export the model again.")
    _check_link(folder, path)
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ModelCorrupt(f"{path} is not a regular file.")
    if status.st_size != entry["size"]:
        raise ModelCorrupt(
            f"{path} has {status.st_size:,} bytes, the manifest says {entry['size']:,};",
            hint="copy or export the model again.",
        )
    try:
        digest = _digest(path, status)
    except OSError as error:
        raise ModelCorrupt(f"{path} cannot be read: {error}.") from error
    if digest != entry["sha256"]:
        raise ModelCorrupt(f"{path} was altered: its sha256 is not the manifest's.")


def _digest(path: Path, status: os.stat_result) -> str:
    if status.st_size < _LARGE:
        return sha256_of(path)
    return _remembered(path, status.st_ino, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _remembered(path: Path, inode: int, size: int, changed_ns: int) -> str:
    return sha256_of(path)


def _check_link(folder: Path, path: Path) -> None:
    # A hub cache keeps snapshots/<commit>/<file> as links to ../../blobs/<hash> of the same repository.
    if path.is_symlink() and path.resolve().parent != folder.resolve().parent.parent / "blobs":
        raise ModelCorrupt(f"{path} is a link that leaves its folder.")


def _check_layout(path: Path, config: Any, files: set[str]) -> None:
    kind = config.get("kind") if isinstance(config, dict) else None
    layout = LAYOUTS.get(kind) if isinstance(kind, str) else None
    if layout is None:
        raise ModelIncompatible(f"{path / 'pas.json'} has kind {kind!r};", hint=f"known kinds: {', '.join(LAYOUTS)}.")
    missing, extra = layout.required - files, files - layout.required - layout.optional
    if missing or extra:
        word, name = ("missing from", sorted(missing)[0]) if missing else ("unexpected in", sorted(extra)[0])
        raise ModelCorrupt(f"{name} is {word} the {kind} at {path}.")
    for key in ("name", "version", "languages", "limits"):
        if key not in config:
            raise ModelCorrupt(f"{path / 'pas.json'} has no {key!r}.")


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > _MAX_JSON:
            raise ModelCorrupt(f"{path} is larger than {_MAX_JSON:,} bytes.")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelCorrupt(f"{path} cannot be read as JSON: {error}.") from error
