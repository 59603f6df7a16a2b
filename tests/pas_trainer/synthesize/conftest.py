"""Prompts that tests of the synthesis share."""

import pytest
from synthesis import write_rows

from pas_trainer.testing.golden import pairs


@pytest.fixture
def prompts(tmp_path):
    """Forty prompts, every fourth with a complement that is wrong at first."""
    known = [pair for pair in pairs().values() if pair["complement"] and not pair.get("flaw")][:30]
    wrong = [pair for pair in pairs().values() if pair["complement"] and pair.get("flaw")][:10]
    mixed = [pair for n in range(10) for pair in (*known[3 * n : 3 * n + 3], wrong[n])]
    rows = [{"id": f"row-{n}", **{k: p[k] for k in ("prompt", "category", "language")}} for n, p in enumerate(mixed)]
    return write_rows(tmp_path / "prompts.jsonl", rows)
