import os
from collections.abc import Iterator

import pytest

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # read when litellm is imported; it asks the network otherwise

from litellm_upstream import Upstream, serve

from pas_middleware import PAS

ASK = "Plan a weekend in Lisbon with two kids"


@pytest.fixture(scope="module")
def served() -> Iterator[Upstream]:
    with serve() as upstream:
        yield upstream


@pytest.fixture
def asked(served: Upstream) -> list:
    served.asked.clear()
    return served.asked


@pytest.fixture(scope="package")
def insertion() -> str:
    with PAS.load() as pas:
        result = pas.augment(ASK)
    assert result.applied
    return result.insertion
