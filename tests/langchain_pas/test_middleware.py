"""PASMiddleware in real agents: one complement a model call, and a state that never holds it."""

from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    HumanInTheLoopMiddleware,
    ModelRequest,
    ModelRetryMiddleware,
    SummarizationMiddleware,
)
from langchain.agents.structured_output import ToolStrategy
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import BaseModel

from langchain_pas import PASMiddleware
from pas_middleware import PAS, AugmentationError, ConfigError, ScriptedModel, Settings

COMPLEMENT = "Check every step before you answer."
QUESTION = "Which of the two flats is cheaper over five years?"
SECOND = "And which one is closer to a school?"


class ToolModel(BaseChatModel):
    """A chat model that follows a script of answers and errors, and keeps what it was sent."""

    script: list[Any]
    seen: list[list[BaseMessage]] = []

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools, **kwargs):
        return self

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        self.seen.append(list(messages))
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return ChatResult(generations=[ChatGeneration(message=answer)])


class Events(BaseCallbackHandler):
    def __init__(self) -> None:
        self.data: list[dict[str, Any]] = []

    def on_custom_event(self, name, data, **kwargs):
        self.data.append(data)


@tool
def rent(flat: str) -> str:
    """Return a flat's rent."""
    return f"{flat}: 900 a month"


def call(name="rent", number="1", **arguments):
    arguments = arguments or {"flat": "A"}
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": number, "type": "tool_call"}])


def model(*script):
    return ToolModel(script=list(script), seen=[])


def complements(messages):
    return [str(m.content).count(COMPLEMENT) for m in messages if isinstance(m, HumanMessage)]


@pytest.fixture
def middleware(pas):
    return PASMiddleware(pas=pas.pas)


async def answer(agent, state, config, mode):
    return agent.invoke(state, config) if mode == "sync" else await agent.ainvoke(state, config)


MODES = pytest.mark.parametrize("mode", ["sync", "async"])


def ask(*texts):
    return {"messages": [HumanMessage(text) for text in texts]}


@MODES
async def test_tool_loop_reads_one_complement_a_call_and_the_state_holds_none(middleware, scripted, mode):
    llm = model(call(number="1"), call(number="2"), AIMessage("Flat A."))
    agent = create_agent(llm, [rent], middleware=[middleware])
    state = await answer(agent, ask(QUESTION), None, mode)
    assert [complements(messages) for messages in llm.seen] == [[1], [1], [1]]
    assert len({messages[0].content for messages in llm.seen}) == 1
    assert llm.seen[0][0].content.startswith(QUESTION)
    assert [m.type for m in state["messages"]] == ["human", "ai", "tool", "ai", "tool", "ai"]
    assert state["messages"][0].content == QUESTION
    assert "pas" not in state["messages"][0].additional_kwargs
    assert scripted.calls == [[QUESTION]]  # the same complement in every loop, asked for once


@MODES
async def test_turns_last_leaves_earlier_turns_plain(middleware, mode):
    llm = model(AIMessage("A."), AIMessage("B."))
    agent = create_agent(llm, [], middleware=[middleware], checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    await answer(agent, ask(QUESTION), config, mode)
    await answer(agent, ask(SECOND), config, mode)
    assert [complements(messages) for messages in llm.seen] == [[1], [0, 1]]


@MODES
async def test_turns_all_keeps_what_a_provider_has_cached(pas, mode):
    llm = model(AIMessage("A."), AIMessage("B."))
    agent = create_agent(llm, [], middleware=[PASMiddleware(pas=pas.pas, turns="all")], checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    await answer(agent, ask(QUESTION), config, mode)
    await answer(agent, ask(SECOND), config, mode)
    assert [complements(messages) for messages in llm.seen] == [[1], [1, 1]]
    assert llm.seen[0][0].content == llm.seen[1][0].content


def request_of(*messages):
    return ModelRequest(model=model(), messages=list(messages), state={"messages": []})


@pytest.mark.parametrize("turns", ["last", "all"])
@pytest.mark.parametrize(
    "messages",
    [
        [HumanMessage("Thanks!")],
        [HumanMessage("")],
        [],
        [AIMessage("Hello")],
        [HumanMessage("Summary.", additional_kwargs={"lc_source": "summarization"})],
        [HumanMessage([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}])],
    ],
    ids=["nothing to add", "blank", "none", "no user", "summary", "image"],
)
async def test_where_nothing_is_added_the_very_request_goes_on(messages, turns):
    with PAS(ScriptedModel("")) as engine:
        middleware = PASMiddleware(pas=engine, turns=turns)
        request = request_of(*messages)

        async def later(given):
            return given

        assert middleware.wrap_model_call(request, lambda given: given) is request
        assert await middleware.awrap_model_call(request, later) is request


async def test_nothing_blocks_the_loop(loads):
    async def later(given):
        return given

    with blockbuster_ctx():
        changed = await PASMiddleware(turns="all").awrap_model_call(request_of(HumanMessage(QUESTION)), later)
    assert complements(changed.messages) == [1]
    assert len(loads) == 1


def test_an_augmented_request_is_another_one_and_the_first_stays_as_it_was(middleware):
    message = HumanMessage(QUESTION, id="7", name="Ada")
    request = request_of(message)
    changed = middleware.wrap_model_call(request, lambda given: given)
    assert changed is not request
    assert request.messages == [message]
    assert message.content == QUESTION
    augmented = changed.messages[0]
    assert (augmented.id, augmented.name) == ("7", "Ada")
    assert augmented.additional_kwargs["pas"]["complement"] == COMPLEMENT


@MODES
async def test_structured_output(middleware, mode):
    class Choice(BaseModel):
        flat: str

    llm = model(call(), call("Choice", "2", flat="A"))
    agent = create_agent(llm, [rent], middleware=[middleware], response_format=ToolStrategy(Choice))
    state = await answer(agent, ask(QUESTION), None, mode)
    assert state["structured_response"] == Choice(flat="A")
    assert [complements(messages) for messages in llm.seen] == [[1], [1]]


@MODES
@pytest.mark.parametrize("outer", [True, False], ids=["retry outside", "retry inside"])
async def test_retries_read_the_same_complement(middleware, scripted, mode, outer):
    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0, jitter=False)
    llm = model(ConnectionError("reset"), AIMessage("Flat A."))
    agent = create_agent(llm, [], middleware=[retry, middleware] if outer else [middleware, retry])
    state = await answer(agent, ask(QUESTION), None, mode)
    assert state["messages"][-1].content == "Flat A."
    assert [complements(messages) for messages in llm.seen] == [[1], [1]]
    assert scripted.calls == [[QUESTION]]


