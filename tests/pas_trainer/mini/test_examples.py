"""How examples are read, split and kept apart."""

import json

import pytest

from pas_trainer.mini import examples, real
from pas_trainer.mini.examples import Example, HeldOut, held_out


def written(n):
    return [Example(f"prompt number {i}", "en", intent="math.general", category="math", needs=True) for i in range(n)]


def test_split_has_the_shares_asked_for_and_loses_nothing():
    out = held_out(written(100), 0.20, 0.12)
    splits = [e.split for e in out]
    assert (splits.count("threshold"), splits.count("report"), splits.count("train")) == (20, 12, 68)
    assert {e.prompt for e in out} == {e.prompt for e in written(100)}


def test_split_depends_on_the_prompts_and_not_on_their_order():
    once = {e.prompt: e.split for e in held_out(written(50), 0.2, 0.2)}
    again = {e.prompt: e.split for e in held_out(reversed(written(50)), 0.2, 0.2)}
    assert once == again


def test_split_is_taken_within_each_intent_and_language():
    rows = [
        Example(f"{intent} {language} {i}", language, intent=intent)
        for intent in ("a.x", "b.y")
        for language in ("en", "zh")
        for i in range(10)
    ]
    out = held_out(rows, 0.2, 0.1)
    for intent in ("a.x", "b.y"):
        for language in ("en", "zh"):
            splits = [e.split for e in out if (e.intent, e.language) == (intent, language)]
            assert (splits.count("threshold"), splits.count("report")) == (2, 1)


def test_no_prompt_is_in_two_splits():
    rows = examples.all_examples()
    assert len({examples.normalized(e.prompt) or e.prompt for e in rows}) == len(rows)


def test_what_a_labelled_file_holds_out_is_not_trained_on_elsewhere():
    trained = next(e for e in examples.all_examples() if e.kind == "bank" and e.split == "train")
    labelled = [
        Example(
            f"{trained.prompt} {mark}", "en", intent=trained.intent, category=trained.category, kind="real", split=s
        )
        for mark, s in (("", "report"), ("?!", "train"))
    ]
    rows = examples.all_examples(labelled)
    mine = [e.split for e in rows if examples.normalized(e.prompt) == examples.normalized(trained.prompt)]
    assert mine == ["report"]


@pytest.mark.parametrize(
    "prompt",
    [
        "10 birds in a tree, one is shot dead, how many are on the ground?",
        "10 BIRDS in a tree; one is shot dead. How many are on the ground",
        "there are 10 birds in a tree, one is shot dead, how many on the ground?",
    ],
)
def test_near_copies_of_the_held_out_are_recognised(prompt):
    assert HeldOut.read().resembles(prompt)


@pytest.mark.parametrize("prompt", ["Plan a week of meals for a family of four", "一周食谱怎么安排"])
def test_other_prompts_are_not(prompt):
    assert not HeldOut.read().resembles(prompt)


def test_broken_line_is_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n\n{broken\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"rows\.jsonl, line 3: not JSON"):
        list(examples.read_jsonl(path))


def test_line_separators_inside_a_prompt_are_no_line_ends(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": "a\u2028b\x85c"}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert [row["prompt"] for row in examples.read_jsonl(path)] == ["a\u2028b\x85c"]


def test_labelled_file_without_a_key_is_named(tmp_path):
    path = tmp_path / "labelled.jsonl"
    path.write_text('{"prompt": "x", "best": "math.general"}\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"labelled\.jsonl, row 1: no 'also'"):
        real.labelled_rows(path)


def test_own_labels_find_their_prompts_in_any_file_of_a_folder(tmp_path, monkeypatch):
    labels = tmp_path / "labels.jsonl"
    wanted = {"sum": "Add these\n\n2 and 3", "why": "Why is the sky blue?"}
    labels.write_text(
        "".join(
            json.dumps({"sha256": real.fingerprint(p), "best": "math.general", "also": [], "wrong": None}) + "\n"
            for p in (*wanted.values(), "nowhere to be found")
        )
    )
    monkeypatch.setattr(real, "LABELS", labels)
    folder = tmp_path / "prompts" / "deeper"
    folder.mkdir(parents=True)
    (folder / "one.jsonl").write_text(json.dumps({"instruction": "Add these", "input": "2 and 3 "}) + "\n")
    (tmp_path / "prompts" / "two.csv").write_text("act,prompt\nx, Why is the sky blue? \n")
    assert [row["prompt"] for row in real.own_rows(tmp_path / "prompts")] == list(wanted.values())
