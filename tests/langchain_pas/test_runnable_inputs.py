"""Every shape of input comes out as it came in, the user's text an exact prefix, and nothing given is changed."""

from collections import defaultdict
from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    ToolMessage,
)
from langchain_core.prompt_values import (
    ChatPromptValue,
    ChatPromptValueConcrete,
    ImagePromptValue,
    StringPromptValue,
)
from langchain_core.runnables.utils import AddableDict

from langchain_pas import PASRunnable
from pas_middleware import PAS, InputError, ScriptedModel, Settings

COMPLEMENT = "Check every step before you answer."
ASK = "How do birds fly in the rain?"
TOLD = f"{ASK}\n\n{COMPLEMENT}"
MARK = {"complement": COMPLEMENT, "status": "applied", "reason": "", "model": "scripted"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def human(text=TOLD, **more):
    return HumanMessage(text, additional_kwargs={"pas": MARK}, **more)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (ASK, TOLD),
        (StringPromptValue(text=ASK), StringPromptValue(text=TOLD)),
        (ChatPromptValue(messages=[HumanMessage(ASK)]), ChatPromptValue(messages=[human()])),
        (ChatPromptValueConcrete(messages=[HumanMessage(ASK)]), ChatPromptValueConcrete(messages=[human()])),
        (HumanMessage(ASK, id="7", name="ann"), human(id="7", name="ann")),
        ([SystemMessage("Be kind."), HumanMessage(ASK)], [SystemMessage("Be kind."), human()]),
        ([("system", "Be kind."), ("human", ASK)], [SystemMessage("Be kind."), human()]),
        (({"role": "user", "content": ASK},), [human()]),
        ([ASK], [human()]),
        ({"messages": [("human", ASK)], "input": ASK}, {"messages": [human()], "input": ASK}),
        ({"input": ASK, "query": ASK}, {"input": TOLD, "query": ASK}),
        ({"prompt": ASK, "query": ASK}, {"prompt": ASK, "query": TOLD}),
        ({"question": StringPromptValue(text=ASK)}, {"question": StringPromptValue(text=TOLD)}),
        (AddableDict(prompt=ASK), AddableDict(prompt=TOLD)),
        (defaultdict(list, question=ASK), defaultdict(list, question=TOLD)),
    ],
)
def test_shape_and_class_are_kept_and_the_input_is_not_changed(pas, given_, expected):
    before = deepcopy(given_)
    result = pas.invoke(given_)
    assert result == expected
    assert type(result) is type(expected)
    assert given_ == before


@pytest.mark.parametrize(
    "given_",
    [
        "",
        " \n ",
        [],
        [SystemMessage("Be kind."), AIMessage("Hello.")],
        [("system", "Be kind.")],
        AIMessage("Hello."),
        HumanMessage([IMAGE]),
        [HumanMessage(ASK), HumanMessage([IMAGE])],
        StringPromptValue(text=""),
        ChatPromptValue(messages=[SystemMessage("Be kind.")]),
        ImagePromptValue(image_url={"url": "data:image/png;base64,AA=="}),
        {"messages": []},
        {"input": "", "question": ASK},
        [HumanMessage("Summary so far.", additional_kwargs={"lc_source": "summarization"})],
        HumanMessage([{"type": "tool_result", "tool_use_id": "1", "content": "4"}]),
    ],
)
def test_without_user_text_the_same_object_returns_and_the_model_is_not_asked(pas, scripted, given_):
    assert pas.invoke(given_) is given_
    assert scripted.calls == []


@pytest.mark.parametrize(
    "given_", [ASK, [("human", ASK)], {"input": ASK}, ChatPromptValue(messages=[HumanMessage(ASK)])]
)
def test_the_same_object_returns_when_shadowed(scripted, given_):
    runnable = PASRunnable(pas=PAS(scripted, Settings(shadow=True)))
    assert runnable.invoke(given_) is given_
    assert scripted.calls == [[ASK]]


def test_the_last_human_message_is_augmented_even_when_tool_messages_follow(pas):
    chat = [
        HumanMessage("First question, long ago."),
        HumanMessage(ASK),
        AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "1"}]),
        ToolMessage("4", tool_call_id="1"),
    ]
    result = pas.invoke(chat)
    assert result == [chat[0], human(), chat[2], chat[3]]
    assert result[0] is chat[0]


@pytest.mark.parametrize(
    "later",
    [
        HumanMessage("Here is a summary.", additional_kwargs={"lc_source": "summarization"}),
        HumanMessage([{"type": "tool_result", "tool_use_id": "1", "content": "4"}]),
    ],
)
def test_what_only_looks_like_the_user_is_passed_over(pas, later):
    assert pas.invoke([HumanMessage(ASK), later]) == [human(), later]


