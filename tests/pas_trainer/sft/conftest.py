"""A base made in the test, and pairs of the project's own."""

from collections import Counter
from pathlib import Path

import pytest
from sft_data import write_rows

import nano_models
from pas_trainer import nano


@pytest.fixture(scope="session")
def base(tmp_path_factory) -> Path:
    """A model with chat tokens and next to no training."""
    folder = tmp_path_factory.mktemp("sft") / "base"
    nano.train(folder, nano_models.known_pairs(), nano_models.SIZE, epochs=1)
    (folder / "pas_template.txt").unlink()
    return folder


@pytest.fixture(scope="session")
def pairs_file(tmp_path_factory) -> Path:
    # Two of each category and language have a refused complement, so that both objectives find some to hold out.
    rows = sorted(nano.pairs(2000), key=lambda row: "bad_complement" not in row)
    seen = Counter()
    rows = [row for row in rows if seen.update([row["category"]]) or seen[row["category"]] <= 6]
    rows = [row for row in rows if row["category"] in ("advice", "coding", "math", "open_qa", "writing")]
    rows.append({"prompt": "hi", "complement": "", "category": "conversation", "language": "en"})
    return write_rows(tmp_path_factory.mktemp("pairs") / "pairs.jsonl", rows)
