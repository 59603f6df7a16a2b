"""Reviews for tests: items, a started review, and its server on the loopback interface."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pas_trainer.review.items import Item
from pas_trainer.review.plan import make_plan
from pas_trainer.review.serving import address, bind, server
from pas_trainer.review.store import Store


def some_items(count: int, arms: Sequence[str] = ("none", "pas")) -> list[Item]:
    categories = ("Analysis", "Advice")
    return [
        Item(f"q{n}", f"Prompt {n}", categories[n % 2], {arm: f"Answer {n} of {arm}" for arm in arms})
        for n in range(1, count + 1)
    ]


def start(folder: Path, items: Sequence[Item], **plan: object) -> Store:
    return Store.create(folder, make_plan(list(items[0].arms), **plan), items)


def write_items(path: Path, items: Sequence[Item]) -> Path:
    rows = [{"id": i.id, "prompt": i.prompt, "category": i.category, "arms": i.arms} for i in items]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@contextmanager
def served(store: Store, *, port: int = 0, token: str = "") -> Iterator[str]:
    """Serve a review and yield its address; the server ends with the block."""
    taken = bind("127.0.0.1", port)
    running = server(store, token=token)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [taken]})
    thread.start()
    try:
        yield address(taken, "127.0.0.1", token)
    finally:
        running.should_exit = True
        thread.join()
        taken.close()
