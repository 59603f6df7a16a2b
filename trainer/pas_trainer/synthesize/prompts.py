"""The prompts that complements are written for: curate's Parquet, or any JSON Lines file with a prompt a row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pas_middleware import language
from pas_middleware.errors import InputError


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt; its id names its answers."""

    id: str
    prompt: str
    category: str
    language: str


def read_prompts(path: Path, limit: int = 0) -> list[Prompt]:
    """Read prompts in the file's order; raises InputError naming the row that is none.

    A folder stands for the prompts.parquet in it. Of equal prompts without an id the first counts.
    """
    file = path / "prompts.parquet" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"There are no prompts at {file};", hint="name a Parquet or JSON Lines file.")
    found: list[Prompt] = []
    seen: dict[str, str] = {}
    for where, row in _rows_of_parquet(file) if file.suffix == ".parquet" else _rows_of_lines(file):
        if limit and len(found) >= limit:
            break
        prompt = _prompt_of(where, row)
        if prompt.id in seen and not row.get("id"):
            continue
        if prompt.id in seen:
            raise InputError(f"{where}: the id {prompt.id!r} is also that of {seen[prompt.id]}.")
        seen[prompt.id] = where
        found.append(prompt)
    if not found:
        raise InputError(f"{file} holds no prompt.")
    return found


def _rows_of_parquet(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file} cannot be read as Parquet: {error}.") from None
    if "prompt" not in table.column_names:
        raise InputError(f"{file} has no column 'prompt';", hint=f"it has {', '.join(table.column_names)}.")
    wanted = [name for name in ("id", "prompt", "category", "language") if name in table.column_names]
    for number, row in enumerate(table.select(wanted).to_pylist(), 1):
        yield f"{file}, row {number}", row


def _rows_of_lines(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    # Split on "\n" alone: prompts hold U+2028 and other characters that splitlines() breaks at.
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8: {error}.") from None
    for number, line in enumerate(lines, 1):
        where = f"{file}, line {number}"
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InputError(f"{where}: not JSON ({error}).") from None
            if not isinstance(row, dict):
                raise InputError(f"{where}: not an object.")
            yield where, row


def _prompt_of(where: str, row: Mapping[str, Any]) -> Prompt:
    text = row.get("prompt")
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            f"{where}: prompt is {'empty' if isinstance(text, str) else repr(text)};", hint="drop that row."
        )
    # Half a surrogate pair cannot be sent; JSON can hold one.
    clean = text.encode("utf-8", "replace").decode()
    name = row.get("id") or hashlib.sha256(clean.encode()).hexdigest()[:16]
    return Prompt(str(name), clean, str(row.get("category") or ""), str(row.get("language") or language.detect(clean)))
