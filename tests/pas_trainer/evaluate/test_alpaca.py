"""AlpacaEval's figures on cases small enough to be worked out by hand."""

import math
import sys
import types

import numpy as np
import pytest

from pas_middleware.errors import InputError
from pas_trainer.evaluate import alpaca, fits

HEADER = "model,preference,index,std_delta_len,instruction_difficulty,not_gamed_baseline\n"


def test_win_rate_standard_error_and_discrete_rate():
    found = alpaca.win_rate([0.0, 0.5, 0.9, 1.0])
    # Mean 0.6; squares of the distances 0.36, 0.01, 0.09, 0.16, over 3: spread 0.4546, over the root of 4: 0.2273.
    assert found.win_rate == pytest.approx(60)
    assert found.standard_error == pytest.approx(100 * math.sqrt(0.62 / 3) / 2)
    assert found.discrete == pytest.approx(62.5)  # a tie and two wins of four
    assert found.n == 4


def test_upstreams_preferences_run_from_one_to_two_and_nought_is_a_draw():
    assert alpaca.from_upstream([1, 1.25, 2, 0]).tolist() == [0.0, 0.25, 1.0, 0.5]


@pytest.mark.parametrize("value", [float("nan"), 2.5, 0.7])
def test_a_preference_that_is_none_is_an_error_that_names_the_row(value):
    with pytest.raises(InputError, match="row 1"):
        alpaca.from_upstream([1.0, value])


def test_no_preference_is_an_error():
    with pytest.raises(InputError, match="no preference"):
        alpaca.win_rate([])


def test_at_equal_lengths_the_rate_is_the_raw_one():
    found = alpaca.length_controlled([0.8] * 40, [100] * 40, [100] * 40)
    assert found.value == pytest.approx(80, abs=0.1)


def test_wins_by_length_alone_are_taken_out():
    # 30 longer answers win at 0.8, 10 shorter ones at 0.2: 65 raw, and the logits are ±1.386 at lengths of ±tanh(d).
    preferences, model = [0.8] * 30 + [0.2] * 10, [300] * 30 + [100] * 10
    assert alpaca.win_rate(preferences).win_rate == pytest.approx(65)
    assert alpaca.length_controlled(preferences, [200] * 40, model).value == pytest.approx(50, abs=0.1)


def test_a_few_questions_of_ones_own_are_not_pulled_to_fifty():
    # 6 of 8 at equal lengths; the interval is that of the share, not of a fit that holds back.
    found = alpaca.length_controlled([1.0] * 6 + [0.0] * 2, [9] * 8, [9] * 8)
    assert found.value == pytest.approx(75, abs=0.1)
    assert found.again(np.array([0, 1, 2, 3, 6, 6, 7, 7])) == pytest.approx(50, abs=0.1)


def test_the_package_and_our_fit_agree(monkeypatch):
    monkeypatch.setitem(sys.modules, "pkg_resources", types.ModuleType("pkg_resources"))
    pytest.importorskip("alpaca_eval.metrics.glm_winrate")
    random = np.random.default_rng(0)
    design = fits.Design(random.normal(size=(60, 3)), random.uniform(size=60), np.ones(60))
    own, theirs = fits.own_fit(design), fits.package_fit(design)
    assert own.strength == pytest.approx(theirs.strength)
    assert own.weights == pytest.approx(theirs.weights, abs=1e-6)


def test_drawing_every_question_once_is_the_rate_itself():
    found = alpaca.length_controlled([0.8, 0.3, 0.6, 0.9, 0.1, 0.7], [9, 8, 7, 6, 5, 4], [4, 9, 7, 3, 8, 6])
    assert found.again(np.arange(6)) == pytest.approx(found.value, abs=1e-6)
    assert found.again(np.array([0, 0, 3, 3, 5, 5])) > found.value  # only the better halves


def test_lengths_that_do_not_match_are_an_error():
    with pytest.raises(InputError, match="6 preferences, 5 baseline and 6 model lengths"):
        alpaca.length_controlled([0.5] * 6, [1] * 5, [1] * 6)


def test_too_few_rows_to_fit_are_an_error():
    with pytest.raises(InputError, match="at least 5 questions"):
        alpaca.length_controlled([0.5] * 4, [1] * 4, [1] * 4)


def test_controls_are_read_and_looked_up_by_row(tmp_path):
    path = tmp_path / "df_gamed.csv"
    rows = [f"{m},0.{4 + i},{i},{i - 1},{i / 10},False\n" for m in "ab" for i in range(6)]
    path.write_text(HEADER + "".join(rows))
    controls = alpaca.Controls.read(path)
    assert controls.difficulty == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert controls.gamed[0] == pytest.approx([math.tanh(-1), 0, 0])
    found = alpaca.length_controlled([0.6] * 5, [5] * 5, [4] * 5, controls, rows=[0, 1, 2, 4, 5])
    assert found.design.features[-5:, 1] == pytest.approx([0, 0.1, 0.2, 0.4, 0.5])
    assert found.design.weights.tolist() == [0.1] * 12 + [1.0] * 5


def test_more_rows_than_difficulties_are_an_error(tmp_path):
    path = tmp_path / "df_gamed.csv"
    path.write_text(HEADER + "a,0.5,0,0.1,0.2,False\n")
    with pytest.raises(InputError, match="Row 4 has no difficulty"):
        alpaca.length_controlled([0.6] * 5, [5] * 5, [4] * 5, alpaca.Controls.read(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model,preference\na,0.5\n", "is no df_gamed.csv"),
        (HEADER, "holds no row"),
        (HEADER + "a,much,0,0,0,False\n", "is no df_gamed.csv"),
        (HEADER + "a,0.5,7,0,0,False\n", "does not count the questions from 0"),
    ],
)
def test_a_file_that_is_no_df_gamed_is_an_error(tmp_path, text, said):
    path = tmp_path / "df_gamed.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        alpaca.Controls.read(path)


def test_a_missing_df_gamed_is_an_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        alpaca.Controls.read(tmp_path / "none.csv")
