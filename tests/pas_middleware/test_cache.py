import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pas_middleware.cache import LRU


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Let threads alternate as often as they can, so that a missing lock shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_unknown_key_is_none():
    assert LRU[int](2).get("a") is None


def test_least_recently_used_is_dropped():
    cache = LRU[int](2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    assert len(cache) == 2


def test_putting_again_replaces_and_refreshes():
    cache = LRU[int](2)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        cache.put(key, value)
    assert cache.keys() == ("a", "c")
    assert cache.get("a") == 3


def test_no_entries_keeps_nothing():
    cache = LRU[int](0)
    cache.put("a", 1)
    assert (len(cache), cache.get("a")) == (0, None)


@pytest.mark.usefixtures("eager_switching")
def test_bound_holds_between_threads():
    cache = LRU[int](8)

    def work(number: int) -> None:
        for step in range(300):
            cache.put(str((number * 7 + step) % 40), step)
            cache.get(str(step % 40))
            assert len(cache.keys()) <= 8

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(cache) == 8
