"""A review's SQLite file: its items, the order they are shown in, and every mark as soon as it is given."""

from __future__ import annotations

import hashlib
import json
import random
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pas_middleware.errors import ConfigError, PASError

from .items import Item
from .plan import Plan

NAME = "review.sqlite"
_VERSION = 1
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE items (number INTEGER PRIMARY KEY, id TEXT UNIQUE, category TEXT NOT NULL, prompt TEXT NOT NULL);
CREATE TABLE answers (item INTEGER REFERENCES items, arm TEXT, text TEXT NOT NULL, PRIMARY KEY (item, arm));
CREATE TABLE tasks (number INTEGER PRIMARY KEY, item INTEGER NOT NULL REFERENCES items, arms TEXT NOT NULL);
CREATE TABLE marks (
    task INTEGER REFERENCES tasks, reviewer TEXT, arm TEXT,
    value INTEGER,           -- a grade; or 1, 0, -1: better than the baseline, as good, worse; NULL: passed over
    place INTEGER NOT NULL,  -- where the arm's answer was shown, 0 first
    at TEXT NOT NULL,
    PRIMARY KEY (task, reviewer, arm)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Task:
    """One screen: a prompt and the arms whose answers it shows."""

    number: int
    item: Item
    arms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """What a reviewer said of an arm's answer to an item; None: passed over."""

    item: str
    category: str
    arm: str
    reviewer: str
    value: int | None
    place: int


def beside(run: Path) -> Path:
    """Return where an evaluation's review lies: not in its folder, which a run that is redone empties."""
    run = run.resolve()
    return run.with_name(f"{run.name}-review")


class Store:
    """An open review. Every write is on the disk when the method returns; several processes may have it open."""

    def __init__(self, path: Path) -> None:
        # One connection for all of the server's threads, one of them at a time.
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")

    @classmethod
    def create(cls, folder: Path, plan: Plan, items: Sequence[Item]) -> Store:
        """Write a new review into the folder; nothing is left there when that fails."""
        if (folder / NAME).exists():
            raise ConfigError(f"{folder / NAME} exists;", hint="leave out --items to go on with it.")
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{NAME}.{secrets.token_hex(4)}"
        db = sqlite3.connect(draft)
        draft.chmod(0o600)  # it holds prompts and the token
        try:
            with db:
                _fill(db, plan, items)
            db.close()
            draft.replace(folder / NAME)
        finally:
            db.close()
            draft.unlink(missing_ok=True)
        return cls(folder / NAME)

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open the review of a folder."""
        path = folder / NAME
        if not path.is_file():
            raise ConfigError(f"{folder} has no review;", hint="start one with --items FILE.")
        try:
            store = cls(path)
            if store._meta.get("version") != str(_VERSION):
                raise PASError(f"{path} is of version {store._meta.get('version')};", hint="use the release it is of.")
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"{path} is not a review ({error});", hint="start one in another folder.") from error
        return store

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @cached_property
    def _meta(self) -> dict[str, str]:
        return dict(self._rows("SELECT name, value FROM meta"))

    @cached_property
    def plan(self) -> Plan:
        """How this review is done."""
        row = json.loads(self._meta["plan"])
        return Plan(**(row | {"arms": tuple(row["arms"])}))

    @cached_property
    def id(self) -> str:
        """A name by which a browser knows this review from another at the same address."""
        return hashlib.sha256(self.plan.token.encode()).hexdigest()[:16]

    @cached_property
    def total(self) -> int:
        """Return how many tasks there are."""
        return int(self._rows("SELECT count(*) FROM tasks")[0][0])

    def task(self, number: int) -> Task:
        """Return one task; KeyError where there is none of this number."""
        found = self._rows(
            "SELECT tasks.arms, items.number, id, prompt, category FROM tasks JOIN items ON items.number = tasks.item "
            "WHERE tasks.number = ?",
            number,
        )
        if not found:
            raise KeyError(number)
        arms, item, id, prompt, category = found[0]
        answers = dict(self._rows("SELECT arm, text FROM answers WHERE item = ?", item))
        return Task(number, Item(id, prompt, category, answers), tuple(json.loads(arms)))

    def shown(self, task: Task, reviewer: str) -> list[str]:
        """Return the task's arms in the order in which this reviewer sees them, always the same one."""
        key = f"{self.plan.seed}\0{self.plan.token}\0{reviewer}\0{task.number}"
        seed = hashlib.sha256(key.encode()).digest()
        return random.Random(seed).sample(task.arms, len(task.arms))

    def mark(self, task: Task, reviewer: str, values: Iterable[tuple[str, int | None]]) -> None:
        """Keep a reviewer's marks of a task instead of those given before."""
        places = {arm: place for place, arm in enumerate(self.shown(task, reviewer))}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        rows = [(task.number, reviewer, arm, value, places[arm], now) for arm, value in values]
        with self._transaction() as db:
            db.execute("DELETE FROM marks WHERE task = ? AND reviewer = ?", (task.number, reviewer))
            db.executemany("INSERT INTO marks VALUES (?, ?, ?, ?, ?, ?)", rows)

    def marks_of(self, task: Task, reviewer: str) -> dict[str, int | None]:
        """Return the reviewer's marks of a task by arm."""
        query = "SELECT arm, value FROM marks WHERE task = ? AND reviewer = ?"
        return dict(self._rows(query, task.number, reviewer))

    def done(self, reviewer: str) -> list[int]:
        """Return the numbers of the tasks that the reviewer has finished."""
        wanted = len(self.plan.arms) if self.plan.mode == "grade" else 1
        query = "SELECT task FROM marks WHERE reviewer = ? GROUP BY task HAVING count(*) = ? ORDER BY task"
        return [row[0] for row in self._rows(query, reviewer, wanted)]

    def marks(self) -> list[Mark]:
        """Return all marks, by task and reviewer."""
        query = (
            "SELECT id, category, arm, reviewer, value, place FROM marks JOIN tasks ON tasks.number = marks.task "
            "JOIN items ON items.number = tasks.item ORDER BY task, reviewer, arm"
        )
        return [Mark(*row) for row in self._rows(query)]

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:  # an interrupt, too, leaves no half a mark
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _fill(db: sqlite3.Connection, plan: Plan, items: Sequence[Item]) -> None:
    db.executescript(_SCHEMA)
    db.execute("INSERT INTO meta VALUES ('version', ?)", (str(_VERSION),))
    db.execute("INSERT INTO meta VALUES ('plan', ?)", (json.dumps(asdict(plan)),))
    rows = list(enumerate(items, 1))
    db.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", [(n, i.id, i.category, i.prompt) for n, i in rows])
    db.executemany(
        "INSERT INTO answers VALUES (?, ?, ?)", [(n, arm, text) for n, i in rows for arm, text in i.arms.items()]
    )
    screens = [(number, arms) for number, item in rows for arms in _screens(plan, item)]
    # One order for all, so that reviewers who stop early have judged the same ones.
    random.Random(plan.seed).shuffle(screens)
    db.executemany(
        "INSERT INTO tasks VALUES (?, ?, ?)", [(n, item, json.dumps(arms)) for n, (item, arms) in enumerate(screens, 1)]
    )


def _screens(plan: Plan, item: Item) -> list[list[str]]:
    """Return the arms of each screen of an item: all to be graded; or the baseline with each that differs from it."""
    if plan.mode == "grade":
        return [list(plan.arms)]
    others = [arm for arm in plan.arms if arm != plan.baseline]
    return [[plan.baseline, arm] for arm in others if item.arms[arm] != item.arms[plan.baseline]]
