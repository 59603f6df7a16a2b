"""The recipe of docs/dspy.md: the complement stands once, in the user's field, and in asynchronous calls too."""

from pathlib import Path

import dspy
import pytest
from snippets import blocks

from pas_middleware import PAS, ScriptedModel

COMPLEMENT = "Check every step before you answer."
ASK = "How do birds fly in the rain?"


@pytest.fixture(scope="module")
def augmented():
    names = {"__name__": "recipe"}
    exec(blocks(Path(__file__).parents[2] / "docs" / "dspy.md")[0], names)
    return names["Augmented"]


@pytest.fixture
def lm():
    return dspy.utils.DummyLM([{"answer": "With care."}] * 3)


def sent(lm):
    return lm.history[-1]["messages"][-1]["content"]


def test_the_field_grows_before_the_format_instructions(augmented, lm):
    with PAS(ScriptedModel(COMPLEMENT)) as pas, dspy.context(lm=lm):
        assert augmented(dspy.Predict("question -> answer"), "question", pas=pas)(question=ASK).answer == "With care."
    assert sent(lm).count(COMPLEMENT) == 1
    assert f"{ASK}\n\n{COMPLEMENT}" in sent(lm)
    assert sent(lm).index(COMPLEMENT) < sent(lm).index("Respond with")


async def test_asynchronous_calls_and_copies(augmented, lm):
    with PAS(ScriptedModel(COMPLEMENT)) as pas, dspy.context(lm=lm):
        module = augmented(dspy.Predict("question, context -> answer"), "question", pas=pas).deepcopy()
        await module.acall(question=ASK, context="Ducks are oily.")
    assert sent(lm).count(COMPLEMENT) == 1
    assert f"{ASK}\n\n{COMPLEMENT}" in sent(lm)
