"""Where the published benchmarks' data lie, beside the checkout, and how to read their tables."""

import csv
import gzip
from pathlib import Path

EVAL = Path(__file__).parents[2] / "shared" / "data" / "eval"


def table(path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
