import asyncio
import threading
from concurrent.futures import CancelledError
from concurrent.futures import wait as wait_for

import pytest

from pas_middleware import AugmentationError, Breaker, QueueFull
from pas_middleware.limits import CircuitBreaker, Deadline, Worker, is_failure


class VirtualClock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def breaker(clock) -> CircuitBreaker:
    return CircuitBreaker(Breaker(failures=5, window_s=20.0, open_s=60.0), clock)


def end(breaker: CircuitBreaker, error: BaseException | None = None) -> str:
    """Make one attempt that ends with the error, and return how the breaker took it."""
    try:
        with breaker.attempt():
            if error is not None:
                raise error
    except AugmentationError as caught:
        if caught is not error:
            return caught.reason
    except BaseException as caught:
        assert caught is error
    return "let through"


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        assert end(breaker, RuntimeError("broken")) == "let through"


def test_opens_with_the_fifth_failure_in_twenty_seconds(breaker, clock):
    fail(breaker, 4)
    clock.now += 20.0
    fail(breaker)
    assert end(breaker) == "breaker_open"


def test_failures_spread_over_more_than_the_window_do_not_open(breaker, clock):
    for _ in range(12):
        fail(breaker)
        clock.now += 5.1
    assert end(breaker) == "let through"


def test_success_in_between_starts_the_count_anew(breaker):
    fail(breaker, 4)
    assert end(breaker) == "let through"
    fail(breaker, 4)
    assert end(breaker) == "let through"


def test_probe_after_sixty_seconds_closes_when_it_succeeds(breaker, clock):
    fail(breaker, 5)
    clock.now += 59.9
    assert end(breaker) == "breaker_open"
    clock.now += 0.1
    assert end(breaker) == "let through"
    fail(breaker, 4)
    assert end(breaker) == "let through"


def test_probe_that_fails_opens_for_another_sixty_seconds(breaker, clock):
    fail(breaker, 5)
    clock.now += 60.0
    fail(breaker)
    clock.now += 59.9
    assert end(breaker) == "breaker_open"
    clock.now += 0.1
    assert end(breaker) == "let through"


def test_breaker_that_closed_opens_and_is_probed_again(breaker, clock):
    for _ in range(2):
        fail(breaker, 5)
        with pytest.raises(AugmentationError, match=r"^The model [a-z ]+ is paused\.$"), breaker.attempt():
            pytest.fail("it was let through")
        clock.now += 60.0
        assert end(breaker) == "let through"


def test_only_one_probe_at_a_time(breaker, clock):
    fail(breaker, 5)
    clock.now += 60.0
    with breaker.attempt():
        assert end(breaker) == "breaker_open"
    assert end(breaker) == "let through"


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), QueueFull("full"), CancelledError()])
def test_abandoned_probe_makes_room_for_the_next(breaker, clock, error):
    fail(breaker, 5)
    clock.now += 60.0
    assert end(breaker, error) == "let through"
    assert end(breaker) == "let through"
    assert end(breaker) == "let through"


@pytest.mark.parametrize("error", [asyncio.CancelledError(), SystemExit(), QueueFull("full"), CancelledError()])
def test_what_says_nothing_about_the_model_is_not_counted(breaker, error):
    for _ in range(10):
        assert end(breaker, error) == "let through"
    assert end(breaker) == "let through"


@pytest.mark.parametrize("error", [None, RuntimeError("late")])
def test_requests_from_before_it_opened_change_nothing(breaker, clock, error):
    late = breaker.attempt()
    late.__enter__()
    fail(breaker, 5)
    clock.now += 10.0
    late.__exit__(type(error) if error else None, error, None)
    assert end(breaker) == "breaker_open"
    clock.now += 50.0
    assert end(breaker) == "let through"


def test_straggler_does_not_free_the_probe_of_another(breaker, clock):
    straggler = breaker.attempt()
    straggler.__enter__()
    fail(breaker, 5)
    clock.now += 60.0
    with breaker.attempt():
        straggler.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        assert end(breaker) == "breaker_open"


class PanicException(BaseException):
    """Named as pyo3 names the panics of Rust."""


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (RuntimeError(), True),
        (MemoryError(), True),
        (StopIteration(), True),
        (PanicException(), True),
        (KeyboardInterrupt(), False),
        (SystemExit(), False),
        (asyncio.CancelledError(), False),
        (GeneratorExit(), False),
    ],
)
def test_orders_to_stop_are_no_failures(error, ours):
    assert is_failure(error) is ours


def test_deadline_counts_down_to_zero(clock):
    deadline = Deadline.after(250.0, clock)
    assert deadline.left() == pytest.approx(0.25)
    clock.now += 0.2
    assert deadline.left() == pytest.approx(0.05)
    clock.now += 9.0
    assert deadline.left() == 0.0


def test_cancelled_deadline_is_past_and_says_so_once_to_all_who_asked(clock):
    deadline, told = Deadline.after(250.0, clock), []
    deadline.on_cancel(lambda: told.append("before"))
    deadline.on_cancel(lambda: told.append("too"))
    assert (deadline.left(), told) == (0.25, [])
    deadline.cancel()
    assert (deadline.left(), told) == (0.0, ["before", "too"])
    deadline.on_cancel(lambda: told.append("after"))
    deadline.cancel()
    assert told == ["before", "too", "after"]


@pytest.fixture
def worker():
    worker = Worker(threads=1, queue_limit=2)
    yield worker
    worker.close()


def test_queue_is_bounded_and_drains(worker, held):
    tasks = [worker.submit(held) for _ in range(3)]
    with pytest.raises(QueueFull, match="2 requests are waiting"):
        worker.submit(held)
    held.release()
    wait_for(tasks)
    assert worker.submit(lambda: 7).result() == 7


def test_cancelled_task_leaves_the_queue(worker, held):
    tasks = [worker.submit(held) for _ in range(3)]
    assert tasks[2].cancel()
    assert not worker.submit(held).done()


def test_failed_tasks_leave_the_queue(worker):
    for _ in range(10):
        assert isinstance(worker.submit(lambda: 1 / 0).exception(), ZeroDivisionError)


def test_task_that_could_not_be_queued_takes_no_room(worker, monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("concurrent.futures.ThreadPoolExecutor.submit", refuse)
        for _ in range(10):
            with pytest.raises(RuntimeError, match="new thread"):
                worker.submit(lambda: 7)
    assert worker.submit(lambda: 7).result() == 7


def test_close_cancels_what_waits_and_the_next_task_starts_anew(worker, held):
    running, waiting = worker.submit(held), worker.submit(lambda: 7)
    held.wait_until_begun()
    worker.close()
    assert waiting.cancelled()
    assert not running.cancelled()
    assert worker.submit(lambda: 8).result() == 8
    worker.close()
    worker.close()


def test_threads_can_be_told_from_those_of_others(worker):
    assert worker.submit(lambda: threading.current_thread().name).result().startswith("pas_")


def test_threads_run_side_by_side(held):
    worker = Worker(threads=2, queue_limit=1)
    task = worker.submit(held)
    assert worker.submit(lambda: 7).result() == 7
    assert not task.done()
    worker.close()
