"""One request as it comes in: its target, its body up to the limit, and a client that leaves."""

import asyncio

import pytest

from in_process import Client, scope
from pas_middleware.proxy.inbound import ClientGone, Inbound

PIECES = (b"one ", b"two ", b"three")


def inbound(client: Client, **request: object) -> Inbound:
    return Inbound(scope(**request), client.receive)


async def rest(request: Inbound) -> list[bytes]:
    async with asyncio.timeout(10):
        return [piece async for piece in request.pieces()]


def test_what_was_asked():
    raw = [(b"x-own", b"1"), (b"x-own", b"2")]
    got = inbound(Client(), path="/v1/a", method="PUT", headers=raw, query=b"b=c&d")
    assert (got.path, got.method, got.target, got.raw) == ("/v1/a", "PUT", b"/v1/a?b=c&d", raw)
    assert got.headers.getlist("x-own") == ["1", "2"]
    assert inbound(Client(), path="/v1/a").target == b"/v1/a"


@pytest.mark.parametrize("limit", [13, 14, 1_000])
async def test_a_body_within_the_limit_is_whole(limit):
    assert await inbound(Client(*PIECES)).body(limit) == b"one two three"


@pytest.mark.parametrize("limit", [3, 4, 7, 8, 12])
async def test_of_a_body_beyond_the_limit_every_piece_is_still_there(limit):
    request = inbound(Client(*PIECES))
    assert await request.body(limit) is None
    assert await rest(request) == list(PIECES)


async def test_a_body_that_was_read_is_given_once_more_and_not_twice():
    request = inbound(Client(*PIECES))
    assert await request.body(1_000) == b"one two three"
    assert (await rest(request), await rest(request)) == (list(PIECES), [])


async def test_a_message_that_says_nothing_is_the_end():
    client = Client()
    client._coming = [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.request"}]
    request = inbound(client)
    assert await request.body(10) == b"a"
    assert await rest(request) == [b"a", b""]


async def test_nobody_waits_for_a_body_that_does_not_come():
    request = inbound(Client())
    request.no_body()
    assert await rest(request) == []


async def test_a_client_that_leaves_before_its_body_ends_is_gone():
    request = inbound(Client(leaves=True))
    request_with_half = inbound(half := Client(b"a", leaves=True))
    half._coming[0]["more_body"] = True
    for each in (request, request_with_half):
        with pytest.raises(ClientGone):
            await each.body(10)


async def test_what_comes_of_the_work_and_nobody_watches_after_it():
    client, before = Client(b"a"), asyncio.all_tasks()

    async def work() -> str:
        await asyncio.sleep(0.01)
        return "done"

    request = inbound(client)
    assert await request.body(10) == b"a"
    assert await request.while_there(work()) == "done"
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def forever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("ended")


async def test_the_work_ends_when_its_client_leaves():
    client, ended = Client(b"a", leaves=True), []
    client._coming.append({"type": "http.request", "body": b"", "more_body": False})  # of no interest any more
    request = inbound(client)
    assert await request.body(10) == b"a"
    async with asyncio.timeout(10):
        with pytest.raises(ClientGone):
            await request.while_there(forever(ended))
    assert ended == ["ended"] and client._coming == []
    await asyncio.sleep(0)  # where a cancel was left over, it would come up here
    assert asyncio.current_task().cancelling() == 0


async def test_the_watch_takes_no_piece_of_a_body_that_is_still_to_be_read():
    request = inbound(Client(*PIECES))

    async def work() -> bytes | None:
        await asyncio.sleep(0.01)
        return await request.body(1_000)

    async with asyncio.timeout(10):
        assert await request.while_there(work()) == b"one two three"


async def test_who_cancels_the_work_is_not_told_that_the_client_left():
    request, ended = inbound(Client(b"")), []
    assert await request.body(10) == b""
    task = asyncio.ensure_future(request.while_there(forever(ended)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["ended"]


async def test_a_cancel_counts_more_than_a_client_that_leaves_at_the_same_time():
    leaves = asyncio.Event()

    async def receive() -> dict[str, object]:
        await leaves.wait()
        return {"type": "http.disconnect"}

    request, ended = Inbound(scope(), receive), []
    request.no_body()
    task = asyncio.ensure_future(request.while_there(forever(ended)))
    await asyncio.sleep(0.01)
    leaves.set()
    task.cancel()  # before the one who watches runs again
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["ended"]
