"""Which of the processes of a distributed launch this one is."""

from __future__ import annotations

import os


def is_first() -> bool:
    """Tell whether this process is the one that writes: the first of a distributed launch, or the only one."""
    return int(os.environ.get("RANK", "0")) == 0
