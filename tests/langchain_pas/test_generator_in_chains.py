"""A generator behind the mounts of LangChain: nothing changes but the model directory's name."""

from langchain_core.language_models.fake_chat_models import FakeListChatModel, ParrotFakeChatModel
from langchain_core.messages import HumanMessage

import nano_models
from langchain_pas import PASRunnable
from pas_middleware import Settings

ROWS = nano_models.known_pairs(6)
UNHURRIED = Settings(deadline_ms=60_000)


def expected(row):
    return row["complement"]


def test_chain_with_a_model_directory(toy_generator):
    chain = PASRunnable(model=str(toy_generator), settings=UNHURRIED) | ParrotFakeChatModel()
    for row in ROWS:
        content = chain.invoke(row["prompt"]).content
        assert content.startswith(row["prompt"])
        assert content.endswith(expected(row)) or expected(row) in content


def test_batch_and_async_and_messages(toy_generator):
    runnable = PASRunnable(model=str(toy_generator), settings=UNHURRIED)
    alone = [runnable.invoke(row["prompt"]) for row in ROWS]
    assert runnable.batch([row["prompt"] for row in ROWS]) == alone
    message = runnable.invoke([HumanMessage(ROWS[0]["prompt"])])[0]
    assert message.content == alone[0]


async def test_async_chain_streams_what_the_model_downstream_streams(toy_generator):
    runnable = PASRunnable(model=str(toy_generator), settings=UNHURRIED)
    chain = runnable | FakeListChatModel(responses=["abc"])
    assert [chunk.content async for chunk in chain.astream(ROWS[0]["prompt"]) if chunk.content] == ["a", "b", "c"]
    assert expected(ROWS[0]) in await runnable.ainvoke(ROWS[0]["prompt"])
