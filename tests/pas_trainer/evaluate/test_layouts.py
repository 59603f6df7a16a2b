"""Upstream's layouts, read and written, and what is wrong in a file named with its ids."""

import json

import pytest

from pas_middleware.errors import InputError
from pas_trainer.evaluate import alpaca_files, layouts
from pas_trainer.evaluate.layouts import Question
from scripted_eval import jsonl

STYLE = {"token_len": 3, "header_count": {"all": 0}, "list_count": {"all": 0}, "bold_count": {"all": 0}}
QUESTIONS = [Question("a", "Why?", "x"), Question("b", "How?", "y")]


def test_questions_of_both_layouts(tmp_path):
    old = {"question_id": "a", "category": "arena-hard-v0.1", "cluster": "x", "turns": [{"content": "Why?"}]}
    new = {"uid": "b", "category": "creative_writing", "prompt": "How?"}
    found = layouts.read_questions(jsonl(tmp_path / "q.jsonl", [old, new]))
    assert found == [Question("a", "Why?", "x"), Question("b", "How?", "creative_writing")]


def test_a_question_may_hold_a_line_separator(tmp_path):
    rows = [{"uid": "a", "prompt": "one\u2028two\u2029three\x85four"}, {"uid": "b", "prompt": "five"}]
    path = jsonl(tmp_path / "q.jsonl", rows)
    assert path.read_text(encoding="utf-8").count("\n") == 2
    assert [q.prompt for q in layouts.read_questions(path)] == [row["prompt"] for row in rows]


def test_own_prompts_need_no_id(tmp_path):
    found = layouts.read_questions(jsonl(tmp_path / "q.jsonl", [{"prompt": "Why?"}, {"prompt": "How?"}]))
    assert len({q.id for q in found}) == 2
    with pytest.raises(InputError, match="1 ids come twice"):
        layouts.read_questions(jsonl(tmp_path / "q.jsonl", [{"prompt": "Why?"}] * 2))


@pytest.mark.parametrize("generation", ["v0.1", "v2.0"])
def test_answers_are_read_as_they_were_written(tmp_path, generation):
    rows = [layouts.answer_row(q, "m", f"to {q.id}", STYLE, generation) for q in QUESTIONS]
    layouts.write_jsonl(tmp_path / "m.jsonl", rows)
    assert layouts.read_answers(tmp_path / "m.jsonl") == {"a": "to a", "b": "to b"}
    assert ("question_id" in rows[0]) == (generation == "v0.1")


@pytest.mark.parametrize("generation", ["v0.1", "v2.0"])
def test_judgements_are_read_as_they_were_written(tmp_path, generation):
    names = {"model": "m", "judge": "j", "baseline": "b"}
    games = [{"verdict": "A>>B", "judgment": "…"}, {"verdict": None, "judgment": ""}]
    layouts.write_jsonl(tmp_path / "j.jsonl", [layouts.judgement_row(QUESTIONS[0], names, games, generation)])
    found = layouts.read_judgements(tmp_path / "j.jsonl")
    assert [(g["id"], g["model"], g["game"], g["verdict"]) for g in found] == [
        ("a", "m", 1, "A>>B"),
        ("a", "m", 2, None),
    ]


def test_a_game_that_upstream_left_empty_has_no_verdict(tmp_path):
    row = {"uid": "a", "model": "m", "games": [None, {"score": "A<<B"}]}
    assert [g["verdict"] for g in layouts.read_judgements(jsonl(tmp_path / "j.jsonl", [row]))] == [None, "B>>A"]


def test_a_label_that_is_none_is_no_verdict(tmp_path):
    row = {"uid": "a", "model": "m", "games": [{"score": "A"}, {"score": "B>A"}]}
    assert [g["verdict"] for g in layouts.read_judgements(jsonl(tmp_path / "j.jsonl", [row]))] == [None, "B>A"]


