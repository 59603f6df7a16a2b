"""The event loop goes on while a model is loaded and asked; each wait here is one that only the loop can end."""

import asyncio
import threading

import pytest
from blockbuster import BlockingError, blockbuster_ctx
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms.mock import MockFunctionCallingLLM, MockLLM

from llama_index_pas import PASLLM, PASAgentMixin, PASQueryEngine, PASQueryTransform
from pas_middleware import PAS, ScriptedModel

QUESTION = "Ten birds sit in a tree and one is shot. How many are left?"
COMPLEMENT = "Think about what the shot does to the other birds."
PATIENCE_S = 10


class Agent(PASAgentMixin, FunctionAgent):
    pass


@pytest.fixture
def file_reading_load(monkeypatch):
    """Load and run a model that reads a file, as every real one does."""

    def read(prompt=""):
        with open(__file__, "rb") as file:
            file.read(1)
        return COMPLEMENT

    def load(*args, **kwargs):
        read()
        return PAS(ScriptedModel(read))

    monkeypatch.setattr(PAS, "load", load)


async def test_arun_makes_no_blocking_call_on_the_loop(file_reading_load):
    transform = PASQueryTransform()
    with blockbuster_ctx():
        assert (await transform.arun(QUESTION)).query_str.endswith(COMPLEMENT)
        assert (await transform.arun(QUESTION + " ")).query_str.endswith(COMPLEMENT)


async def test_no_other_mount_blocks_the_loop_either(file_reading_load, index):
    engine = PASQueryEngine(index.as_query_engine(llm=MockLLM()))
    llm = PASLLM(MockLLM(is_chat_model=True))
    agent = Agent(llm=MockFunctionCallingLLM(is_chat_model=True), streaming=False)
    with blockbuster_ctx():
        assert COMPLEMENT in str(await engine.aquery(QUESTION))
        assert COMPLEMENT in str(await llm.achat([ChatMessage(role="user", content=QUESTION)]))
        assert await agent.run(user_msg=QUESTION)


async def test_run_on_the_loop_does_block_so_the_check_above_bites(file_reading_load):
    with blockbuster_ctx(), pytest.raises(BlockingError):
        PASQueryTransform().run(QUESTION)


async def test_the_loop_runs_while_the_model_does():
    asked, released = threading.Event(), threading.Event()

    def answer(prompt):
        asked.set()
        return COMPLEMENT if released.wait(PATIENCE_S) else "too late"

    task = asyncio.create_task(PASQueryTransform(pas=PAS(ScriptedModel(answer))).arun(QUESTION))
    while not asked.is_set():
        await asyncio.sleep(0)
    released.set()
    assert (await task).query_str.endswith(COMPLEMENT)


async def test_two_first_queries_load_one_model_between_them(monkeypatch):
    loading, released, loads = threading.Event(), threading.Event(), []

    def load(*args, **kwargs):
        loads.append(kwargs)
        loading.set()
        assert released.wait(PATIENCE_S)
        return PAS(ScriptedModel(COMPLEMENT))

    monkeypatch.setattr(PAS, "load", load)
    transform = PASQueryTransform()
    tasks = [asyncio.create_task(transform.arun(QUESTION)) for _ in range(2)]
    while not loading.is_set():
        await asyncio.sleep(0)
    released.set()
    bundles = await asyncio.gather(*tasks)
    assert all(bundle.query_str.endswith(COMPLEMENT) for bundle in bundles)
    assert len(loads) == 1
