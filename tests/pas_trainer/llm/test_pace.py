"""When to ask again: what a response asks for, and that it holds everybody back."""

from email.utils import formatdate

import pytest

from pas_trainer.llm.pace import Pace, growing, retry_after


class Clock:
    def __init__(self):
        self.now, self.slept = 0.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "100000"}, 120),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "soon"}, None),
        ({}, None),
        ({"retry-after": formatdate(0, usegmt=True)}, 0),
    ],
)
def test_what_a_response_asks_to_wait(headers, seconds):
    assert retry_after(headers) == seconds


def test_the_wait_that_nobody_asked_for_grows_to_thirty_seconds():
    assert [growing(attempt) for attempt in (0, 2, 99)] == [0.5, 2, 30]


def test_a_date_is_understood(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    assert retry_after({"retry-after": formatdate(1_000_030, usegmt=True)}) == 30


def test_one_429_holds_everybody_back():
    clock = Clock()
    pace = Pace(clock.sleep, clock)
    pace.enter()
    assert clock.slept == []
    pace.shut(10)
    pace.enter()
    assert 10 <= clock.now <= 12.5
    pace.enter()
    assert len(clock.slept) == 1


def test_back_off_doubles_with_jitter_and_ends_at_thirty_seconds():
    clock = Clock()
    pace = Pace(clock.sleep, clock)
    for attempt in range(12):
        pace.back_off(attempt)
    for attempt, slept in enumerate(clock.slept):
        most = min(30, 0.5 * 2**attempt)
        assert most / 2 <= slept <= most
    assert len(set(clock.slept)) == 12


def test_silence_is_counted_from_the_last_answer():
    clock = Clock()
    pace = Pace(clock.sleep, clock)
    clock.now = 5
    assert pace.silent_s() == 5
    pace.answered()
    assert pace.silent_s() == 0
