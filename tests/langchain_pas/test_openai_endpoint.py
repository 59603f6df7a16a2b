"""What reaches an OpenAI-compatible endpoint: the user's text as an exact prefix, the complement, and no mark."""

import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI

COMPLEMENT = "Check every step before you answer."
ASK = "How do birds fly in the rain? {x} é 鸟 \u202d\n"


@pytest.fixture
def llm(openai_server):
    return ChatOpenAI(base_url=openai_server.url, api_key="test", model="scripted", max_retries=0)


def test_the_body_holds_the_text_as_an_exact_prefix(openai_server, llm, pas):
    assert (pas | llm).invoke(ASK).content == "Scripted reply."
    assert openai_server.requests[0]["messages"] == [{"role": "user", "content": f"{ASK}\n\n{COMPLEMENT}"}]


def test_a_streamed_answer_comes_piece_by_piece(openai_server, llm, pas):
    pieces = [chunk.content for chunk in (pas | llm).stream(ASK) if chunk.content]
    assert pieces == ["Scripted", " reply."]
    assert openai_server.requests[0]["stream"] is True
    assert openai_server.requests[0]["messages"][0]["content"].startswith(ASK)


async def test_async_and_bound_options(openai_server, llm, pas):
    await (pas | llm.bind(stop=["END"])).ainvoke([("system", "Be kind."), ("human", ASK)])
    assert openai_server.requests[0]["stop"] == ["END"]
    assert openai_server.requests[0]["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": f"{ASK}\n\n{COMPLEMENT}"},
    ]


def test_blocks_arrive_as_they_were_with_one_more_and_no_mark(openai_server, llm, pas):
    blocks = [
        {"type": "text", "text": "How do birds fly in the rain?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]
    (pas | llm).invoke([HumanMessage(blocks)])
    added = {"type": "text", "text": f"\n\n{COMPLEMENT}"}
    assert openai_server.requests[0]["messages"] == [{"role": "user", "content": [*blocks, added]}]
