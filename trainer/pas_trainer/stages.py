"""Folders of stages: what was done is not done again, and what is half done never counts as done.

    work = Stage("synthesize", inputs={"prompts": Path("run/curate/prompts.parquet")}, settings={"rounds": 3})
    record = work.run(Path("run/synthesize"), write_pairs)      # calls write_pairs(folder) -> Done, or nothing

`stage.json` is written first, unfinished, and last, finished. A killed stage is called again in the same folder and may
go on from what it left there; a finished one is not called at all, unless its inputs or settings are others: then it is
refused, the difference named, or with `redo` begun anew in an empty folder.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pas_middleware
from pas_middleware.errors import ConfigError

RECORD = "stage.json"
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Done:
    """What a stage did: rows by what became of them, rejected ones by reason, figures for the report, and money."""

    counts: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Record:
    """What `stage.json` says."""

    name: str
    inputs: Mapping[str, str]
    settings: Mapping[str, Any]
    version: str
    finished: bool = False
    seconds: float = 0.0
    cpu_seconds: float = 0.0  # of this process and those it waited for
    counts: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    usd: float = 0.0

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """Return the record of a folder, None where it has none; raises ConfigError for one that is unreadable."""
        file = folder / RECORD
        if not file.exists():
            return None
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{file} cannot be read: {error};", hint="name another folder.") from error

    @property
    def key(self) -> str:
        """Return a name for what went in, to stand as the input of a stage that comes after."""
        return hashlib.sha256(_plain([self.name, self.inputs, self.settings]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a pipeline. A path among the inputs stands for its content, a string for itself.

    `holds_stages`: the stages in it know for themselves what is to be done anew; its folder is never emptied.
    """

    name: str
    inputs: Mapping[str, str | Path]
    settings: Mapping[str, Any]
    holds_stages: bool = False

    def run(self, folder: Path, work: Callable[[Path], Done], *, redo: bool = False) -> Record:
        """Return the record of the finished stage, which `work` was called for unless it had finished before."""
        wanted = self._record()
        before = self.check(folder, wanted, redo=redo)
        if before is not None and before.finished:
            return before
        started, computed = time.perf_counter(), _cpu_seconds()
        with room_in(folder):
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / RECORD, asdict(wanted))
            done = work(folder)
            took = {
                "seconds": round(time.perf_counter() - started, 2),
                "cpu_seconds": round(_cpu_seconds() - computed, 2),
            }
            finished = asdict(wanted) | asdict(done) | {"finished": True} | took
            write_json(folder / RECORD, finished)
        return Record(**finished)

    def check(self, folder: Path, wanted: Record | None = None, *, redo: bool = False) -> Record | None:
        """Return the record of an earlier run that may go on, None where there is none.

        Raises ConfigError naming the first difference; with `redo` empties the folder instead.
        """
        before = Record.read(folder)
        found = difference(before, wanted or self._record()) if before else ""
        if not found:
            return before
        if not redo:
            raise ConfigError(
                f"{folder} was made with {found};", hint="name another folder, or give --redo to do it anew."
            )
        if not self.holds_stages:
            shutil.rmtree(folder)
        return None

    def _record(self) -> Record:
        inputs = {name: digest(given) if isinstance(given, Path) else given for name, given in self.inputs.items()}
        settings = json.loads(_plain(self.settings))
        return Record(self.name, inputs, settings, pas_middleware.__version__)


def _cpu_seconds() -> float:
    return sum(os.times()[:4])


def records(folder: Path) -> list[tuple[Path, Record]]:
    """Return the stages directly below a folder, in order of their folders' names."""
    found = ((file.parent, Record.read(file.parent)) for file in sorted(folder.glob(f"*/{RECORD}")))
    return [(path, record) for path, record in found if record is not None]


def difference(before: Record, wanted: Record) -> str:
    """Return the first thing in which two records' stage, settings or inputs differ, "" where none does."""
    if before.name != wanted.name:
        return f"stage {before.name!r}, not {wanted.name!r}"
    old, new = ({**dict(_flat(r.settings)), **dict(_flat(r.inputs, "input "))} for r in (before, wanted))
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            return f"{name} {_short(old.get(name))}, not {_short(new.get(name))}"
    return ""


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"


def digest(path: Path) -> str:
    """Return the sha256 of a file, or of a folder's files and their names."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    if not files:
        raise ConfigError(f"There is nothing at {path}.")
    found = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            found.update(hashlib.file_digest(content, "sha256").digest())
        found.update(str(file.relative_to(path)).encode())
    return found.hexdigest()


def write_json(file: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all."""
    scratch = file.with_name(f".{file.name}")
    scratch.write_text(_plain(content, indent=1) + "\n", encoding="utf-8")
    scratch.replace(file)


def _plain(content: Any, indent: int | None = None) -> str:
    return json.dumps(content, ensure_ascii=False, indent=indent, default=str)


@contextmanager
def room_in(folder: Path) -> Iterator[None]:
    """Turn a full disk into a ConfigError that says how to go on."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise ConfigError(
            f"No room is left for {folder}: {error.strerror};",
            hint="make room and run the same again: it goes on from what is finished.",
        ) from error
