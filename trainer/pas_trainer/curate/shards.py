"""Slow work on single prompts, kept on disk part by part: a killed run goes on, another threshold costs nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from .engine import Engine, Work
from .table import texts, write_table


def sharded(table: pa.Table, work: Work, cache: Path, engine: Engine, label: str) -> pa.Table:
    """Return what `work` makes of the prompts of a table; `label` names it, with all that it depends on."""
    # Engines keep parts of different sizes, which must not be mixed.
    size = engine.shard
    folder = cache / name_of(texts(table), f"{label} {size}")
    folder.mkdir(parents=True, exist_ok=True)
    files = {start: folder / f"{start}.parquet" for start in range(0, max(1, len(table)), size)}
    left = [start for start, file in files.items() if not file.exists()]
    done = len(table) - sum(min(size, len(table) - start) for start in left)
    with tqdm(total=len(table), initial=done, desc=label, unit="prompt", disable=None, smoothing=0.05) as bar:
        for start in left:
            part = table.slice(start, size).select(["prompt"])
            write_table(files[start], engine.map(part, work))
            bar.update(len(part))
    return pa.concat_tables([pq.read_table(file) for file in files.values()])


def name_of(prompts: Sequence[str], label: str) -> str:
    """Return a name for what was made of these texts."""
    found = hashlib.sha256(label.encode())
    for text in prompts:
        found.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return f"{''.join(c if c.isalnum() else '-' for c in label)[:40]}-{found.hexdigest()[:16]}"
