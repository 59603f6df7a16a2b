"""Every answer as it comes, in SQLite: kill -9 at any moment loses none, and no paid call is made twice."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from types import TracebackType

from pas_middleware.errors import ConfigError, InputError

from .answer import Answer
from .endpoint import Endpoint

#: An answer is named by its row, its stage (with the round), what was asked, and the how manieth asking it was.
_TABLES = """
CREATE TABLE IF NOT EXISTS answers (
  row TEXT, stage TEXT, config TEXT, attempt INTEGER, text TEXT, problem TEXT,
  input_tokens INTEGER, output_tokens INTEGER, usd REAL, at REAL,
  PRIMARY KEY (row, stage, config, attempt)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS flights (id INTEGER PRIMARY KEY, row TEXT, stage TEXT, usd REAL);
CREATE TABLE IF NOT EXISTS batches (id TEXT PRIMARY KEY, base_url TEXT, state TEXT);
CREATE TABLE IF NOT EXISTS requests (
  custom_id TEXT PRIMARY KEY, row TEXT, stage TEXT, config TEXT, attempt INTEGER, usd_input REAL, usd_output REAL
);
"""
#: What must be free before a call is paid for, so that its answer can be kept.
_ROOM_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Key:
    """The name of an answer."""

    row: str
    stage: str
    config: str
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Expected:
    """The answer that a batch is to bring, and the price of a token."""

    key: Key
    usd_input: float
    usd_output: float


@dataclass(frozen=True, slots=True)
class Totals:
    """Calls, tokens and money so far; `lost` calls may have been billed but brought no answer, at most `lost_usd`."""

    calls: int
    input_tokens: int
    output_tokens: int
    usd: float
    lost: int
    lost_usd: float


class Store:
    """The answers of one run folder. One process at a time may hold it."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file = file
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, timeout=0, check_same_thread=False, isolation_level=None)
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise _opening(file, error) from None

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def get(self, key: Key) -> Answer | None:
        """Return the answer of that name, None where there is none yet."""
        with self._lock:
            row = self._db.execute(
                "SELECT text, problem, input_tokens, output_tokens FROM answers "
                "WHERE row=? AND stage=? AND config=? AND attempt=?",
                astuple(key),
            ).fetchone()
        return Answer(*row) if row else None

    def depart(self, key: Key, most_usd: float) -> int:
        """Note that a call is about to be made; what is still noted after a crash may have been billed."""
        if shutil.disk_usage(self.file.parent).free < _ROOM_BYTES:
            raise InputError(
                f"Less than {_ROOM_BYTES >> 20} MB are free at {self.file.parent};",
                hint="make room and run again: every answer so far is kept.",
                reason="disk_full",
            )
        with self._writing() as db:
            return int(
                db.execute(
                    "INSERT INTO flights (row, stage, usd) VALUES (?,?,?)", (key.row, key.stage, most_usd)
                ).lastrowid
                or 0
            )

    def unbilled(self, flight: int) -> None:
        """Strike out a call that the endpoint turned away."""
        with self._writing() as db:
            db.execute("DELETE FROM flights WHERE id=?", (flight,))

    def put(self, key: Key, answer: Answer, usd: float, flight: int | None = None) -> bool:
        """Keep an answer and tell whether it is new; the first of a name stays."""
        with self._writing() as db:
            added = db.execute(
                "INSERT OR IGNORE INTO answers VALUES (?,?,?,?,?,?,?,?,?,?)",
                (*astuple(key), *astuple(answer), usd, time.time()),
            )
            if flight is not None:
                db.execute("DELETE FROM flights WHERE id=?", (flight,))
        return added.rowcount > 0

    def expect(self, requests: Iterable[tuple[str, Key, Endpoint]]) -> None:
        """Note what each custom_id of a batch stands for, and at what price a token."""
        rows = [(name, *astuple(key), e.usd(e.batch_price, 0), e.usd(0, e.batch_price)) for name, key, e in requests]
        with self._writing() as db:
            db.executemany("INSERT OR REPLACE INTO requests VALUES (?,?,?,?,?,?,?)", rows)

    def expected(self, custom_id: str) -> Expected | None:
        """Return what a custom_id stands for."""
        with self._lock:
            row = self._db.execute("SELECT * FROM requests WHERE custom_id=?", (custom_id,)).fetchone()
        return Expected(Key(*row[1:5]), row[5], row[6]) if row else None

    def note_batch(self, name: str, base_url: str, state: str) -> None:
        """Note a batch as open or done."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO batches VALUES (?,?,?)", (name, base_url, state))

    def knows_batch(self, name: str) -> bool:
        """Tell whether a batch was noted."""
        with self._lock:
            return self._db.execute("SELECT 1 FROM batches WHERE id=?", (name,)).fetchone() is not None

    def open_batches(self, base_url: str) -> list[str]:
        """Return the batches whose answers were not fetched yet."""
        with self._lock:
            found = self._db.execute("SELECT id FROM batches WHERE base_url=? AND state='open'", (base_url,)).fetchall()
        return [name for (name,) in found]

    def totals(self, stage: str = "") -> Totals:
        """Sum up the answers whose stage begins so."""
        with self._lock:
            spent = self._db.execute(
                "SELECT COUNT(*), TOTAL(input_tokens), TOTAL(output_tokens), TOTAL(usd) FROM answers "
                "WHERE substr(stage, 1, ?) = ?",
                (len(stage), stage),
            ).fetchone()
            lost = self._db.execute(
                "SELECT COUNT(*), TOTAL(usd) FROM flights WHERE substr(stage, 1, ?) = ?", (len(stage), stage)
            ).fetchone()
        return Totals(spent[0], int(spent[1]), int(spent[2]), spent[3], lost[0], lost[1])

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise InputError(
                    f"{self.file} cannot be written: {error}.",
                    hint="Make room there and run again: every answer so far is kept.",
                    reason="disk_full",
                ) from None


def _opening(file: Path, error: sqlite3.DatabaseError) -> Exception:
    if "locked" in str(error):
        return ConfigError(f"Another run holds {file};", hint="wait for it to end, or use another folder.")
    return InputError(f"{file} cannot be read as a store of answers: {error}.", hint="Move it away to begin anew.")
