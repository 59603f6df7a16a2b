"""PASLLM in chat engines and PASAgentMixin in agents: one complement a call, memory and retrieval stay plain."""

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock, ToolCallBlock
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms.mock import MockFunctionCallingLLM, MockLLMWithChatMemoryOfLastCall
from llama_index.core.memory import ChatMemoryBuffer
from pydantic import Field

from llama_index_pas import PASLLM, PASAgentMixin
from pas_middleware import PAS, ScriptedModel

QUESTION = "Ten birds sit in a tree and one is shot. How many are left?"
SECOND = "And how many would be left without the shot?"
MODES = pytest.mark.parametrize("mode", ["sync", "async", "stream", "async stream"])


class SpyLLM(MockLLMWithChatMemoryOfLastCall):
    """A chat model that keeps the messages of every call."""

    calls: list[list[ChatMessage]] = Field(default_factory=list)
    completions: list[str] = Field(default_factory=list)

    def chat(self, messages, **kwargs):
        self.calls.append(list(messages))
        return super().chat(messages, **kwargs)

    def complete(self, prompt, formatted=False, **kwargs):
        # Its chat is made of completions, which are `formatted`; an echo of the chat would stand in the history.
        if not formatted:
            self.completions.append(prompt)
        return super().complete("It depends." if formatted else prompt, formatted, **kwargs)

    def stream_complete(self, prompt, formatted=False, **kwargs):
        return super().stream_complete("It depends." if formatted else prompt, formatted, **kwargs)

    def stream_chat(self, messages, **kwargs):
        self.calls.append(list(messages))
        return super().stream_chat(messages, **kwargs)

    async def achat(self, messages, **kwargs):
        self.calls.append(list(messages))
        return await super().achat(messages, **kwargs)

    async def astream_chat(self, messages, **kwargs):
        self.calls.append(list(messages))
        return await super().astream_chat(messages, **kwargs)


@pytest.fixture
def spy():
    return SpyLLM(is_chat_model=True)


@pytest.fixture
def llm(spy, model):
    with PAS(model) as engine:
        yield PASLLM(spy, pas=engine)


async def chat(engine, text, mode):
    if mode == "sync":
        return str(engine.chat(text))
    if mode == "async":
        return str(await engine.achat(text))
    if mode == "stream":
        return "".join(engine.stream_chat(text).response_gen)
    response = await engine.astream_chat(text)
    return "".join([piece async for piece in response.async_response_gen()])


def counts(messages, complement):
    return [str(m.content).count(complement) for m in messages if m.role == "user"]


@MODES
async def test_simple_chat(llm, spy, model, complement, mode):
    engine = SimpleChatEngine.from_defaults(llm=llm)
    await chat(engine, QUESTION, mode)
    await chat(engine, SECOND, mode)
    assert [counts(call, complement) for call in spy.calls[-1:]] == [[0, 1]]
    assert all(complement not in str(m.content) for m in engine.chat_history if m.role == "user")
    assert [c for call in model.calls for c in call] == [QUESTION, SECOND]


@MODES
@pytest.mark.parametrize("chat_mode", ["context", "condense_plus_context"])
async def test_chat_over_an_index(index, embedding, llm, spy, complement, mode, chat_mode):
    engine = index.as_chat_engine(llm=llm, chat_mode=chat_mode)
    await chat(engine, QUESTION, mode)
    assert sum(counts(spy.calls[-1], complement)) == 1
    assert embedding.queries == [QUESTION]
    await chat(engine, SECOND, mode)
    assert counts(spy.calls[-1], complement)[-1] == 1
    assert all(complement not in text for text in [*embedding.queries, *spy.completions])
    assert all(complement not in str(m.content) for m in engine.chat_history if m.role == "user")


def test_one_text_stays_one_text_and_other_blocks_stay(llm, spy, complement):
    image = ImageBlock(image=b"\x89PNG")
    llm.chat([ChatMessage(role="user", content=QUESTION)])
    llm.chat([ChatMessage(role="user", blocks=[TextBlock(text=QUESTION), image])])
    single, mixed = (call[0].blocks for call in spy.calls)
    assert [b.text for b in single] == [f"{QUESTION}\n\n{complement}"]
    assert mixed[:2] == [TextBlock(text=QUESTION), image]
    assert mixed[2].text == f"\n\n{complement}"


