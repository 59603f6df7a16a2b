"""Texts in batches of like length, on the processors at hand."""

import os

import pytest

from pas_trainer.batching import batches, processors


def test_batches_hold_every_text_once_and_bounded_padding():
    lengths = [300, 5, 128, 6, 5, 2000, *[128] * 9]
    found = batches(lengths)
    assert sorted(place for part in found for place in part) == list(range(len(lengths)))
    assert found[0][:3] == [1, 4, 3]
    assert found[-1] == [5]
    assert all(len(part) * max(lengths[place] for place in part) <= 1024 for part in found[:-1])
    assert batches([]) == []


@pytest.mark.parametrize(("given", "used"), [("3", 3), ("0", None), ("", None), ("many", None)])
def test_a_task_says_how_many_processors_it_has(monkeypatch, given, used):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert processors() == (used or len(os.sched_getaffinity(0)))
