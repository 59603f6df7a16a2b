"""How fine-tuning is shown: parts that share nothing, and a measure that tells fitting complements from others."""

import pytest

from pas_trainer import nano_fits, nano_sft
from pas_trainer.mini.examples import normalized, read_jsonl


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    nano_sft.data(folder)
    return {file.stem: list(read_jsonl(file)) for file in folder.glob("*.jsonl")}


def distinct(rows, name):
    return {normalized(row[name]) for row in rows if row.get(name)}


def test_no_asked_prompt_was_seen_and_the_judge_reads_no_complement_that_is_learnt(parts):
    asked = distinct([row for name in nano_sft.ASKED for row in parts[name]], "prompt")
    seen = distinct([*parts["pairs"], *parts["prompts"]], "prompt")
    assert len(asked) > 1_000
    assert len(seen) > 5_000
    assert not asked & seen
    learnt, read = (distinct(parts[name], "complement") for name in ("pairs", "judge"))
    assert len(learnt) > 200
    assert len(read) > 1_000
    assert not learnt & read
    assert not distinct(parts["ask-pairs"], "complement") & (learnt | read)


def test_the_judge_and_the_questions_know_every_category(parts):
    categories = {row["category"] for row in parts["pairs"]}
    assert len(categories) == 14
    for name in ("judge", *nano_sft.ASKED):
        assert {row["category"] for row in parts[name]} == categories


def test_right_complements_fit_and_the_same_for_all_do_not():
    wanted = ["math", "math", "coding", "advice"]
    judge = {"sum": "math", "code": "coding", "talk": "advice"}

    def said(texts):
        return [judge.get(text, "math") for text in texts]

    right = nano_fits.fits(wanted, ["sum", "sum", "code", "talk"], "sum", said)
    assert right["sft"]["value"] == 1
    assert right["shuffled"]["value"] == pytest.approx((2 * 2 / 4 + 1 / 4 + 1 / 4) / 4)
    assert right["commonest"]["value"] == 0.5
    assert right["sft-shuffled"]["low"] > 0
    one = nano_fits.fits(wanted, ["code"] * 4, "sum", said)
    assert one["sft"]["value"] == one["shuffled"]["value"] == 0.25
    assert one["sft-shuffled"] == {"value": 0, "low": 0, "high": 0}
    none = nano_fits.fits(wanted, [""] * 4, "sum", said)
    assert none["sft"]["value"] == 0


def test_the_judge_puts_complements_that_it_never_read_into_their_category(parts):
    names = ("math", "translation", "coding")
    rows = [row for name in names for row in [row for row in parts["judge"] if row["category"] == name][:30]]
    judge = nano_fits.judge_of([row for place, row in enumerate(rows) if place % 3])
    held = rows[::3]
    right = [said == row["category"] for said, row in zip(judge([r["complement"] for r in held]), held, strict=True)]
    assert sum(right) / len(right) > 0.6