def test_messages_given_are_not_changed(llm):
    message = ChatMessage(role="user", content=QUESTION)
    llm.chat([message])
    assert message == ChatMessage(role="user", content=QUESTION)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [ChatMessage(role="system", content=QUESTION)],
        [ChatMessage(role="user", blocks=[ImageBlock(image=b"\x89PNG")])],
    ],
    ids=["none", "no user", "image"],
)
def test_where_there_is_no_user_text_the_messages_go_on(llm, spy, messages):
    llm.chat(messages)
    assert spy.calls == [messages]


async def test_completions_go_on_as_they_are(llm, spy):
    assert str(llm.complete(QUESTION)) == QUESTION
    assert str(await llm.acomplete(QUESTION)) == QUESTION
    assert "".join(p.delta for p in llm.stream_complete(QUESTION)) == QUESTION
    assert "".join([p.delta async for p in await llm.astream_complete(QUESTION)]) == QUESTION


def test_metadata_is_the_wrapped_ones(llm, spy):
    assert llm.metadata.context_window == spy.metadata.context_window
    assert llm.metadata.is_chat_model


# Agents


class Function(PASAgentMixin, FunctionAgent):
    pass


class ReAct(PASAgentMixin, ReActAgent):
    pass


def count(text: str) -> int:
    """Count the words of a text."""
    return len(text.split())


def script(seen, *answers):
    """Return an LLM that follows a script: a tool's name to call, or a text to answer with."""
    waiting = list(answers)

    def reply(messages, **kwargs):
        seen.append(list(messages))
        answer = waiting.pop(0)
        if answer != "count":
            return ChatMessage(role="assistant", content=answer)
        call = ToolCallBlock(tool_call_id="1", tool_name="count", tool_kwargs={"text": "a b"})
        return ChatMessage(role="assistant", blocks=[call])

    return MockFunctionCallingLLM(response_generator=reply, is_chat_model=True)


@pytest.mark.parametrize("streaming", [True, False])
async def test_function_agent_reads_one_complement_a_step(model, complement, streaming):
    seen = []
    with PAS(model) as engine:
        agent = Function(tools=[count], llm=script(seen, "count", "Nine."), streaming=streaming, pas=engine)
        memory = ChatMemoryBuffer.from_defaults()
        response = await agent.run(user_msg=QUESTION, memory=memory)
    assert str(response) == "Nine."
    assert [counts(call, complement) for call in seen] == [[1], [1]]
    assert all(complement not in str(m.content) for m in memory.get_all())
    assert [c for call in model.calls for c in call] == [QUESTION]


async def test_react_agent(model, complement):
    seen = []
    with PAS(model) as engine:
        agent = ReAct(llm=script(seen, "Thought: I know.\nAnswer: None."), pas=engine, streaming=False)
        response = await agent.run(user_msg=QUESTION)
    assert str(response) == "None."
    assert [counts(call, complement) for call in seen] == [[1]]


async def test_agent_with_a_state_augments_what_the_user_wrote(model, complement):
    seen = []
    with PAS(model) as engine:
        agent = Function(llm=script(seen, "Nine."), initial_state={"birds": 10}, pas=engine, streaming=False)
        await agent.run(user_msg=QUESTION)
    assert model.calls == [[QUESTION]]
    (message,) = (m for m in seen[0] if m.role == "user")
    assert "birds" in message.content
    assert message.content.rstrip().endswith(complement)


async def test_agent_in_a_workflow(model, complement):
    seen = []
    with PAS(model) as engine:
        agent = Function(name="birds", llm=script(seen, "Nine."), pas=engine, streaming=False)
        await AgentWorkflow(agents=[agent], root_agent="birds").run(user_msg=QUESTION)
    assert [counts(call, complement) for call in seen] == [[1]]


async def test_agent_without_a_complement_sends_what_it_sends_without_pas():
    plain, silent = [], []
    await FunctionAgent(llm=script(plain, "Nine."), streaming=False).run(user_msg=QUESTION)
    with PAS(ScriptedModel("")) as engine:
        await Function(llm=script(silent, "Nine."), streaming=False, pas=engine).run(user_msg=QUESTION)
    assert silent == plain
