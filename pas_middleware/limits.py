"""Limits around the model: a deadline, a bounded queue and a circuit breaker."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from .errors import AugmentationError, QueueFull
from .settings import Breaker

Clock = Callable[[], float]
T = TypeVar("T")


def is_failure(error: BaseException) -> bool:
    """Tell whether an error is a failure of augmentation, rather than an order to stop, which nobody may swallow."""
    # pyo3's PanicException, raised by a hostile tokenizer, is a BaseException and known by name alone.
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


class Deadline:
    """A point in time by which a complement must be ready, on the clock that made it; past at once when cancelled."""

    def __init__(self, at: float, clock: Clock) -> None:
        self.at, self._clock = at, clock
        self._lock = threading.Lock()
        self._cancelled = False
        self._on_cancel: list[Callable[[], None]] = []

    @classmethod
    def after(cls, milliseconds: float, clock: Clock) -> Deadline:
        """Return the deadline so many milliseconds from now."""
        return cls(clock() + milliseconds / 1000, clock)

    def left(self) -> float:
        """Return the seconds that are left, never below zero."""
        return 0.0 if self._cancelled else max(0.0, self.at - self._clock())

    def cancel(self) -> None:
        """Say that nobody waits any more."""
        with self._lock:
            self._cancelled, calls, self._on_cancel = True, self._on_cancel, []
        for call in calls:
            call()

    def on_cancel(self, call: Callable[[], None]) -> None:
        """Have something called when nobody waits any more, at once where that is so already."""
        with self._lock:
            if not self._cancelled:
                self._on_cancel.append(call)
                return
        call()


class CircuitBreaker:
    """Stops asking a model that keeps failing; after a pause one request probes it."""

    def __init__(self, settings: Breaker, clock: Clock) -> None:
        self._pause, self._window, self._clock = settings.open_s, settings.window_s, clock
        self._failures: deque[float] = deque(maxlen=settings.failures)
        self._opened: float | None = None
        self._probing = False
        self._lock = threading.Lock()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Let one request through and record how it ends; raises AugmentationError with the reason breaker_open.

        A request that never reached the model, or whose caller went away, says nothing about the model.
        """
        probe = self._enter()
        try:
            yield
        except BaseException as error:  # only recorded here, always raised again
            asked = not isinstance(error, QueueFull | CancelledError)
            self._leave(probe, failed=asked and is_failure(error))
            raise
        self._succeeded(probe)

    def _enter(self) -> bool:
        with self._lock:
            if self._opened is None:
                return False
            if self._probing or self._clock() - self._opened < self._pause:
                raise AugmentationError("The model failed repeatedly and is paused.", reason="breaker_open")
            self._probing = True
            return True

    def _succeeded(self, probe: bool) -> None:
        with self._lock:
            if probe or self._opened is None:
                self._opened, self._probing = None, False
                self._failures.clear()

    def _leave(self, probe: bool, *, failed: bool) -> None:
        with self._lock:
            if probe:
                self._probing = False
            if failed and (probe or self._is_last_straw()):
                self._opened = self._clock()

    def _is_last_straw(self) -> bool:
        # Requests that were under way when it opened do not keep it open for longer.
        now = self._clock()
        self._failures.append(now)
        full = len(self._failures) == self._failures.maxlen
        return self._opened is None and full and now - self._failures[0] <= self._window


class Worker:
    """Long-lived threads that run the model; at most `queue_limit` requests wait for them.

    The threads start with the first request, after `close` anew.
    """

    def __init__(self, threads: int, queue_limit: int) -> None:
        self._threads, self._queue_limit = threads, queue_limit
        self._room = threading.Semaphore(threads + queue_limit)
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def submit(self, task: Callable[[], T]) -> Future[T]:
        """Queue a task; raises QueueFull where too many wait already."""
        if not self._room.acquire(blocking=False):
            raise QueueFull(f"{self._queue_limit} requests are waiting for the model.")
        try:
            future = self._submit(task)
        except BaseException:  # no thread could be started: the place is free again
            self._room.release()
            raise
        future.add_done_callback(lambda _: self._room.release())
        return future

    def _submit(self, task: Callable[[], T]) -> Future[T]:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="pas")
            return self._pool.submit(task)

    def close(self) -> None:
        """Stop the threads once what they run is done; what still waits is cancelled."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
