"""Do paid work for many rows at once: a row that fails is set aside, an endpoint that fails ends the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from tqdm import tqdm

from .errors import EndpointError, RowFailed
from .ledger import Budget

R = TypeVar("R")
T = TypeVar("T")
#: So many failures one after the other, and it is the endpoint and not the rows.
_IN_A_ROW = 10


@dataclass(frozen=True, slots=True)
class Done(Generic[R, T]):
    """One row's work: its value, or why it failed this time."""

    row: R
    value: T | None
    failure: RowFailed | None = None


def each(
    rows: Sequence[R],
    work: Callable[[R], T],
    *,
    concurrency: int,
    label: str,
    budget: Budget | None = None,
    quiet: bool = False,
) -> Iterator[Done[R, T]]:
    """Yield what `work` makes of each row, as it is done, in any order, with a progress bar of time and money.

    An EndpointError or BudgetReached is raised once what is under way is done: its answers are kept.
    """
    failed = 0
    with (
        ThreadPoolExecutor(concurrency, thread_name_prefix="pas-llm") as pool,
        tqdm(total=len(rows), desc=label, unit="row", disable=quiet or None, smoothing=0.05) as bar,
    ):
        for future, row in _windowed(pool, rows, work, 2 * concurrency):
            done = _outcome(row, future)
            failed = failed + 1 if done.failure else 0
            if done.failure and failed >= _IN_A_ROW:
                raise EndpointError(
                    f"{failed} rows in a row failed, the last so: {done.failure}",
                    hint="Run again once the endpoint answers: what was paid for is kept.",
                    reason=done.failure.reason,
                )
            bar.update()
            if budget is not None:
                bar.set_postfix_str(f"{budget} USD", refresh=False)
            yield done


def _windowed(
    pool: ThreadPoolExecutor, rows: Iterable[R], work: Callable[[R], T], width: int
) -> Iterator[tuple[Future[T], R]]:
    waiting, running = iter(rows), dict[Future[T], R]()
    try:
        while True:
            for row in waiting:
                running[pool.submit(work, row)] = row
                if len(running) >= width:
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield future, running.pop(future)
    finally:
        # What is under way ends and is kept; what has not begun is not paid for.
        for future in running:
            future.cancel()


def _outcome(row: R, future: Future[T]) -> Done[R, T]:
    try:
        return Done(row, future.result())
    except RowFailed as failure:
        return Done(row, None, failure)
