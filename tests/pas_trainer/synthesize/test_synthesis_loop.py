"""Generate, judge, regenerate: every way that a prompt can take."""

import json

import pytest
from synthesis import plan

from pas_trainer.llm import Answer
from pas_trainer.synthesize import GoldenSet
from pas_trainer.synthesize.loop import Loop
from pas_trainer.synthesize.prompts import Prompt

PROMPT = Prompt("1", "How do I get my team to give honest feedback?", "advice", "en")
GOOD = "Ask what was tried; offer two low-risk formats first, then how the manager should react to the first criticism."
BAD = "Tell them to use anonymous surveys."


class Says:
    """Answers one after the other; each is an object, a text, or an Answer."""

    def __init__(self, *answers):
        self.answers = [
            answer if isinstance(answer, Answer) else Answer(answer if isinstance(answer, str) else json.dumps(answer))
            for answer in answers
        ]
        self.asked = []

    def ask(self, row, stage, messages, *, attempt=0):
        self.asked.append((stage, list(messages)))
        return self.answers[len(self.asked) - 1]


def writes(*complements):
    return Says(*({"complement": text} for text in complements))


def keep():
    return {"reason": "fine", "flaw": "", "verdict": "keep"}


def reject(flaw="answers", reason="It names the answer."):
    return {"reason": reason, "flaw": flaw, "verdict": "reject"}


def run(generator, critic, prompt=PROMPT, **settings):
    golden = GoldenSet.read()
    return Loop(plan("http://127.0.0.1:1/v1", **settings), golden, generator, critic).run(prompt)


def test_a_good_complement_is_kept_at_once():
    outcome = run(writes(GOOD), Says(keep()))
    assert (outcome.complement, outcome.rounds, outcome.why) == (GOOD, 1, "")


def test_a_rejected_one_goes_back_with_the_reason_and_the_next_is_judged_anew():
    generator, critic = writes(BAD, GOOD), Says(reject(), keep())
    row = run(generator, critic).to_dict()
    assert row == {
        "id": "1",
        "prompt": PROMPT.prompt,
        "complement": GOOD,
        "category": "advice",
        "language": "en",
        "rounds": 2,
        "rejected": [{"complement": BAD, "flaw": "answers", "reason": "It names the answer.", "by": "critic"}],
    }
    stage, messages = generator.asked[1]
    assert stage == "generate/2"
    assert json.loads(messages[-2]["content"]) == {"complement": BAD}
    assert "It names the answer." in messages[-1]["content"]
    assert [stage for stage, _ in critic.asked] == ["judge/1", "judge/2"]


def test_after_the_last_round_the_prompt_is_dropped_with_its_history():
    row = run(writes(BAD, BAD + " Now.", BAD + " Soon."), Says(reject(), reject(), reject("deviates"))).to_dict()
    assert row["why"] == "rejected"
    assert [each["flaw"] for each in row["rounds"]] == ["answers", "answers", "deviates"]
    assert "complement" not in row


def test_left_alone_is_a_legal_outcome_and_judged():
    critic = Says(keep())
    outcome = run(writes(""), critic)
    assert (outcome.complement, outcome.why) == ("", "")
    assert "<complement>\n\n</complement>" in critic.asked[0][1][-1]["content"]


def test_left_alone_where_a_complement_would_help_is_rejected():
    outcome = run(writes("", GOOD), Says(reject("missed", "Guidance would help."), keep()))
    assert outcome.complement == GOOD
    assert outcome.rejected[0].flaw == "missed"


def test_the_guard_is_asked_before_the_critic_is_paid():
    critic = Says(keep())
    outcome = run(writes("请先询问对方已经试过什么。", GOOD), critic)
    assert [(each.flaw, each.by) for each in outcome.rejected] == [("wrong_language", "guard")]
    assert len(critic.asked) == 1


def test_a_complement_that_repeats_a_rejected_one_is_not_judged_again():
    critic = Says(reject(), keep())
    outcome = run(writes(BAD, BAD, GOOD), critic)
    assert [each.by for each in outcome.rejected] == ["critic", "guard"]
    assert len(critic.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        "no JSON",
        {"verdict": "maybe", "flaw": "", "reason": ""},
        {"verdict": "reject", "flaw": "boring", "reason": ""},
        {"verdict": "reject", "flaw": "", "reason": ""},
        {"verdict": "keep", "flaw": "answers", "reason": ""},
        {"verdict": "reject", "flaw": "missed", "reason": "not empty, though"},
        {"flaw": "answers"},
        "",
    ],
)
def test_what_could_not_be_judged_is_never_kept(answer):
    outcome = run(writes(GOOD), Says(*[answer] * 3))
    assert outcome.why == "critic_malformed"
    assert outcome.to_dict()["rounds"][0]["complement"] == GOOD


@pytest.mark.parametrize("problem", ["refused", "empty", "truncated", "too_long"])
def test_a_generator_that_brings_nothing_gives_a_reason(problem):
    outcome = run(Says(*[Answer("", problem)] * 3), Says())
    assert outcome.why == f"generator_{problem}"


@pytest.mark.parametrize("answer", ["Certainly!", {"text": "x"}, {"complement": None}, {"complement": ["x"]}])
def test_a_malformed_complement_gives_a_reason(answer):
    assert run(Says(*[answer] * 3), Says()).why == "generator_malformed"


@pytest.mark.parametrize(("prompt", "reason"), [("???", "blank"), ("continue", "follow_up")])
def test_a_prompt_that_never_reaches_the_model_costs_nothing(prompt, reason):
    generator = Says()
    assert run(generator, Says(), Prompt("1", prompt, "", "en")).why == f"rule_{reason}"
    assert generator.asked == []
