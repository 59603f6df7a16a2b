"""Answers that are to be JSON: asked again where malformed, then rejected with a reason."""

import itertools

import pytest

from pas_trainer.llm import Answer, Parsed, Rejection, ask_json, read_object

ASKED = [{"role": "user", "content": "Rate it."}]


class Says:
    def __init__(self, *texts):
        self.answers = [text if isinstance(text, Answer) else Answer(text) for text in texts]
        self.asked = []

    def ask(self, row, stage, messages, *, attempt=0):
        self.asked.append((attempt, list(messages)))
        return self.answers[len(self.asked) - 1]


def score(found):
    return int(found["score"])


def test_a_well_formed_answer_is_taken_at_once():
    assert ask_json(Says('{"score": 7}'), "1", "s", ASKED, score) == Parsed(7, 1)


def test_a_malformed_answer_is_shown_and_asked_for_again():
    says = Says("seven, I think", '{"score": 7}')
    assert ask_json(says, "1", "s", ASKED, score) == Parsed(7, 2)
    attempt, messages = says.asked[1]
    assert attempt == 1
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert messages[1]["content"] == "seven, I think"


@pytest.mark.parametrize("text", ["seven", '{"score": ', '{"score": "x"}', '{"rating": 7}', "[7]", ""])
def test_after_so_many_attempts_the_row_is_rejected(text):
    says = Says(*itertools.repeat(text, 3))
    outcome = ask_json(says, "1", "s", ASKED, score)
    assert isinstance(outcome, Rejection)
    assert (outcome.reason, outcome.attempts) == ("malformed", 3)
    assert len(says.asked) == 3


def test_a_refusal_is_a_reason_of_its_own():
    says = Says(*[Answer("", "refused")] * 2)
    assert ask_json(says, "1", "s", ASKED, score, attempts=2) == Rejection("refused", "", 2)


@pytest.mark.parametrize("text", ['```json\n{"a": 1}\n```', 'Here: {"a": 1} as asked', '{"a": 1} {"a": 2}'])
def test_the_object_is_found_in_what_is_around_it(text):
    assert read_object(text) == {"a": 1}
