"""The fuzz targets on their seeds, on the seeds with bytes cut out and put in, and on noise."""

import os

import pytest
from fuzz_seeds import SEEDS, WORDS
from fuzz_targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("PAS_FUZZ_EXAMPLES", "500"))
PIECE = st.sampled_from(WORDS) | st.binary(max_size=6)


@st.composite
def spoilt(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        begin = draw(st.integers(0, len(data)))
        end = min(begin + draw(st.sampled_from((0, 0, 1, 2, 5, 30))), len(data))
        data = data[:begin] + draw(PIECE) * draw(st.sampled_from((1, 1, 1, 150))) + data[end:]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_pass(name):
    for seed in SEEDS[name]:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
def test_made_up_inputs_pass(name):
    # The databases of failures of all targets would be one.
    @settings(max_examples=EXAMPLES, deadline=None, database=None)
    @given(spoilt(SEEDS[name]) | st.binary(max_size=60))
    def run(data: bytes) -> None:
        TARGETS[name](data)

    run()