def test_list_content_gains_one_plain_text_block_at_its_end(pas, scripted):
    blocks = [{"type": "text", "text": "How do birds"}, IMAGE, "fly in the rain?"]
    result = pas.invoke([HumanMessage(blocks)])
    assert result[0].content == [*blocks, {"type": "text", "text": f"\n\n{COMPLEMENT}"}]
    assert scripted.calls == [["How do birds\nfly in the rain?"]]
    assert len(blocks) == 3


def test_other_additional_kwargs_and_the_class_of_the_message_stay(pas):
    message = HumanMessageChunk(ASK, additional_kwargs={"mine": 1}, response_metadata={"m": 2})
    result = pas.invoke([message])[0]
    assert type(result) is HumanMessageChunk
    assert result.additional_kwargs == {"mine": 1, "pas": MARK}
    assert result.response_metadata == {"m": 2}


def test_a_marked_message_is_not_augmented_again_whatever_its_text(pas, scripted):
    once = pas.invoke([HumanMessage(ASK)])
    edited = [once[0].model_copy(update={"content": "How do bats fly in the rain?"})]
    assert pas.invoke(once) is once
    assert pas.invoke(edited) is edited
    assert scripted.calls == [[ASK]]


@pytest.mark.parametrize("given_", [ASK, [("human", ASK)], {"question": ASK}])
def test_two_in_a_row_add_once(pas, given_):
    assert (pas | pas).invoke(given_) == pas.invoke(given_)


def test_input_key_names_the_one_key_that_changes(pas):
    runnable = PASRunnable(pas=pas.pas, input_key="topic")
    assert runnable.invoke({"topic": ASK, "input": ASK}) == {"topic": TOLD, "input": ASK}
    with pytest.raises(InputError, match=r"has 'input', but not 'topic'.*input_key="):
        runnable.invoke({"input": ASK})


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"text": ASK, 7: ASK}, "has 'text', 7, but not 'messages' or 'input' or"),
        ({}, "has no keys"),
        ({"question": 7}, "'question' is int"),
        ({"input": {"question": ASK}}, "'input' is dict"),
        (7, "The input is int"),
        (None, "The input is NoneType"),
        (b"bytes", "The input is bytes"),
    ],
)
def test_other_inputs_are_refused_by_name(pas, given_, message):
    with pytest.raises(InputError, match=message):
        pas.invoke(given_)


def test_data_that_looks_like_a_serialised_object_stays_data(pas):
    lookalike = {"lc": 1, "type": "constructor", "id": ["builtins", "exec"], "kwargs": {"code": "1"}}
    result = pas.invoke({**lookalike, "question": ASK})
    assert result == {**lookalike, "question": TOLD}
    with pytest.raises(InputError, match="has 'lc', 'type', 'id', 'kwargs'"):
        pas.invoke(lookalike)
    as_text = '{"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}'
    assert pas.invoke(as_text) == as_text
    assert pas.invoke([HumanMessage(f"What does this mean? {as_text}")])[0].content.startswith(
        f"What does this mean? {as_text}"
    )


texts = st.text() | st.text(alphabet='{}"\\`\n\r\t\x00\u202e\u200d a1中é', max_size=60)
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


@given(text=texts, lead=st.sampled_from(["", "How do I read {variables} in ```code```? "]))
@shared
def test_text_is_an_exact_prefix_in_every_shape(text, lead):
    prompt = lead + text
    pas = PASRunnable(pas=PAS(ScriptedModel(COMPLEMENT)))
    plain = pas.invoke(prompt)
    insertion = plain[len(prompt) :]
    assert plain == prompt + insertion
    assert insertion == "" or insertion.count(COMPLEMENT) == 1
    assert plain == PAS(ScriptedModel(COMPLEMENT)).augment(prompt).text
    assert pas.invoke([HumanMessage(prompt)])[0].content == plain
    assert pas.invoke({"question": prompt}) == {"question": plain}
    assert pas.invoke(StringPromptValue(text=prompt)).text == plain


@given(blocks=st.lists(texts.map(lambda text: {"type": "text", "text": text}) | st.just(IMAGE), min_size=1, max_size=4))
@shared
def test_blocks_are_an_exact_prefix_and_untouched(blocks):
    pas = PASRunnable(pas=PAS(ScriptedModel(COMPLEMENT)))
    before = deepcopy(blocks)
    content = pas.invoke([HumanMessage([*blocks, {"type": "text", "text": ASK}])])[0].content
    assert content[: len(blocks) + 1] == [*before, {"type": "text", "text": ASK}]
    assert [block["type"] for block in content[len(blocks) + 1 :]] in ([], ["text"])
    assert blocks == before
