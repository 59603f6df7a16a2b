"""The golden examples that ship, and one's own."""

import json

import pytest

from pas_middleware import guard
from pas_middleware.errors import ConfigError
from pas_trainer.synthesize import GoldenSet
from pas_trainer.synthesize.golden import FLAWS
from pas_trainer.testing.golden import pairs

OURS = GoldenSet.read()
ROW = {"prompt": "hi", "complement": "Greet back.", "category": "chat", "language": "en"}
WRONG = {**ROW, "bad_complement": "Say hello.", "flaw": "answers", "reason": "It is the answer."}


def test_every_category_of_the_pairs_has_about_ten_in_both_languages():
    assert set(OURS.categories) == {pair["category"] for pair in pairs().values()}
    for category in OURS.categories:
        mine = [example for example in OURS.examples if example.category == category]
        assert 9 <= len(mine) <= 11
        assert {example.language for example in mine} == {"en", "zh"}
        assert sum(bool(example.flaw) for example in mine) >= 3
    assert {example.flaw for example in OURS.examples} == {*FLAWS, ""}
    assert sum(not example.complement for example in OURS.examples) >= 14


@pytest.mark.parametrize("example", [pytest.param(each, id=each.prompt[:30]) for each in OURS.examples])
def test_every_right_complement_may_leave_the_model(example):
    assert example.prompt in pairs()
    if example.complement:
        checked = guard.check(example.complement, example.prompt, max_words=30, prompt_language=example.language)
        assert checked == example.complement


def test_shots_are_of_the_category_and_first_in_the_language():
    shots = OURS.shots("math", "zh", 5)
    assert len(shots) == 5
    assert {shot.category for shot in shots} == {"math"}
    assert [shot.language for shot in shots[:4]] == ["zh"] * 4
    assert "" in [shot.complement for shot in OURS.shots("math", "zh", 2)]


def test_a_category_without_examples_gets_some_of_the_others():
    assert len({shot.category for shot in OURS.shots("astrology", "en", 5)}) >= 2


def test_wrong_ones_show_the_category_first_and_then_other_flaws():
    wrong = OURS.wrong("coding", "en", 8)
    assert wrong[0].category == "coding"
    assert {each.flaw for each in wrong} == set(FLAWS)


def test_ones_own_set_brings_its_categories(tmp_path):
    (tmp_path / "g.jsonl").write_text(json.dumps(ROW) + "\n\n" + json.dumps(WRONG) + "\n")
    mine = GoldenSet.read(tmp_path / "g.jsonl")
    assert mine.categories == ("chat",)
    assert mine.digest != OURS.digest


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("not json", "line 1: not a golden example"),
        ({**ROW, "note": "x"}, "note"),
        ({"prompt": "hi"}, "complement"),
        ({**ROW, "prompt": " "}, "prompt is empty"),
        ({**ROW, "category": None}, "category is None"),
        ({**WRONG, "flaw": "boring"}, "boring"),
        ({**ROW, "flaw": "answers"}, "wrong complement needs"),
        ({**ROW, "complement": "word " * 31}, "longer than 30"),
        (ROW, "no wrong complement"),
    ],
)
def test_a_row_that_is_no_example_is_named(tmp_path, row, message):
    file = tmp_path / "g.jsonl"
    file.write_text(row if isinstance(row, str) else json.dumps(row))
    with pytest.raises(ConfigError, match=message):
        GoldenSet.read(file)


def test_a_set_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        GoldenSet.read(tmp_path / "nowhere.jsonl")
