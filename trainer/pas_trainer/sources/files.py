"""Rows of files and of hub datasets, one at a time; a broken line is reported and passed over."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pas_middleware.errors import ConfigError

SUFFIXES = (".parquet", ".jsonl", ".ndjson", ".json", ".csv")
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that cannot be read: the file, its line or row, and why."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.why}"


Found = tuple[int, dict[str, Any]] | Broken


def files_of(path: Path) -> list[Path]:
    """Return the data files of a path, a folder's in order; raises ConfigError where there is none."""
    if path.is_file():
        found = [path]
    else:
        found = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES) if path.is_dir() else []
    if not found or any(file.suffix not in SUFFIXES for file in found):
        raise ConfigError(f"{path} holds no data;", hint=f"give a file or folder of {', '.join(SUFFIXES)}.")
    return found


def rows_of_file(file: Path) -> Iterator[Found]:
    """Yield the rows of a file with their numbers from 1, and what could not be read."""
    readers = {".parquet": _parquet, ".json": _json, ".csv": _csv}
    return readers.get(file.suffix, _lines)(file)


def _parquet(file: Path) -> Iterator[Found]:
    try:
        table = pq.ParquetFile(file)
    except (OSError, ValueError) as error:  # pyarrow's errors derive from both
        yield Broken(str(file), 0, f"no Parquet file: {error}")
        return
    number = 0
    for batch in table.iter_batches(_BATCH):
        for row in batch.to_pylist():
            number += 1
            yield number, row


def _lines(file: Path) -> Iterator[Found]:
    # Split on "\n" alone: prompts hold U+2028 and other characters that text files may break at.
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _parsed(file, number, line)


def _parsed(file: Path, number: int, line: bytes) -> Found:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Broken(str(file), number, f"no JSON: {error}")
    return _checked(file, number, row)


def _checked(file: Path, number: int, row: Any) -> Found:
    return (number, row) if isinstance(row, dict) else Broken(str(file), number, f"a {type(row).__name__}, no object")


def _json(file: Path) -> Iterator[Found]:
    """Read an array of objects; of a file that is none, its lines."""
    text = file.read_bytes()
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        if not text.lstrip().startswith(b"["):
            yield from _lines(file)
            return
        yield Broken(str(file), getattr(error, "lineno", 0), f"no JSON: {error}")
        return
    for number, row in enumerate(rows if isinstance(rows, list) else [rows], 1):
        yield (
            (number, row) if isinstance(row, dict) else Broken(str(file), number, f"a {type(row).__name__}, no object")
        )


def _csv(file: Path) -> Iterator[Found]:
    csv.field_size_limit(2**30)
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        reader = csv.DictReader(lines)
        try:
            for row in reader:
                yield reader.line_num, {key: value for key, value in row.items() if key is not None}
        except csv.Error as error:
            yield Broken(str(file), reader.line_num, f"no CSV: {error}")


def rows_of_hub(name: str, split: str, config: str | None = None) -> Iterator[Found]:
    """Yield the rows of a dataset on the hub as they stream in; raises ConfigError where access is not granted."""
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError

    try:
        for number, row in enumerate(load_dataset(name, config, split=split, streaming=True), 1):
            yield number, dict(row)
    except DatasetNotFoundError as error:
        raise ConfigError(
            f"{name} cannot be had: {error};",
            hint="if it is gated, accept its terms on its page and log in with `hf auth login` or set HF_TOKEN.",
        ) from error
    except (OSError, ValueError) as error:  # the hub's errors derive from the first, those of a split from the other
        raise ConfigError(
            f"{name}, split {split!r}, cannot be read: {error};", hint="check the name, --split and the connection."
        ) from error
