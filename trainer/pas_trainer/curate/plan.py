"""What a curation would do, counted without writing anything."""

from __future__ import annotations

from typing import Any

from . import cleaning, judge, reading
from .engine import Local
from .run import Curation
from .table import texts


def dry_run(curation: Curation) -> dict[str, Any]:
    """Return how many prompts there are and are clean and distinct, and what the LLM would cost at most for them."""
    curation.stage()  # that sources and benchmarks are there
    raw = reading.read(curation.reading)
    clean = cleaning.clean(raw.kept, curation.cleaning, Local())
    distinct = texts(cleaning.equal_ones(clean.kept, curation.cleaning, Local()).kept)
    found: dict[str, Any] = {
        "read": len(raw.kept),
        "broken_rows": len(raw.rejected),
        "clean": len(clean.kept),
        "distinct": len(distinct),
        "selected_at_most": min(curation.count, len(distinct)),
    }
    if curation.judging is not None:
        # Later steps remove more: this is the most that will be asked.
        asked = distinct[: curation.judging.sample or None]
        estimate = judge.estimate(asked, curation.judging.endpoint)
        found |= {"calls_at_most": estimate.calls, "usd_at_most": round(estimate.usd, 4)}
    return found
