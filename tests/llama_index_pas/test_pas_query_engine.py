"""PASQueryEngine: whatever retrieves reads the plain query, the LLM the augmented one, and nothing else changes."""

from typing import Any

import pytest
from llama_index.core import PromptTemplate, QueryBundle
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import NodeWithScore, TextNode
from pydantic import Field

from llama_index_pas import PASQueryEngine
from pas_middleware import PAS, ScriptedModel

QUESTION = "Ten birds sit in a tree and one is shot. How many are left?"
MODES = pytest.mark.parametrize("mode", ["sync", "async"])


class KeywordRetriever(BaseRetriever):
    """Retrieve by the words of `query_str`, as BM25 and hybrid stores do; remembers what it read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def _retrieve(self, query_bundle):
        self.read.append(query_bundle.query_str)
        return [NodeWithScore(node=TextNode(text="Birds fly away from loud noises."), score=1.0)]


class Reranker(BaseNodePostprocessor):
    read: list[str] = Field(default_factory=list)

    def _postprocess_nodes(self, nodes, query_bundle=None):
        self.read.append(query_bundle.query_str)
        return nodes


class Whole(BaseQueryEngine):
    """An engine that cannot retrieve apart."""

    def __init__(self) -> None:
        super().__init__(None)
        self.read: list[str] = []

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {}

    def _query(self, query_bundle):
        self.read.append(query_bundle.query_str)
        return Response("done")

    async def _aquery(self, query_bundle):
        return self._query(query_bundle)


@pytest.fixture
def pas(model):
    with PAS(model) as engine:
        yield engine


async def answer(engine, query, mode):
    return engine.query(query) if mode == "sync" else await engine.aquery(query)


def assert_asked_once(asked, complement):
    assert f"Query: {QUESTION}\n\n{complement}\n" in asked
    assert asked.count(complement) == 1


@MODES
async def test_the_llm_reads_the_complement_and_embedding_and_reranker_do_not(index, embedding, pas, complement, mode):
    reranker = Reranker()
    engine = PASQueryEngine(index.as_query_engine(llm=MockLLM(), node_postprocessors=[reranker]), pas=pas)
    response = await answer(engine, QUESTION, mode)
    assert_asked_once(str(response), complement)
    assert embedding.queries == [QUESTION]
    assert reranker.read == [QUESTION]
    assert len(response.source_nodes) == 2


@MODES
async def test_keyword_and_hybrid_retrieval_read_the_plain_query(index, embedding, pas, complement, mode):
    keyword = KeywordRetriever()
    hybrid = QueryFusionRetriever([keyword, index.as_retriever()], llm=MockLLM(), num_queries=1, use_async=False)
    inner = RetrieverQueryEngine(hybrid, get_response_synthesizer(llm=MockLLM()))
    assert_asked_once(str(await answer(PASQueryEngine(inner, pas=pas), QUESTION, mode)), complement)
    assert keyword.read == [QUESTION]
    assert embedding.queries == [QUESTION]


@MODES
async def test_an_engine_that_cannot_retrieve_apart_is_asked_the_augmented_query(pas, complement, mode):
    inner = Whole()
    assert str(await answer(PASQueryEngine(inner, pas=pas), QUESTION, mode)) == "done"
    assert inner.read == [f"{QUESTION}\n\n{complement}"]


@MODES
@pytest.mark.parametrize("query", ["Thanks!", QUESTION])
async def test_without_a_complement_all_is_as_without_pas(index, query, mode):
    def run(wrap):
        debug = LlamaDebugHandler(print_trace_on_end=False)
        inner = index.as_query_engine(llm=MockLLM())
        inner.callback_manager = CallbackManager([debug])
        return wrap(inner), debug

    plain, expected = run(lambda inner: inner)
    with PAS(ScriptedModel("")) as silent:
        wrapped, seen = run(lambda inner: PASQueryEngine(inner, pas=silent))
        assert str(await answer(wrapped, query, mode)) == str(await answer(plain, query, mode))
    assert [e.event_type for e in seen.get_events()] == [e.event_type for e in expected.get_events()]


async def test_streaming(index, pas, complement):
    engine = PASQueryEngine(index.as_query_engine(llm=MockLLM(), streaming=True), pas=pas)
    response = engine.query(QUESTION)
    assert isinstance(response, StreamingResponse)
    assert_asked_once("".join(response.response_gen), complement)


async def test_async_streaming(index, pas, complement):
    engine = PASQueryEngine(index.as_query_engine(llm=MockLLM(), streaming=True, use_async=True), pas=pas)
    response = await engine.aquery(QUESTION)
    assert isinstance(response, AsyncStreamingResponse)
    assert_asked_once("".join([piece async for piece in response.async_response_gen()]), complement)


def test_prompts_keep_their_names_and_can_be_updated(index, pas, complement):
    inner = index.as_query_engine(llm=MockLLM())
    engine = PASQueryEngine(inner, pas=pas)
    assert engine.get_prompts().keys() == inner.get_prompts().keys()
    engine.update_prompts({"response_synthesizer:text_qa_template": PromptTemplate("Asked: {query_str}")})
    assert str(engine.query(QUESTION)) == f"Asked: {QUESTION}\n\n{complement}"


@MODES
async def test_retrieve_and_synthesize_apart(index, embedding, pas, complement, mode):
    engine, bundle = PASQueryEngine(index.as_query_engine(llm=MockLLM()), pas=pas), QueryBundle(QUESTION)
    if mode == "sync":
        response = engine.synthesize(bundle, engine.retrieve(bundle))
    else:
        response = await engine.asynthesize(bundle, await engine.aretrieve(bundle))
    assert_asked_once(str(response), complement)
    assert embedding.queries == [QUESTION]


def test_one_event_a_query(index, pas, events, complement):
    PASQueryEngine(index.as_query_engine(llm=MockLLM()), pas=pas).query(QUESTION)
    assert [event.complement for event in events] == [complement]


def test_two_wrappers_add_one_complement(index, pas, complement):
    inner = PASQueryEngine(index.as_query_engine(llm=MockLLM()), pas=pas)
    assert_asked_once(str(PASQueryEngine(inner, pas=pas).query(QUESTION)), complement)
