from collections.abc import Iterator

import pytest
from litellm_upstream import Upstream, serve

from pas_middleware import PAS, Settings

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
    with PAS.load(settings=Settings(deadline_ms=60_000)) as pas:
        result = pas.augment(ASK)
    assert result.applied
    return result.insertion
