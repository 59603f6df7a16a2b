"""The judge: both orders, our wording and upstream's, replies that have no verdict, refusals."""

import pytest

from pas_middleware.errors import ConfigError
from pas_trainer.evaluate.judging import Match, Wording, failed, judge
from pas_trainer.llm import Client, Endpoint, RowFailed, Store
from pas_trainer.llm.pace import Pace
from pas_trainer.testing import Faults, serve

MATCH = Match("b", "q", "t", "arm", "Which {one}?", "second {x}", "base", "first")


@pytest.fixture
def asked(tmp_path):
    """Judge one game with scripted replies; return its row and what the judge was sent."""

    def ask(*replies, game=1, wording=None, attempts=3, match=MATCH, faults=()):
        script = list(replies)
        with (
            serve(lambda _: script.pop(0) if len(script) > 1 else script[0], faults=faults) as server,
            Store(tmp_path / f"{game}.sqlite") as store,
        ):
            endpoint = Endpoint("scripted", server.url, retries=1)
            client = Client(endpoint, store, pace=Pace(sleep=lambda _: None))
            row = judge(client, wording or Wording.of("arena"), match, game, attempts)
            return row, [body["messages"] for body in server.answered]

    return ask


def test_the_answer_stands_second_then_first(asked):
    row, (sent,) = asked("[[B>>A]]")
    user = sent[1]["content"]
    assert user.index("first") < user.index("second {x}")
    assert (row["verdict"], row["preference"], row["asked"], row["problem"]) == ("B>>A", 1.0, 1, "")
    row, (sent,) = asked("[[B>>A]]", game=2)
    user = sent[1]["content"]
    assert user.index("second {x}") < user.index("first")
    assert row["preference"] == 0.0


def test_a_reply_without_a_verdict_is_asked_again(asked):
    row, sent = asked("Both are fine.", "[[A>B]] or [[B>A]]", "[[A=B]]")
    assert (row["verdict"], row["asked"], row["preference"]) == ("A=B", 3, 0.5)
    assert [message["role"] for message in sent[1]] == ["system", "user", "assistant", "user"]


def test_an_unparseable_verdict_is_reported_and_never_guessed(asked):
    row, sent = asked("A, I think.")
    assert (row["verdict"], row["preference"], row["problem"], row["asked"]) == (None, None, "unparseable", 3)
    assert len(sent) == 3


def test_a_judge_that_refuses_is_reported(asked):
    row, _ = asked("[[A=B]]", faults=[Faults.parse("refusal:3")])
    assert (row["verdict"], row["problem"], row["asked"]) == (None, "refused", 3)


def test_a_judge_that_refused_once_is_asked_again(asked):
    row, _ = asked("[[A=B]]", faults=[Faults.parse("refusal:1")])
    assert (row["verdict"], row["problem"], row["asked"]) == ("A=B", "", 2)


def test_a_judge_that_fails_for_a_row_is_not_read(asked):
    with pytest.raises(RowFailed) as failure:
        asked("[[A=B]]", faults=[Faults.parse("error:100%")])
    row = failed(MATCH, 2, "scripted", failure.value)
    assert (row["verdict"], row["preference"], row["problem"], row["game"]) == (None, None, "error", 2)


def test_equal_answers_are_a_tie_that_nobody_pays_for(asked):
    row, sent = asked("[[A>B]]", match=Match("b", "q", "t", "arm", "?", "same", "base", "same"))
    assert (row["verdict"], row["preference"], row["usd"]) == ("A=B", 0.5, 0.0)
    assert sent == []


@pytest.mark.parametrize(("reply", "verdict"), [("m", "A>B"), ("M.", "B>A"), ("m or M", None), ("Model m", "A>B")])
def test_alpaca_evals_letters(reply, verdict):
    assert Wording.of("alpaca").verdict(reply) == verdict


def test_upstreams_arena_file_is_used_by_its_path(tmp_path):
    path = tmp_path / "judge.yaml"
    path.write_text(
        "system_prompt: Judge.\nprompt_template: ['<|Q|>{question_1}<|A|>{answer_1}<|B|>{answer_2}']\n",
        encoding="utf-8",
    )
    sent = Wording.of("arena", path=str(path)).messages("q {answer_2}", "one", "two")
    assert sent == [
        {"role": "system", "content": "Judge."},
        {"role": "user", "content": "<|Q|>q {answer_2}<|A|>one<|B|>two"},
    ]


def test_upstreams_second_generation_names_its_slots_otherwise(tmp_path):
    path = tmp_path / "judge.yaml"
    path.write_text('prompt_template: "{QUESTION}|{ANSWER_A}|{ANSWER_B}"\n')
    assert Wording.of("arena", "v2.0", str(path)).messages("q", "a", "b")[1]["content"] == "q|a|b"


def test_upstreams_alpaca_file_is_used_by_its_path(tmp_path):
    path = tmp_path / "clf.txt"
    path.write_text(
        "<|im_start|>system\nRank.\n<|im_end|>\n<|im_start|>user\n{instruction} m: {output_1} M: {output_2}\n<|im_end|>"
    )
    sent = Wording.of("alpaca", path=str(path)).messages("i", "a", "b")
    assert [message["content"] for message in sent] == ["Rank.", "i m: a M: b"]


@pytest.mark.parametrize("text", ["prompt_template: no slots\n", "[]", ""])
def test_a_file_without_a_template_is_an_error(tmp_path, text):
    (tmp_path / "judge.yaml").write_text(text)
    with pytest.raises(ConfigError, match="no template with a question and two answers"):
        Wording.of("arena", path=str(tmp_path / "judge.yaml"))


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        Wording.of("arena", path=str(tmp_path / "judge.yaml"))
