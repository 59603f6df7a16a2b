"""The data that ships with the trainer: every complement passes the guard, and nothing held out is trained on."""

import json
import re
from collections import Counter

import pytest

from pas_middleware import guard
from pas_trainer.mini import examples
from pas_trainer.mini.examples import DATA, LEFT_ALONE, HeldOut, read_jsonl

CATEGORIES = {
    "advice", "analysis", "brainstorming", "coding", "conversation", "extraction", "knowledge_qa", "math",
    "open_qa", "reasoning", "rewriting", "summarization", "translation", "writing",
}  # fmt: skip
CONSTRAINTS = {"brief", "bare", "format", "count", "no_material"}
BANK = examples.bank_rows()
HELD_OUT = HeldOut.read()
#: The mission's riddle in any wording: birds on something, and a shot.
BIRDS = re.compile(r"birds?\b.*\b(tree|branch|wire|fence)|(鸟|麻雀|鸽子).{0,20}(打死|开枪|射|枪)", re.I | re.S)


def training_prompts():
    return [e.prompt for e in examples.all_examples() if e.split == "train"]


@pytest.mark.parametrize("row", BANK.values(), ids=BANK)
def test_intent_is_complete(row):
    assert row["id"].split(".")[0] == row["category"]
    assert row["category"] in CATEGORIES
    assert row["description"]
    for language in ("en", "zh"):
        assert len(row["prompts"][language]) >= 20
        variants = row["complements"][language]
        if row["id"] in LEFT_ALONE:
            assert not variants
            continue
        assert sum(v["safe"] for v in variants) == 1
        assert all(set(v["avoid"]) <= CONSTRAINTS for v in variants)


def test_every_category_has_general_advice():
    assert {f"{category}.general" for category in CATEGORIES} <= BANK.keys()


def test_guard_passes_every_complement():
    for row in BANK.values():
        for language, variants in row["complements"].items():
            for variant in variants:
                # 28 words: the frame counts two.
                whole = guard.check(variant["text"], "an unrelated prompt", max_words=28, prompt_language=language)
                assert whole == variant["text"]


def test_no_complement_serves_twice():
    texts = [v["text"] for row in BANK.values() for variants in row["complements"].values() for v in variants]
    assert [t for t, n in Counter(texts).items() if n > 1] == []


def test_gate_and_labels_name_intents_of_the_bank():
    named = [row["intent"] for row in read_jsonl(DATA / "gate.jsonl") if row["intent"]]
    for row in (*read_jsonl(DATA / "real_labels.jsonl"), *read_jsonl(DATA / "tricks.jsonl")):
        named += [row["best"], *row["also"], *filter(None, [row["wrong"]])]
    assert set(named) <= BANK.keys()


def test_held_out_set_is_what_the_docs_say():
    counts = Counter((row["set"], row["kind"], row["language"]) for row in HELD_OUT.rows)
    for language in ("en", "zh"):
        for name in ("development", "report"):
            assert counts[name, "riddle", language] == 1
            assert counts[name, "trick", language] == 20
            assert counts[name, "nothing", language] == 30
        for name in ("fresh", "final", "closing"):
            assert counts[name, "trick", language] == 20


def test_nothing_held_out_is_trained_on_exactly_or_nearly():
    prompts = training_prompts()
    held = {examples.normalized(row["prompt"]) for row in HELD_OUT.rows}
    assert len(prompts) > 10_000
    assert [p for p in prompts if examples.normalized(p) in held or HELD_OUT.resembles(p)] == []


def test_the_riddle_of_the_birds_is_in_no_data_file_but_the_held_out_one():
    files = [DATA / f"{name}.jsonl" for name in ("pairs", "gate", "tricks")]
    texts = [json.dumps(row, ensure_ascii=False) for path in files for row in read_jsonl(path)]
    texts += [prompt for row in BANK.values() for prompts in row["prompts"].values() for prompt in prompts]
    assert [text for text in texts if len(text) < 200 and BIRDS.search(text)] == []


def test_glosses_are_words_with_one_meaning_each():
    lines = (DATA / "glosses.tsv").read_text(encoding="utf-8").splitlines()
    words = [line.split("\t")[0] for line in lines]
    assert len(words) == len(set(words)) > 3_000
    for line in lines:
        word, gloss = line.split("\t")
        assert re.fullmatch("[\u4e00-\u9fff]+", word)
        assert re.fullmatch("[a-z0-9' ?-]+", gloss), line
