import pytest
from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.indices.query.query_transform import HyDEQueryTransform
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import TransformQueryEngine
from llama_index.core.schema import QueryBundle

from llama_index_pas import PASQueryTransform
from pas_middleware import PAS, ScriptedModel

QUESTION = "Ten birds sit in a tree and one is shot. How many are left?"


# MockLLM answers with the prompt that it was given: a response shows what the LLM was asked.


@pytest.fixture
def engine(index, transform) -> TransformQueryEngine:
    return TransformQueryEngine(index.as_query_engine(llm=MockLLM()), transform)


def assert_asked_once(asked, complement):
    assert f"Query: {QUESTION}\n\n{complement}\n" in asked
    assert asked.count(complement) == 1


def test_the_llm_reads_the_complement_and_the_embedding_model_does_not(engine, embedding, complement):
    response = engine.query(QUESTION)
    assert_asked_once(str(response), complement)
    assert embedding.queries == [QUESTION]
    assert len(response.source_nodes) == 2


def test_the_embedding_model_reads_it_where_asked_to(index, embedding, model, complement):
    transform = PASQueryTransform(pas=PAS(model), augment_embedding=True)
    response = TransformQueryEngine(index.as_query_engine(llm=MockLLM()), transform).query(QUESTION)
    assert_asked_once(str(response), complement)
    assert embedding.queries == [f"{QUESTION}\n\n{complement}"]


def test_without_a_complement_all_is_as_without_pas(index, embedding):
    plain = index.as_query_engine(llm=MockLLM())
    expected = str(plain.query(QUESTION))
    silent = PASQueryTransform(pas=PAS(ScriptedModel("")))
    assert str(TransformQueryEngine(plain, silent).query(QUESTION)) == expected
    assert embedding.queries == [QUESTION, QUESTION]


async def test_the_async_engine_answers_alike(engine, embedding, complement):
    assert_asked_once(str(await engine.aquery(QUESTION)), complement)
    assert embedding.queries == [QUESTION]


def test_one_event_a_query(engine, events, complement):
    engine.query(QUESTION)
    assert [event.complement for event in events] == [complement]


def test_two_transforms_add_one_complement(engine, transform, events, complement):
    assert_asked_once(str(TransformQueryEngine(engine, transform).query(QUESTION)), complement)
    assert [event.reason for event in events] == ["", "already_augmented"]


def test_a_streaming_response_stays_one(index, transform, complement):
    inner = index.as_query_engine(llm=MockLLM(), streaming=True)
    response = TransformQueryEngine(inner, transform).query(QUESTION)
    assert isinstance(response, StreamingResponse)
    pieces = list(response.response_gen)
    assert len(pieces) > 1
    assert_asked_once("".join(pieces), complement)


async def test_an_async_streaming_response_stays_one(index, transform, complement):
    inner = index.as_query_engine(llm=MockLLM(), streaming=True)
    response = await TransformQueryEngine(inner, transform).aquery(QUESTION)
    assert isinstance(response, AsyncStreamingResponse)
    assert_asked_once("".join([piece async for piece in response.async_response_gen()]), complement)


def test_hyde_outside_writes_its_document_without_the_complement(engine, embedding, complement):
    response = TransformQueryEngine(engine, HyDEQueryTransform(llm=MockLLM())).query(QUESTION)
    assert_asked_once(str(response), complement)
    document, query = embedding.queries
    assert QUESTION in document
    assert complement not in document
    assert query == QUESTION


async def test_retrieving_with_the_query_and_answering_the_augmented_one(index, transform, embedding, complement):
    engine = index.as_query_engine(llm=MockLLM())
    nodes = await engine.aretrieve(QueryBundle(QUESTION))
    response = await engine.asynthesize(await transform.arun(QUESTION), nodes)
    assert_asked_once(str(response), complement)
    assert embedding.queries == [QUESTION]
