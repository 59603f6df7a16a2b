"""Answer a question over a few documents with LlamaIndex: the LLM reads PAS's complement, retrieval does not.

    python examples/llama_index_rag.py ["your question"]

Runs offline with LlamaIndex's mock models. To ask a real LLM, `pip install openai` and set OPENAI_MODEL, OPENAI_API_KEY
and OPENAI_BASE_URL (any OpenAI-compatible server).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]  # re-exported, not by name
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent
from llama_index.core.instrumentation.events.llm import LLMCompletionStartEvent
from llama_index.core.llms import LLM, CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata, MockLLM
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.query_engine import TransformQueryEngine

from llama_index_pas import PASComplementEvent, PASQueryTransform
from pas_middleware import Settings

if TYPE_CHECKING:
    from openai import OpenAI

QUESTION = "If there are 10 birds on a tree and one is shot dead, how many birds are on the ground?"
DOCUMENTS = [
    "A gunshot is heard over several hundred metres.",
    "Birds that rest in a tree fly off together when they are startled by a loud noise.",
    "A bird that is hit falls to the ground or is caught in the branches.",
]


class EndpointLLM(CustomLLM):
    """Ask an OpenAI-compatible endpoint; its client reads OPENAI_API_KEY and OPENAI_BASE_URL itself."""

    model: str

    @property
    def metadata(self) -> LLMMetadata:
        """Return the model's name."""
        return LLMMetadata(model_name=self.model)

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Return the answer to a prompt."""
        reply = _client().chat.completions.create(model=self.model, messages=[{"role": "user", "content": prompt}])
        return CompletionResponse(text=reply.choices[0].message.content or "")

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Yield the answer to a prompt, in one piece."""
        answer = self.complete(prompt).text
        yield CompletionResponse(text=answer, delta=answer)


def _client() -> OpenAI:
    from openai import OpenAI  # an offline run does without it

    return OpenAI()


class Printer(BaseEventHandler):
    """Print what each model is asked, as LlamaIndex reports it."""

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        """Print one event."""
        if isinstance(event, PASComplementEvent):
            print(f"Complement: {event.complement or 'none: ' + event.reason} ({event.elapsed_ms:.0f} ms)")
        elif isinstance(event, EmbeddingEndEvent):
            print(f"Retrieval was asked: {event.chunks[0]}")
        elif isinstance(event, LLMCompletionStartEvent):
            print(f"The LLM was asked:\n{event.prompt}")


def main() -> None:
    """Index the documents, ask the question and print what went where."""
    question = " ".join(sys.argv[1:]) or QUESTION
    name = os.environ.get("OPENAI_MODEL")
    llm: LLM = EndpointLLM(model=name) if name else MockLLM(max_tokens=4)
    index = VectorStoreIndex.from_documents(
        [Document(text=t) for t in DOCUMENTS], embed_model=MockEmbedding(embed_dim=8)
    )
    get_dispatcher().add_event_handler(Printer())  # after indexing, which embeds too

    # A script asks once, on a machine that may be busy: it waits longer than a service would.
    transform = PASQueryTransform(settings=Settings(deadline_ms=2_000))
    engine = TransformQueryEngine(index.as_query_engine(llm=llm), transform)
    print(f"Question: {question}")
    print(f"Answer: {engine.query(question)}")


if __name__ == "__main__":
    main()
