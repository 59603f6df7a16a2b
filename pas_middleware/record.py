"""A record of augmentations on disk: what was decided and why, by hash; texts only when asked."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakSet

from .augmentation import Augmentation
from .errors import ConfigError
from .stores import Row, locked, rotate, rotated, store_for

_log = logging.getLogger("pas_middleware")
#: Rows that may wait for a slow disk; more are counted in `dropped` and let go.
_WAITING = 10_000
_LEAST_BYTES = 10_000


class Record:
    """Writes every augmentation to a file that ends in .jsonl, .sqlite or .db; give it to `PAS(…, record=…)`.

    A thread of its own writes, so that no prompt waits for the disk; what cannot be written is counted in `dropped`.
    At `max_bytes` a new file is begun and the `keep` youngest of the old ones stay. Processes may share a path.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, texts: bool = False, max_bytes: int = 64_000_000, keep: int = 4
    ) -> None:
        self.path, self.texts, self.dropped = Path(path), texts, 0
        if not isinstance(max_bytes, int) or max_bytes < _LEAST_BYTES:
            raise ConfigError(f"max_bytes is {max_bytes!r};", hint=f"give a whole number from {_LEAST_BYTES:,} on.")
        if not isinstance(keep, int) or not 0 <= keep <= 1_000:
            raise ConfigError(f"keep is {keep!r};", hint="give a whole number from 0 to 1,000.")
        self._max_bytes, self._keep = max_bytes, keep
        self._store = store_for(self.path)
        _check_writable(self.path)
        self.start()
        _LIVE.add(self)

    def start(self) -> None:
        """Begin with nothing waiting: what a forked child inherits is its parent's to write."""
        self._lock = threading.Lock()
        self._rows: list[Row] = []
        self._pool: ThreadPoolExecutor | None = None

    def add(self, augmentation: Augmentation) -> None:
        """Have an augmentation written; never waits, never raises for a disk that fails."""
        row = _row(augmentation, self.texts)
        with self._lock:
            if len(self._rows) >= _WAITING:
                self.dropped += 1
                return
            self._rows.append(row)
            if len(self._rows) == 1:
                self._submit()

    def _submit(self) -> None:
        try:
            self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="pas-record")
            self._pool.submit(self._write)
        except RuntimeError:  # the interpreter ends: no thread starts any more
            self.dropped += len(self._rows)
            self._rows = []

    def _write(self) -> None:
        with self._lock:
            rows, self._rows = self._rows, []
        try:
            with locked(self.path):
                if self.path.exists() and self.path.stat().st_size >= self._max_bytes:
                    rotate(self.path, self._keep) if self._keep else self.path.unlink()
                self._store.append(self.path, rows)
        except Exception as error:  # a full disk must not cost a prompt its answer
            self.dropped += len(rows)
            _log.warning("%s rows of the record %s were not written: %s", len(rows), self.path, type(error).__name__)

    def flush(self) -> None:
        """Wait until everything that was added is written."""
        with self._lock:
            last = self._pool.submit(lambda: None) if self._pool else None
        if last is not None:
            last.result()

    def close(self) -> None:
        """Write what waits and stop the thread; it starts again where more is added."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()


def read_record(path: str | os.PathLike[str]) -> Iterator[Row]:
    """Yield the rows of a record, the oldest first, over all its files; raises ConfigError where there is none."""
    path = Path(path)
    store = store_for(path)
    numbers = [0]
    while rotated(path, numbers[-1] + 1).exists():
        numbers.append(numbers[-1] + 1)
    if len(numbers) == 1 and not path.is_file():
        raise ConfigError(f"There is no record at {str(path)!r};", hint="write one with Record(path) or `pas serve`.")
    for number in reversed(numbers):
        if rotated(path, number).exists():
            yield from store.read(rotated(path, number))


def _row(augmentation: Augmentation, texts: bool) -> Row:
    a = augmentation
    row = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "original": hashlib.sha256(a.prompt.encode("utf-8", "surrogatepass")).hexdigest(),
        "chars": len(a.prompt),
        "status": a.status,
        "reason": a.reason,
        "ms": round(a.elapsed_ms, 3),
        "model": a.model,
    }
    if texts:
        row |= {"prompt": a.prompt, "complement": a.complement, "proposed": a.proposed, "detail": a.detail}
    return row


def _check_writable(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise ConfigError(f"The record's folder {str(folder)!r} does not exist;", hint="make it first.")
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise ConfigError(f"The record {str(path)!r} cannot be written;", hint="name a file you may write.")


_LIVE: WeakSet[Record] = WeakSet()


def _start_anew() -> None:
    for record in list(_LIVE):
        record.start()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_start_anew)
