"""In chains: what the model is sent, streaming, events, errors and keyword arguments."""

from itertools import pairwise

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough

from langchain_pas import PASRunnable
from pas_middleware import PAS, AugmentationError, InputError, Proposal, ScriptedModel, Settings

COMPLEMENT = "Check every step before you answer."
ASK = "How do birds fly in the rain?"
TOLD = f"{ASK}\n\n{COMPLEMENT}"


def sent(llm):
    return [message.content for message in llm.seen[-1]]


def test_before_a_model(pas, spy):
    llm = spy("With oily feathers.")
    assert (pas | llm).invoke(ASK).content == "With oily feathers."
    assert sent(llm) == [TOLD]


def test_before_a_prompt_of_one_variable(pas, spy):
    llm = spy()
    (pas | ChatPromptTemplate.from_template("Q: {q}") | llm).invoke(ASK)
    assert sent(llm) == [f"Q: {TOLD}"]


def test_braces_of_the_user_survive_a_later_template(pas, spy):
    llm = spy()
    (pas | PromptTemplate.from_template("Q: {q}") | llm).invoke("How do I use {braces} in a format string?")
    assert sent(llm) == [f"Q: How do I use {{braces}} in a format string?\n\n{COMPLEMENT}"]


def test_behind_a_prompt(pas, spy):
    llm = spy("Well.")
    prompt = ChatPromptTemplate.from_messages([("system", "Be {mood}."), ("human", "{q}")])
    chain = prompt | pas | llm | StrOutputParser()
    assert chain.invoke({"mood": "kind", "q": ASK}) == "Well."
    assert sent(llm) == ["Be kind.", TOLD]


def test_before_a_prompt_on_one_key_of_a_dict(pas, spy):
    llm = spy()
    seen_by_retriever = []
    retriever = RunnableLambda(lambda q: seen_by_retriever.append(q) or "Feathers are oily.")
    prompt = ChatPromptTemplate.from_template("{context}\n\n{question}")
    chain = {"context": retriever, "question": RunnablePassthrough()} | pas | prompt | llm
    chain.invoke(ASK)
    assert seen_by_retriever == [ASK]
    assert sent(llm) == [f"Feathers are oily.\n\n{TOLD}"]


def test_behind_assign(pas, spy):
    llm = spy()
    chain = RunnablePassthrough.assign(mood=lambda _: "kind") | pas | RunnableLambda(lambda d: d["question"]) | llm
    chain.invoke({"question": ASK})
    assert sent(llm) == [TOLD]


def test_as_an_assigned_hint(scripted, spy):
    llm = spy()
    hint = PASRunnable(pas=PAS(scripted), output="complement")
    prompt = ChatPromptTemplate.from_messages([("system", "{hint}"), ("human", "{question}")])
    (RunnablePassthrough.assign(hint=hint) | prompt | llm).invoke({"question": ASK})
    assert sent(llm) == [COMPLEMENT, ASK]
    assert hint.invoke({"question": ""}) == ""


def test_between_two_models(pas, spy):
    first, second = spy("What do penguins eat in winter?"), spy()
    (first | StrOutputParser() | pas | second).invoke("Ask me something about penguins.")
    assert sent(second) == [f"What do penguins eat in winter?\n\n{COMPLEMENT}"]


def test_streams_downstream_are_the_same_as_without(pas, spy):
    reply = "One two three four."
    plain = [chunk.content for chunk in spy(reply).stream(ASK)]
    llm = spy(reply)
    chunks = []
    for chunk in (pas | llm).stream(ASK):
        assert len(llm.seen) == 1
        chunks.append(chunk.content)
    assert chunks == plain and len(chunks) > 4
    assert sent(llm) == [TOLD]


async def test_async_streams_downstream_are_the_same_as_without(pas):
    reply = "Letters, one by one."
    llm = FakeListChatModel(responses=[reply])
    assert [chunk.content async for chunk in (pas | llm).astream(ASK)] == list(reply)


def test_the_first_token_arrives_before_the_model_has_finished(pas):
    produced = []

    def tokens(prompt):
        for token in ("a", "b", "c"):
            produced.append(token)
            yield token

    stream = (pas | RunnableLambda(lambda text: text) | tokens).stream(ASK)
    assert next(stream) == "a"
    assert produced == ["a"]