@MODES
async def test_human_in_the_loop_resumes_with_the_same_complement(middleware, scripted, mode):
    llm = model(call(), AIMessage("Flat A."))
    approve = HumanInTheLoopMiddleware(interrupt_on={"rent": True})
    agent = create_agent(llm, [rent], middleware=[approve, middleware], checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    await answer(agent, ask(QUESTION), config, mode)
    state = await answer(agent, Command(resume={"decisions": [{"type": "approve"}]}), config, mode)
    assert state["messages"][-1].content == "Flat A."
    assert [complements(messages) for messages in llm.seen] == [[1], [1]]
    assert llm.seen[0][0].content == llm.seen[1][0].content
    assert scripted.calls == [[QUESTION]]


@MODES
async def test_summaries_get_no_complement(middleware, mode):
    llm = model(AIMessage("Flat A."))
    summarise = SummarizationMiddleware(
        model=model(AIMessage("They compare flats.")), trigger=("messages", 3), keep=("messages", 1)
    )
    agent = create_agent(llm, [], middleware=[summarise, middleware])
    history = [HumanMessage("Hello, I look for a flat in Porto."), AIMessage("Fine."), HumanMessage(QUESTION)]
    state = await answer(agent, {"messages": history}, None, mode)
    assert [complements(messages) for messages in llm.seen] == [[0, 1]]
    assert "They compare flats." in llm.seen[0][0].content
    assert all(COMPLEMENT not in str(m.content) for m in state["messages"])


def test_last_means_that_the_others_read_the_plain_request(middleware):
    class Reader(AgentMiddleware):
        read: list[str] = []

        def wrap_model_call(self, request, handler):
            self.read.append(request.messages[-1].content)
            return handler(request)

    create_agent(model(AIMessage("A.")), [], middleware=[Reader(), middleware]).invoke(ask(QUESTION))
    assert Reader.read == [QUESTION]


@MODES
async def test_the_decision_shows_as_an_event(middleware, mode):
    events = Events()
    agent = create_agent(model(AIMessage("A.")), [], middleware=[middleware])
    await answer(agent, ask(QUESTION), {"callbacks": [events]}, mode)
    assert [(e["status"], e["complement"]) for e in events.data] == [("applied", COMPLEMENT)]


def broken(prompt):
    raise RuntimeError("no model today")


@MODES
async def test_a_failure_passes_the_request_on(mode):
    with PAS(ScriptedModel(broken)) as engine:
        llm = model(AIMessage("Flat A."))
        agent = create_agent(llm, [], middleware=[PASMiddleware(pas=engine)])
        state = await answer(agent, ask(QUESTION), None, mode)
    assert llm.seen[0][0].content == QUESTION
    assert state["messages"][-1].content == "Flat A."


@MODES
async def test_a_failure_is_raised_where_wanted(mode):
    with PAS(ScriptedModel(broken), Settings(on_error="raise")) as engine:
        agent = create_agent(model(AIMessage("A.")), [], middleware=[PASMiddleware(pas=engine)])
        with pytest.raises(AugmentationError, match="no model today"):
            await answer(agent, ask(QUESTION), None, mode)


def test_the_tokens_of_the_model_stream_as_before(middleware, spy):
    llm = spy("One two three.")
    agent = create_agent(llm, [], middleware=[middleware])
    pieces = [chunk.content for chunk, _ in agent.stream(ask(QUESTION), stream_mode="messages")]
    assert [p for p in pieces if p] == ["One", " ", "two", " ", "three."]
    assert complements(llm.seen[0]) == [1]


def test_tool_results_stay_as_they_are(middleware):
    result = ToolMessage("900", tool_call_id="1")
    changed = middleware.wrap_model_call(request_of(HumanMessage(QUESTION), call(), result), lambda given: given)
    assert changed.messages[-1] is result
    assert complements(changed.messages) == [1]


def test_an_unknown_word_for_turns_is_refused():
    with pytest.raises(ConfigError, match=r"turns is 'first'; use \"last\" or \"all\""):
        PASMiddleware(turns="first")


def test_model_is_loaded_on_first_use_and_shared(loads):
    first, second = PASMiddleware(), PASMiddleware()
    assert loads == []
    for each in (first, second):
        each.wrap_model_call(request_of(HumanMessage(QUESTION)), lambda given: given)
    assert loads == [(None, "auto", Settings())]
