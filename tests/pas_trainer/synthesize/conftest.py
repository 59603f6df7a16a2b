"""Prompts that tests of the synthesis share."""

import pytest
from synthesis import write_rows

from pas_trainer.testing.golden import pairs


def mixed(count):
    """Return rows, every fourth with a complement that is wrong at first."""
    known = [pair for pair in pairs().values() if pair["complement"] and not pair.get("flaw")]
    wrong = [pair for pair in pairs().values() if pair["complement"] and pair.get("flaw")]
    chosen = [wrong[n // 4] if n % 4 == 3 else known[n] for n in range(count)]
    return [{"id": f"row-{n}", **{k: p[k] for k in ("prompt", "category", "language")}} for n, p in enumerate(chosen)]


@pytest.fixture
def prompts(tmp_path):
    """Twenty prompts."""
    return write_rows(tmp_path / "prompts.jsonl", mixed(20))


@pytest.fixture
def more_prompts(tmp_path):
    """Forty prompts."""
    return write_rows(tmp_path / "prompts.jsonl", mixed(40))
