"""A real index whose embedding model remembers its queries, and a record of PAS's events."""

from collections.abc import Iterator

import pytest
from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from pydantic import Field

from llama_index_pas import PASComplementEvent, PASQueryTransform
from pas_middleware import PAS, ScriptedModel

COMPLEMENT = "Think about what the shot does to the other birds."


class RecordingEmbedding(MockEmbedding):
    queries: list[str] = Field(default_factory=list)

    def _get_query_embedding(self, query):
        self.queries.append(query)
        return super()._get_query_embedding(query)

    async def _aget_query_embedding(self, query):
        return self._get_query_embedding(query)


class Recorder(BaseEventHandler):
    events: list[PASComplementEvent] = Field(default_factory=list)

    def handle(self, event, **kwargs):
        if isinstance(event, PASComplementEvent):
            self.events.append(event)


@pytest.fixture
def complement() -> str:
    return COMPLEMENT


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(COMPLEMENT)


@pytest.fixture
def transform(model) -> PASQueryTransform:
    return PASQueryTransform(pas=PAS(model))


@pytest.fixture
def embedding() -> RecordingEmbedding:
    return RecordingEmbedding(embed_dim=4)


@pytest.fixture
def index(embedding) -> VectorStoreIndex:
    texts = ["A shot is loud.", "Birds fly away from loud noises.", "A tree has branches."]
    return VectorStoreIndex.from_documents([Document(text=text) for text in texts], embed_model=embedding)


@pytest.fixture
def events() -> Iterator[list[PASComplementEvent]]:
    recorder, root = Recorder(), get_dispatcher()
    root.add_event_handler(recorder)
    yield recorder.events
    root.event_handlers.remove(recorder)


@pytest.fixture
def loads(monkeypatch, model) -> list[tuple]:
    """Replace PAS.load by one that counts, and lends a scripted model."""
    calls = []

    def load(*args, **kwargs):
        calls.append((args, kwargs))
        return PAS(model, kwargs["settings"])

    monkeypatch.setattr(PAS, "load", load)
    return calls
