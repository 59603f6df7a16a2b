"""Verdicts and Bradley–Terry scores on cases small enough to be worked out by hand."""

import pytest

from pas_middleware.errors import InputError
from pas_trainer.evaluate import arena
from pas_trainer.evaluate.verdicts import outcome, parse_verdict


def judged(*verdicts, question="q"):
    return [{"id": f"{question}{i // 2}", "game": i % 2 + 1, "verdict": v} for i, v in enumerate(verdicts)]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("I weighed both. My final verdict is: [[B>>A]]", "B>>A"),
        ("[[A=B]] … so again [[A=B]]", "A=B"),
        ("[[A>B]] no, [[B>A]]", None),
        ("A is better", None),
        ("[[A]]", None),
        ("[[a>b]]", None),
        ("", None),
    ],
)
def test_verdicts_of_the_first_generation(text, verdict):
    assert parse_verdict(text) == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("[[A>B]] no, [[B>A]]", "B>A"),
        ("[[a>>b]]", "A>>B"),
        ("Final: [B>A]", "B>A"),
        ("[[B<<A]]", "A>>B"),
        ("[[A<B]]", "B>A"),
        ("[[AB]]", None),
        ("I cannot judge this.", None),
    ],
)
def test_verdicts_of_the_second_generation(text, verdict):
    assert parse_verdict(text, "v2.0") == verdict


def test_in_the_second_game_the_answer_stood_first():
    assert outcome("B>>A", 1) == (1.0, 3)
    assert outcome("B>>A", 2) == (0.0, 3)
    assert outcome("A=B", 2) == (0.5, 1)


def test_a_decisive_verdict_counts_three_times_and_a_tie_half():
    # Won decisively (3 of 3), tied (0.5 of 1): 3.5 of 4.
    assert arena.score(arena.games_of(judged("B>>A", "A=B"))) == pytest.approx(87.5)
    # Lost (0 of 1), and first in game 2 and better: 1 of 1.
    assert arena.score(arena.games_of(judged("A>B", "A>B"))) == pytest.approx(50)


def test_games_without_a_verdict_are_left_out():
    games = arena.games_of(judged("B>A", None))
    assert len(games) == 1
    assert arena.score(games) == 100


def test_nothing_judged_is_an_error():
    with pytest.raises(InputError, match="no game with a verdict"):
        arena.score([])


def test_interval_of_questions_that_all_agree_is_a_point():
    found = arena.scored(arena.games_of(judged(*["B>A", "A>B"] * 8)), rounds=50)
    assert (found.value, *found.ends) == (100, 100, 100)


def test_interval_covers_what_drawing_questions_gives():
    # 50 questions, half won twice and half lost twice: the share of 50 fair draws, 50 ± 1.96 · 7.07.
    games = arena.games_of(judged(*(["B>A", "A>B"] * 25 + ["A>B", "B>A"] * 25)))
    found = arena.scored(games, rounds=4000)
    assert found.value == 50
    assert found.ends == pytest.approx((50 - 1.96 * 7.07, 50 + 1.96 * 7.07), abs=1.5)


def test_a_leaderboard_survives_a_model_that_wins_every_game():
    games = {
        "best": arena.games_of(judged(*["B>A", "A>B"] * 30)),
        "even": arena.games_of(judged(*["B>A", "B>A"] * 30)),
    }
    found = arena.leaderboard(games, rounds=20)
    assert found["best"].value == 100
    assert 90 < found["best"].low <= found["best"].high <= 100
    assert found["even"].value == 50
