"""With nothing to add, a chain and an agent behave as without PAS: the same objects, the same events but PAS's own."""

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from langchain_pas import PASMiddleware, PASRunnable
from pas_middleware import PAS, ScriptedModel

QUESTION = "Explain why birds fly off at a shot."


class Events(BaseCallbackHandler):
    """Keep the name of every event, and of the run it belongs to, but for PAS's own run."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.own: set[object] = set()

    def note(self, event, name, run_id):
        if name == "PASRunnable":
            self.own.add(run_id)
        if run_id not in self.own:
            self.seen.append((event, name))

    def on_chain_start(self, serialized, inputs, *, run_id, name="", **kwargs):
        self.note("chain start", name, run_id)

    def on_chain_end(self, outputs, *, run_id, **kwargs):
        self.note("chain end", "", run_id)

    def on_chat_model_start(self, serialized, messages, *, run_id, **kwargs):
        self.note("model start", str([m.content for m in messages[0]]), run_id)

    def on_llm_new_token(self, token, *, run_id, **kwargs):
        self.note("token", token, run_id)

    def on_llm_end(self, response, *, run_id, **kwargs):
        self.note("model end", response.generations[0][0].text, run_id)

    def on_custom_event(self, name, data, *, run_id, **kwargs):
        self.note("custom", name, run_id)


@pytest.fixture
def silent():
    with PAS(ScriptedModel("")) as engine:
        yield engine


def test_the_very_objects_go_on(silent):
    runnable = PASRunnable(pas=silent)
    prompt = ChatPromptTemplate.from_template("{question}").invoke({"question": QUESTION})
    for value in (QUESTION, HumanMessage(QUESTION), [HumanMessage(QUESTION)], {"question": QUESTION}, prompt):
        assert runnable.invoke(value) is value
        assert runnable.batch([value])[0] is value
        assert [*runnable.stream(value)] == [value]


async def test_the_very_objects_go_on_in_async_code(silent):
    runnable = PASRunnable(pas=silent)
    for value in (QUESTION, HumanMessage(QUESTION), {"question": QUESTION}):
        assert await runnable.ainvoke(value) is value
        assert (await runnable.abatch([value]))[0] is value


@pytest.mark.parametrize("how", ["invoke", "stream", "batch"])
def test_a_chain_has_the_same_answers_and_events(silent, spy, how):
    def run(prompt):
        events = Events()
        chain = prompt | spy("One two three.") | StrOutputParser()
        given, config = {"question": QUESTION}, {"callbacks": [events]}
        if how == "batch":
            return chain.batch([given], config), events.seen
        return (chain.invoke(given, config) if how == "invoke" else [*chain.stream(given, config)]), events.seen

    prompt = ChatPromptTemplate.from_template("{question}")
    answer, seen = run(prompt | PASRunnable(pas=silent))
    expected, plain = run(prompt)
    assert answer == expected
    assert len(plain) >= 6
    assert seen == plain


@pytest.mark.parametrize("middleware", [[], ["pas"]], ids=["without", "with"])
def test_an_agent_has_the_same_state(silent, spy, middleware):
    llm = spy("One two three.")
    agent = create_agent(llm, [], middleware=[PASMiddleware(pas=silent) for _ in middleware])
    state = agent.invoke({"messages": [HumanMessage(QUESTION, id="1")]})
    assert [(m.type, m.content) for m in state["messages"]] == [("human", QUESTION), ("ai", "One two three.")]
    assert llm.seen == [[HumanMessage(QUESTION, id="1")]]
    assert isinstance(state["messages"][-1], AIMessage)
