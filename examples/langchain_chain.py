"""Put PAS before a chat model with LangChain, and see what the model was sent.

    python examples/langchain_chain.py ["your question"]

Runs offline with a fake chat model. To ask a real one, `pip install langchain-openai` and set OPENAI_MODEL,
OPENAI_API_KEY and OPENAI_BASE_URL (any OpenAI-compatible server).
"""

from __future__ import annotations

import os
import sys
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import BaseMessage
from langchain_core.output_parsers import StrOutputParser

from langchain_pas import PASRunnable
from pas_middleware import Settings

QUESTION = "If there are 10 birds on a tree and one is shot dead, how many birds are on the ground?"


class Printer(BaseCallbackHandler):
    """Print what PAS decided and what the chat model is sent, as LangChain reports it."""

    def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        """Print PAS's decision."""
        if name == "pas_complement":
            print(f"Complement: {data['complement'] or 'none: ' + data['reason']} ({data['elapsed_ms']:.0f} ms)")

    def on_chat_model_start(self, serialized: dict[str, Any], messages: list[list[BaseMessage]], **kwargs: Any) -> None:
        """Print the messages of one call."""
        for message in messages[0]:
            print(f"The model was sent ({message.type}):\n{message.content}")


def chat_model() -> BaseChatModel:
    """Return the endpoint's chat model where OPENAI_MODEL names one, else a fake that needs no network."""
    name = os.environ.get("OPENAI_MODEL")
    if not name:
        return FakeListChatModel(responses=["(a fake model's answer)"])
    from langchain_openai import ChatOpenAI  # an offline run does without it

    return ChatOpenAI(model=name)


def main() -> None:
    """Ask the question and print the answer as it streams."""
    question = " ".join(sys.argv[1:]) or QUESTION
    # A script asks once, on a machine that may be busy: it waits longer than a service would.
    pas = PASRunnable(settings=Settings(deadline_ms=2_000))
    chain = pas | chat_model() | StrOutputParser()
    print(f"Question: {question}")
    pieces = chain.stream(question, {"callbacks": [Printer()]})
    print(f"Answer: {next(pieces, '')}", end="")
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


if __name__ == "__main__":
    main()