def test_duplicated_ids_are_named(tmp_path):
    answers = jsonl(tmp_path / "a.jsonl", [{"id": i, "answer": "x"} for i in ("a", "b", "a")])
    with pytest.raises(InputError, match="1 ids come twice: a;"):
        layouts.read_answers(answers)
    games = [{"score": "A>B"}, {"score": "A>B"}]
    judgements = jsonl(tmp_path / "j.jsonl", [{"uid": "q", "model": "m", "games": games}] * 2)
    with pytest.raises(InputError, match="q of m"):
        layouts.read_judgements(judgements)


def test_missing_and_unknown_answers_are_named():
    with pytest.raises(InputError, match=r"no answer to 1 of 2 questions: b;.*1 others: c"):
        layouts.align(QUESTIONS, {"a": "", "c": ""}, "m.jsonl")


def test_many_ids_are_shortened():
    assert layouts.listed([str(i) for i in range(7)]) == "0, 1, 2, 3, 4 and 2 more"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"uid": "a"}], "row 1: no prompt"),
        ([{"uid": "a", "prompt": " "}], "row 1: no prompt"),
        ([{"uid": "a", "turns": [{"content": "x"}, {"content": "y"}]}], "2 turns"),
    ],
)
def test_a_question_without_a_prompt_is_an_error(tmp_path, rows, said):
    with pytest.raises(InputError, match=said):
        layouts.read_questions(jsonl(tmp_path / "q.jsonl", rows))


@pytest.mark.parametrize("text", ["", "{", "[]", '"a"\n', "[1]"])
def test_a_file_of_something_else_is_an_error(tmp_path, text):
    (tmp_path / "q.jsonl").write_text(text)
    with pytest.raises(InputError, match=r"q\.jsonl"):
        layouts.rows_of(tmp_path / "q.jsonl")


@pytest.mark.parametrize("row", [{"id": "a"}, {"answer": "x"}, {"id": "a", "choices": []}, {"id": "a", "answer": None}])
def test_an_answer_without_text_or_id_is_an_error(tmp_path, row):
    with pytest.raises(InputError, match="row 1: no id or no answer"):
        layouts.read_answers(jsonl(tmp_path / "a.jsonl", [row]))


def test_outputs_of_other_questions_are_named(tmp_path):
    path = tmp_path / "o.json"
    path.write_text(json.dumps([{"instruction": "Why?", "output": "x"}, {"instruction": "When?", "output": "y"}]))
    theirs, answers = alpaca_files.read_outputs(path)
    assert answers == {"0": "x", "1": "y"}
    with pytest.raises(InputError, match="other questions in 1 rows: 1"):
        alpaca_files.check_same([Question("0", "Why?"), Question("1", "How?")], theirs, path)
    with pytest.raises(InputError, match="2 rows, the baseline 3"):
        alpaca_files.check_same([*QUESTIONS, QUESTIONS[0]], theirs, path)


def test_annotations_without_a_preference_are_named(tmp_path):
    path = tmp_path / "annotations.json"
    row = {"output_1": "a", "output_2": "b"}
    path.write_text(json.dumps([row | {"preference": 1.5}, row | {"preference": None}]))
    with pytest.raises(InputError, match="1 rows have no preference: 1"):
        alpaca_files.read_preferences(path)
    path.write_text(json.dumps([row | {"preference": 1.5}]))
    assert alpaca_files.read_preferences(path)[0]["preference"] == 1.5


@pytest.mark.shared
def test_the_published_files_are_read(published):
    questions = layouts.read_questions(published / "arena_hard" / "question_v0.1.jsonl")
    assert len(questions) == 500
    layouts.align(
        questions, layouts.read_answers(published / "arena_hard" / "v0.1_answer_gpt-4-0314.jsonl"), "baseline"
    )
    mine, answers = alpaca_files.read_outputs(published / "alpaca_eval" / "outputs_alpaca-7b.json")
    theirs, _ = alpaca_files.read_outputs(published / "alpaca_eval" / "outputs_gpt4_1106_preview.json")
    alpaca_files.check_same(mine, theirs, published)
    judged = alpaca_files.read_preferences(published / "alpaca_eval" / "annotations_alpaca-7b.json")
    assert [row["answer"] for row in judged] == list(answers.values())
