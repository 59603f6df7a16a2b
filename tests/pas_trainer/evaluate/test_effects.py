"""Effects, needed samples and style control, on cases small enough to be worked out by hand."""

import numpy as np
import pytest

from pas_trainer.evaluate.arena import Game
from pas_trainer.evaluate.effects import Drawn, Effect, drawn, mean, needed
from pas_trainer.evaluate.scores import pooled
from pas_trainer.evaluate.style import Style, StyledGame, style_controlled


def test_interval_of_a_mean_is_the_binomials():
    # 100 questions, half of them won: 50 ± 1.96 · 5.
    found = drawn(lambda sample: 100 * float((sample % 2).mean()), 100, rounds=4000)
    assert found.value == 50
    assert found.ends == pytest.approx((50 - 9.8, 50 + 9.8), abs=1)


def test_an_effect_is_drawn_on_the_same_questions_as_none():
    # Every question gains exactly 0.2, however different the questions are: no doubt about the difference.
    none = np.linspace(0, 0.8, 50)
    effect = Effect.of(mean(none + 0.2).minus(mean(none)), 50)
    assert (effect.value, effect.low, effect.high) == pytest.approx((20, 20, 20))


def test_needed_questions_for_a_power_of_four_in_five():
    # Standard error 5 points on 100 questions, an effect of 10: (2.8 · 5 / 10)² · 100 = 196.
    assert needed(10, 5, 100) == 196
    assert needed(-10, 5, 100) == 196
    assert needed(0, 5, 100) is None
    assert needed(90, 0.01, 100) == 2


def test_a_constant_may_be_what_is_compared_with():
    assert Drawn(60.0, np.array([58.0, 62.0])).minus(50.0).value == 10


def test_style_is_counted_outside_of_code():
    text = "# Title\n\n- one\n2. two\n**bold** and __bold__\n```\n# no title\n- none\n```"
    found = Style.of(text)
    assert (found.headers, found.lists, found.bolds) == (1, 2, 2)
    assert Style.of("").tokens == 1
    assert Style.of("今天好").tokens == 3


def test_many_small_categories_are_one():
    small = {f"cluster {i}": [2 * i, 2 * i + 1] for i in range(40)}
    found = pooled(small | {"large": list(range(100, 120))})
    assert {name: len(places) for name, places in found.items()} == {"large": 20, "others, under 10 each": 80}
    assert pooled({"a": [0], "b": [1, 2]}) == {"a": [0], "b": [1, 2]}


def styled(outcomes, tokens, start=0):
    base = Style(100, 0, 0, 0)
    games = (Game(f"q{start + i}", outcome, 1) for i, outcome in enumerate(outcomes))
    return [StyledGame(game, Style(tokens, 0, 0, 0), base) for game in games]


def test_wins_by_length_alone_are_taken_out():
    # Both models win 80 % when longer and 20 % when shorter; one is longer three times in four.
    long, short = [1.0] * 8 + [0.0] * 2, [1.0] * 2 + [0.0] * 8
    often = styled(long * 3, 200) + styled(short, 50, 30)
    seldom = styled(long, 200) + styled(short * 3, 50, 10)
    raw = [np.mean([g.game.outcome for g in games]) for games in (often, seldom)]
    assert raw == pytest.approx([0.65, 0.35])
    found = style_controlled({"often": often, "seldom": seldom}, rounds=20)
    assert found["often"].value == pytest.approx(found["seldom"].value, abs=0.1)
    assert found["often"].value == pytest.approx(50, abs=0.1)


def test_at_equal_style_the_score_is_the_raw_one():
    found = style_controlled({"m": styled([1.0] * 7 + [0.0] * 3, 100)}, rounds=50)["m"]
    assert found.value == pytest.approx(70, abs=0.01)
    low, high = found.ends
    assert low < 70 < high


def test_a_model_that_wins_every_game_has_a_finite_score():
    found = style_controlled({"m": styled([1.0] * 10, 150)}, rounds=5)["m"]
    assert 99 < found.value <= 100
