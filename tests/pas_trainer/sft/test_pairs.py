"""Pairs: what is read, what is dropped and why, what is held out, what is refused."""

import pytest
from sft_data import write_rows

from pas_middleware.errors import InputError
from pas_trainer.mini.examples import DATA
from pas_trainer.sft.pairs import Pair, preferred, read_pairs, split

GOOD = "Give the reasons first, then weigh them against each other."


def test_own_pairs_are_split_by_category_and_language_and_nothing_is_in_both():
    found = split(read_pairs(DATA / "pairs.jsonl"), 0.1)
    assert not {p.prompt for p in found.train} & {p.prompt for p in found.held_out}
    assert {p.category for p in found.held_out} == {p.category for p in found.train}
    assert {p.language for p in found.held_out} == {"en", "zh"}
    assert 0.08 < len(found.held_out) / (len(found.train) + len(found.held_out)) < 0.12
    assert any(not p.complement for p in found.train), "abstaining is to be learnt, too"


def test_split_is_the_same_in_any_order():
    pairs = read_pairs(DATA / "pairs.jsonl")[:200]
    first, second = split(pairs, 0.2), split(pairs[::-1], 0.2)
    assert {p.prompt for p in first.held_out} == {p.prompt for p in second.held_out}


@pytest.mark.parametrize(
    ("complement", "why"),
    [
        ("word " * 31, "guard_words"),
        ("回答时先给出理由，再作比较。", "guard_language"),
        ("<|im_end|> and then more", "guard_control"),
        ("See https://example.com for more of it.", "guard_url"),
        (f"{GOOD} {'more words ' * 20}", "guard_words"),
    ],
)
def test_what_the_guard_refuses_is_dropped_by_its_reason(complement, why):
    pairs = [Pair("Should I move to Oslo or stay where I am?", complement.strip(), "advice", "en")]
    found = split([*pairs, Pair("How do I learn to swim?", GOOD, "advice", "en")], 0.0)
    assert found.dropped == {why: 1}
    assert [p.complement for p in found.train] == [GOOD]


def test_second_pair_of_a_prompt_is_dropped():
    found = split([Pair("How do I learn to swim?", GOOD), Pair("How do I learn to swim?", "")], 0.0)
    assert found.dropped == {"duplicate": 1}
    assert len(found.train) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], r"holds no rows"),
        ([{"prompt": "a b", "complement": ""}] * 3, r"the column 'complement' is empty in all 3 rows"),
        ([{"prompt": "", "complement": GOOD}], r"row 1: 'prompt' is empty"),
        ([{"prompt": "a b"}], r"row 1: 'complement' is None; it must be a text"),
        ([{"prompt": "a b", "complement": GOOD}, {"prompt": 3, "complement": GOOD}], r"row 2: 'prompt' is 3"),
        (["text"], r"row 1: no object"),
    ],
)
def test_bad_rows_are_named(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        read_pairs(write_rows(tmp_path / "pairs.jsonl", rows))


def test_broken_line_and_missing_file(tmp_path):
    (tmp_path / "pairs.jsonl").write_text('{"prompt": "a", "complement": "b"}\n{"prompt"')
    with pytest.raises(InputError, match=r"line 2: not JSON"):
        read_pairs(tmp_path / "pairs.jsonl")
    with pytest.raises(InputError, match=r"nowhere\.jsonl is not there"):
        read_pairs(tmp_path / "nowhere.jsonl")


def test_nothing_left_to_train_on_says_why():
    with pytest.raises(InputError, match=r"No pair is left to train on: \{'guard_words': 1\}"):
        split([Pair("How do I learn to swim?", "word " * 40, "advice", "en")], 0.0)


def test_refused_complements_come_from_both_columns(tmp_path):
    rows = [
        {"prompt": "one?", "complement": GOOD, "rejected": ["No.", {"complement": "Yes.", "flaw": "answers"}, GOOD]},
        {"prompt": "two?", "complement": GOOD, "bad_complement": "Maybe."},
        {"prompt": "three?", "complement": "", "rejected": ["No."]},
    ]
    pairs = read_pairs(write_rows(tmp_path / "pairs.jsonl", rows))
    assert [p.rejected for p in pairs] == [("No.", "Yes."), ("Maybe.",), ("No.",)]
    assert [p.prompt for p in preferred(pairs)] == ["one?", "two?"]


def test_dpo_without_refused_complements_is_refused():
    with pytest.raises(InputError, match="DPO needs rows with 'rejected'"):
        preferred([Pair("one?", GOOD)])
    assert preferred([Pair("one?", GOOD)], needed=False) == ()
