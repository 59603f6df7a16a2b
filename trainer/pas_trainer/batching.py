"""How an encoder takes many texts: those of like length together, on the processors that it may use."""

from __future__ import annotations

import os
from collections.abc import Sequence

#: Tokens of a batch, padding included: with more, what lies between two layers leaves the processor's cache.
_TOKENS = 1024


def batches(lengths: Sequence[int]) -> list[list[int]]:
    """Return the places of texts of these many tokens in batches, the shortest texts first."""
    found: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        # The last text is the longest: all of its batch are padded to it.
        if not found or (len(found[-1]) + 1) * lengths[place] > _TOKENS:
            found.append([])
        found[-1].append(place)
    return found


def processors() -> int:
    """Return how many processors this process may use: in a task on Ray as many as the task was given."""
    # Ray says it to the libraries of a task, torch among them, in this variable.
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and given != "0":
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
