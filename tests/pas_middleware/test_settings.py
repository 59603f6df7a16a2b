import math
from dataclasses import FrozenInstanceError

import pytest

from pas_middleware import PAS, Breaker, ConfigError, ScriptedModel, Settings

REFUSED = [
    ("max_words", 0),
    ("max_words", 31),
    ("max_words", 12.5),
    ("max_words", True),
    ("max_words", "30"),
    ("deadline_ms", 0),
    ("deadline_ms", -5.0),
    ("deadline_ms", 600_001),
    ("deadline_ms", math.nan),
    ("deadline_ms", math.inf),
    ("max_input_chars", 0),
    ("max_input_chars", 1.5),
    ("separator", ""),
    ("separator", None),
    ("separator", b"\n"),
    ("on_error", "ignore"),
    ("on_error", None),
    ("languages", ()),
    ("languages", "en"),
    ("languages", ["en"]),
    ("languages", ("en", "")),
    ("languages", (1,)),
    ("cache_entries", -1),
    ("cache_entries", 0.5),
    ("queue_limit", 0),
    ("queue_limit", math.nan),
    ("breaker", None),
    ("breaker", 5),
    ("sample_rate", -0.1),
    ("sample_rate", 1.1),
    ("sample_rate", math.nan),
    ("sample_rate", True),
    ("shadow", 1),
    ("shadow", "yes"),
]


def test_defaults_are_the_documented_ones():
    assert Settings() == Settings(
        max_words=30,
        deadline_ms=None,
        max_input_chars=32_768,
        separator="\n\n",
        on_error="passthrough",
        languages=None,
        cache_entries=1_024,
        queue_limit=64,
        breaker=Breaker(failures=5, window_s=20.0, open_s=60.0),
        sample_rate=1.0,
        shadow=False,
    )


@pytest.mark.parametrize(("field", "value"), REFUSED, ids=lambda v: repr(v))
def test_unusable_value_is_refused_by_name(field, value):
    with pytest.raises(ConfigError) as caught:
        Settings(**{field: value})
    assert f"{field} is {value!r};" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("field", "value"), [("failures", 0), ("failures", 2.5), ("window_s", 0), ("open_s", -1), ("open_s", math.inf)]
)
def test_unusable_breaker_is_refused_by_name(field, value):
    with pytest.raises(ConfigError, match=rf"breaker\.{field} is"):
        Breaker(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_words", 1), ("deadline_ms", 1), ("deadline_ms", 0.5e6), ("cache_entries", 0), ("sample_rate", 0)],
)
def test_edges_of_the_ranges_are_allowed(field, value):
    assert getattr(Settings(**{field: value}), field) == value


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Settings().max_words = 3


def test_language_that_the_model_does_not_know_is_refused():
    with pytest.raises(ConfigError, match="languages has 'fr'"):
        PAS(ScriptedModel(), Settings(languages=("en", "fr")))
