"""Where the work on single prompts is done: in this process, or on a Ray cluster. The work is the same function."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Literal, Protocol

import pyarrow as pa
from tqdm import tqdm

from pas_middleware.errors import ConfigError, RuntimeMissing

Name = Literal["local", "ray"]
#: A function of a table's part that returns one row for each row of it, in order.
Work = Callable[[pa.Table], pa.Table]
_CHUNK = 2048


class Engine(Protocol):
    """Applies work to a table part by part; `shard` prompts of slow work are kept on disk at a time."""

    shard: int

    def map(self, table: pa.Table, work: Work, label: str = "") -> pa.Table:
        """Return what `work` makes of the table, in the table's order, with a progress bar where it has a label."""
        ...


class Local:
    """One part after the other."""

    shard = 1024

    def map(self, table: pa.Table, work: Work, label: str = "") -> pa.Table:
        """Return what `work` makes of the table."""
        done = []
        hidden = None if label else True
        with tqdm(total=len(table), desc=label, unit="prompt", disable=hidden, smoothing=0.05) as bar:
            for start in range(0, max(1, len(table)), _CHUNK):
                part = table.slice(start, _CHUNK)
                done.append(work(part))
                bar.update(len(part))
        return pa.concat_tables(done)


class Ray:
    """Parts in parallel on a Ray cluster: the one at `address`, else one of this machine's own."""

    shard = 65_536  # many parts at once: a cluster has many hands

    def __init__(self, address: str = "") -> None:
        try:
            import ray
        except ImportError as error:
            raise RuntimeMissing(
                "--engine ray needs Ray;", hint='run `pip install "pas-middleware[trainer,ray]"`.'
            ) from error
        if not ray.is_initialized():
            _connect(ray, address)
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        self._data: Any = ray.data

    def map(self, table: pa.Table, work: Work, label: str = "") -> pa.Table:
        """Return what `work` makes of the table."""
        if not len(table):
            return work(table)
        blocks = -(-len(table) // _CHUNK)
        parts = self._data.from_arrow(table.combine_chunks()).repartition(blocks)
        made = parts.map_batches(work, batch_format="pyarrow", batch_size=_CHUNK)
        import ray

        return pa.concat_tables(ray.get(made.to_arrow_refs()))


def _connect(ray: Any, address: str) -> None:
    try:
        # Ray itself tries for minutes, and then ends the process.
        if ":" in address:
            host, port = address.removeprefix("ray://").rsplit(":", 1)
            socket.create_connection((host, int(port)), timeout=5).close()
        ray.init(address=address or None, include_dashboard=False, log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"No Ray cluster answers at {address!r}: {error};", hint="check `ray status` there, and --ray-address."
        ) from error


def engine_of(name: Name, address: str = "") -> Engine:
    """Return the engine of that name."""
    return Ray(address) if name == "ray" else Local()
