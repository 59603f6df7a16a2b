"""The first stage: prompts out of sources, broken rows reported and passed over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from tqdm import tqdm

from pas_middleware.errors import ConfigError

from .. import stages
from ..sources import Broken, Conversation, layout_of, rows_of_file, rows_of_hub
from ..sources.files import Found, files_of
from .table import REJECTED, Outcome, prompts_table

#: Names of datasets on the hub begin with it: hub:lmsys/lmsys-chat-1m.
HUB = "hub:"
_CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class Reading:
    """What is taken from the sources: first user turns alone or all of them; a column's name; how many rows.

    `strict` makes the first row that cannot be read an error.
    """

    sources: tuple[str, ...]
    turns: Literal["first", "all"] = "first"
    column: str | None = None
    limit: int | None = None
    split: str = "train"
    strict: bool = False


def read(reading: Reading) -> Outcome:
    """Return the prompts of all sources; raises ConfigError for a source that is empty or of no known shape."""
    tables: list[pa.Table] = []
    broken: list[Broken] = []
    seen: set[str] = set()
    for source in reading.sources:
        made = _prompts(source, reading, broken, seen)
        rows = iter(tqdm(made, desc=f"reading {source}", unit="prompt", disable=None))
        before = len(tables)
        while chunk := list(islice(rows, _CHUNK)):
            tables.append(prompts_table(chunk))
        if len(tables) == before:
            why = f", the first fault: {broken[0]}" if broken else ""
            raise ConfigError(f"{source} holds no prompts{why};", hint="check the file and --column.")
    rejected = [
        {"id": f"{b.file}:{b.line}", "prompt": "", "stage": "read", "reason": "broken_row", "detail": str(b)}
        for b in broken
    ]
    return Outcome(pa.concat_tables(tables), pa.Table.from_pylist(rejected, schema=REJECTED))


def _prompts(source: str, reading: Reading, broken: list[Broken], seen: set[str]) -> Iterator[dict[str, Any]]:
    found = (made for name, rows in rows_of(source, reading.split) for made in _of_file(name, rows, reading, seen))
    for made in islice(found, reading.limit):
        if not isinstance(made, Broken):
            yield made
        elif reading.strict:
            raise ConfigError(f"{made};", hint="mend it, or leave out --strict: such rows are passed over.")
        else:
            broken.append(made)


def _of_file(name: str, rows: Iterator[Found], reading: Reading, seen: set[str]) -> Iterator[dict[str, Any] | Broken]:
    if name in seen:
        raise ConfigError(f"{name} is given twice.")
    seen.add(name)
    layout = None
    for row in rows:
        if isinstance(row, Broken):
            yield row
            continue
        number, content = row
        layout = layout or layout_of(content, reading.column)
        try:
            yield from list(_turns(layout.read(content), reading.turns, name, number))
        except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
            yield Broken(name, number, f"no row of layout {layout.name}: {error!r}")


def rows_of(source: str, part: str) -> Iterator[tuple[str, Iterator[Found]]]:
    """Yield the name and rows of each file of a source; `part` is the split of a dataset on the hub."""
    if source.startswith(HUB):
        name = source.removeprefix(HUB)
        yield name, rows_of_hub(name, part)
        return
    for file in files_of(_existing(source)):
        yield str(file), rows_of_file(file)


def digest(source: str) -> str:
    """Return the sha256 of a source's files; a dataset on the hub is known by its name."""
    if source.startswith(HUB):
        return source
    found = hashlib.sha256()
    for file in files_of(_existing(source)):
        found.update(stages.digest(file).encode())
    return found.hexdigest()


def _existing(source: str) -> Path:
    path = Path(source)
    if not path.exists():
        raise ConfigError(f"There is no {source};", hint=f"give a file, a folder or {HUB}NAME.")
    return path


def _turns(conversation: Conversation, wanted: str, source: str, number: int) -> Iterator[dict[str, Any]]:
    for place, turn in enumerate(conversation.turns):
        if turn.role != "user":
            continue
        before = [{"role": t.role, "content": t.content} for t in conversation.turns[:place]]
        yield {
            "id": f"{source}:{number}:{place}",
            "prompt": turn.content,
            "history": json.dumps(before, ensure_ascii=False) if before else "",
            "language": conversation.language,
            "source": source,
            "origin": conversation.key,
            "unsafe": turn.unsafe,
            "redacted": conversation.redacted,
        }
        if wanted == "first":
            return