async def test_events_show_one_run_one_decision_and_no_chunks_of_ours(pas):
    chain = pas | FakeListChatModel(responses=["ok"])
    events = [event async for event in chain.astream_events(ASK, version="v2")]
    ours = [e for e in events if e["name"] in ("PASRunnable", "pas_complement")]
    assert [e["event"] for e in ours] == ["on_chain_start", "on_custom_event", "on_chain_end"]
    assert len({e["run_id"] for e in ours}) == 1
    assert ours[1]["data"]["complement"] == COMPLEMENT
    assert [e["event"] for e in events].count("on_chat_model_stream") >= 2


def test_callbacks_in_order_with_name_tags_and_the_decision(pas, recorder):
    pas.invoke(ASK, {"callbacks": [recorder], "tags": ["mine"]})
    assert recorder.kinds() == ["start", "custom", "end"]
    assert recorder.events[0] == ("start", "PASRunnable", ASK)
    assert recorder.events[2] == ("end", "", TOLD)
    assert recorder.tags == [["mine"]]
    (data,) = recorder.custom()
    assert data.pop("elapsed_ms") >= 0
    assert data == {"complement": COMPLEMENT, "status": "applied", "reason": "", "model": "scripted"}


def test_a_run_name_is_honoured(pas, recorder):
    pas.with_config(run_name="hint").invoke(ASK, {"callbacks": [recorder]})
    assert recorder.events[0][1] == "hint"


@pytest.mark.parametrize(
    ("prompt", "reason"), [("", "blank"), ("thanks", "no_complement_needed"), (ASK, "model_error")]
)
def test_what_was_not_applied_is_told_with_its_reason(recorder, prompt, reason):
    def script(text):
        if text == ASK:
            raise ValueError("broken")
        return Proposal(reason="no_complement_needed")

    runnable = PASRunnable(pas=PAS(ScriptedModel(script)))
    assert runnable.invoke(prompt, {"callbacks": [recorder]}) is prompt
    (data,) = recorder.custom()
    assert (data["complement"], data["status"], data["reason"]) == ("", "skipped", reason)


def test_a_marked_message_is_told_as_augmented_already(pas, recorder):
    once = pas.invoke([("human", ASK)])
    pas.invoke(once, {"callbacks": [recorder]})
    assert recorder.custom()[0]["reason"] == "already_augmented"


def test_errors_reach_the_callbacks_and_the_caller(recorder):
    def broken(_):
        raise ValueError("broken")

    runnable = PASRunnable(pas=PAS(ScriptedModel(broken), Settings(on_error="raise")))
    with pytest.raises(AugmentationError, match="broken"):
        runnable.invoke(ASK, {"callbacks": [recorder]})
    assert recorder.kinds() == ["start", "error"]
    assert runnable.with_fallbacks([RunnablePassthrough()]).invoke(ASK) == ASK


@pytest.mark.parametrize("method", ["invoke", "ainvoke", "batch", "abatch", "stream", "astream"])
async def test_keyword_arguments_are_refused_with_the_remedy(pas, spy, method):
    llm = spy()
    argument = [ASK] if "batch" in method else ASK
    with pytest.raises(InputError, match=r"got stop;.*`pas \| llm\.bind\(stop=\.\.\.\)`"):
        result = getattr(pas | llm, method)(argument, stop=["x"])
        if method == "stream":
            list(result)
        elif method == "astream":
            [_ async for _ in result]
        else:
            await result
    assert llm.seen == []


def test_a_bound_chain_is_refused_and_a_bound_model_is_not(pas, spy):
    llm = spy()
    with pytest.raises(InputError, match="stop"):
        (pas | llm).bind(stop=["x"]).invoke(ASK)
    (pas | llm.bind(stop=["x"])).invoke(ASK)
    assert llm.options[0]["stop"] == ["x"]


def test_schemas_and_graph_can_be_drawn(pas, spy):
    kinds = {option.get("type") for option in pas.get_input_jsonschema()["anyOf"]}
    assert {"string", "array", "object"} <= kinds
    nodes = [node.name for node in (pas | spy()).get_graph().nodes.values()]
    assert ("PASRunnable", "SpyChatModel") in pairwise(nodes)
