"""Slow work on single prompts, kept on disk part by part: a killed run goes on, another threshold costs nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .engine import Engine, Work
from .table import texts, write_table

#: So many prompts are worked on before they are kept.
SHARD = 8192


def sharded(table: pa.Table, work: Work, cache: Path, engine: Engine, label: str) -> pa.Table:
    """Return what `work` makes of the prompts of a table; `label` names it, with all that it depends on."""
    folder = cache / name_of(texts(table), label)
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for start in range(0, max(1, len(table)), SHARD):
        file = folder / f"{start}.parquet"
        if not file.exists():
            write_table(file, engine.map(table.slice(start, SHARD).select(["prompt"]), work, label))
        parts.append(pq.read_table(file))
    return pa.concat_tables(parts)


def name_of(prompts: Sequence[str], label: str) -> str:
    """Return a name for what was made of these texts."""
    found = hashlib.sha256(label.encode())
    for text in prompts:
        found.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return f"{''.join(c if c.isalnum() else '-' for c in label)[:40]}-{found.hexdigest()[:16]}"
