"""The published benchmarks' data, where they lie beside the checkout."""

import pytest

from published import EVAL


@pytest.fixture(scope="session")
def published():
    if not EVAL.exists():
        pytest.skip(f"needs the benchmarks' data in {EVAL}")
    return EVAL
