"""Where a record is kept: JSON lines or SQLite, opened for one batch at a time so that processes can share a file."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from .errors import ConfigError

Row = dict[str, Any]
#: Every field of a row; those of _TEXTS are there only when texts are asked for.
_PLAIN = ("at", "original", "chars", "status", "reason", "ms", "model")
_TEXTS = ("prompt", "complement", "proposed", "detail")
FIELDS = _PLAIN + _TEXTS


class Store(Protocol):
    """A format of the file: append rows, give them back."""

    def append(self, path: Path, rows: Sequence[Row]) -> None:
        """Put rows at the end of the file, which is made where there is none."""

    def read(self, path: Path) -> Iterator[Row]:
        """Yield the rows of one file; lines that no longer can be read are left out."""


class JsonLines:
    """One JSON object a line."""

    def append(self, path: Path, rows: Sequence[Row]) -> None:
        """Put rows at the end of the file; a line that a crash cut short is ended first."""
        with open(path, "ab+", opener=_private) as file:
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                file.write(b"" if file.read(1) == b"\n" else b"\n")
            file.write("".join(json.dumps(row) + "\n" for row in rows).encode())

    def read(self, path: Path) -> Iterator[Row]:
        """Yield the rows of one file."""
        with path.open("rb") as file:
            for line in file:
                with contextlib.suppress(ValueError, RecursionError):
                    row = json.loads(line)
                    if isinstance(row, dict) and row.keys() >= set(_PLAIN):
                        yield row


class Sqlite:
    """One table, `augmentations`."""

    def append(self, path: Path, rows: Sequence[Row]) -> None:
        """Put rows into the table, in one transaction."""
        import sqlite3  # here, since most programs keep no such record

        os.close(_private(path, os.O_RDWR | os.O_CREAT))
        columns = ", ".join(FIELDS)
        values = [[_storable(row.get(name)) for name in FIELDS] for row in rows]
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(f"CREATE TABLE IF NOT EXISTS augmentations ({columns})")
            marks = ", ".join("?" * len(FIELDS))
            connection.executemany(f"INSERT INTO augmentations ({columns}) VALUES ({marks})", values)

    def read(self, path: Path) -> Iterator[Row]:
        """Yield the rows of one file; raises ConfigError where it is not such a database."""
        import sqlite3

        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            try:
                for row in connection.execute("SELECT * FROM augmentations ORDER BY rowid"):
                    yield {name: row[name] for name in row.keys() if row[name] is not None}
            except sqlite3.DatabaseError as error:
                raise ConfigError(f"{path} is no record ({error});", hint="name a file that `Record` wrote.") from error


_STORES: dict[str, type[Store]] = {".jsonl": JsonLines, ".sqlite": Sqlite, ".db": Sqlite}


def store_for(path: Path) -> Store:
    """Return the format that a path's ending asks for."""
    if path.suffix not in _STORES:
        raise ConfigError(f"The record's path is {str(path)!r};", hint="let it end in .jsonl, .sqlite or .db.")
    return _STORES[path.suffix]()


def rotated(path: Path, number: int) -> Path:
    """Return the path of an older file: pas.jsonl, pas.1.jsonl, pas.2.jsonl."""
    return path.with_suffix(f".{number}{path.suffix}") if number else path


def rotate(path: Path, keep: int) -> None:
    """Make room for a new file: every file grows older by one, the oldest goes."""
    for number in range(keep, 0, -1):
        with contextlib.suppress(FileNotFoundError):
            os.replace(rotated(path, number - 1), rotated(path, number))


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from writing or rotating meanwhile, by a lock beside the file."""
    try:
        import fcntl
    except ImportError:  # Windows: one process a record
        yield
        return
    with open(path.with_name(path.name + ".lock"), "ab", opener=_private) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _private(path: str | Path, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _storable(value: Any) -> Any:
    # SQLite keeps UTF-8, which has no lone surrogates.
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
