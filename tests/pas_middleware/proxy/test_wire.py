"""A connection to the upstream over a transport that the test plays: what is written, read, held back and given up."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import h11
import pytest

from pas_middleware.proxy.connection import Ask, Connection, Origin, _Wire

#: Bytes that may wait to be read before the upstream has to.
MUCH = 65_536
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none"


class Played(asyncio.Transport):
    """Keeps what is written; the wire gets what the test says, or the next answer as soon as a request came."""

    def __init__(self, wire: _Wire, *answers: bytes) -> None:
        super().__init__()
        self.wire, self.answers = wire, list(answers)
        self.written: list[bytes] = []
        self.calls: list[str] = []
        self.closing = False
        wire.connection_made(self)

    def says(self, data: bytes) -> None:
        while data:
            buffer = self.wire.get_buffer(-1)
            piece, data = data[: len(buffer)], data[len(buffer) :]
            buffer[: len(piece)] = piece
            self.wire.buffer_updated(len(piece))

    def write(self, data: bytes) -> None:
        self.written.append(bytes(data))
        if self.answers:
            self.says(self.answers.pop(0))

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def abort(self) -> None:
        self.closing = True
        self.calls.append("abort")


@pytest.fixture
def wire() -> _Wire:
    return _Wire()


async def soon(work):
    task = asyncio.ensure_future(work)
    await asyncio.wait([task], timeout=10)  # else what goes wrong is a test without an end
    assert task.done()  # a TimeoutError is the code's own, never this one's
    return task.result()


async def test_what_came_is_read_piece_by_piece_in_its_order(wire):
    played = Played(wire)
    assert wire.silent
    for piece in (b"one", b"two"):
        played.says(piece)
    assert not wire.silent
    assert [await wire.read(1), await wire.read(1)] == [b"one", b"two"]
    assert wire.silent and played.calls == []


async def test_who_reads_first_waits_for_what_comes(wire):
    played = Played(wire)
    for piece in (b"one", b"two"):
        reading = asyncio.ensure_future(wire.read(5))
        await asyncio.sleep(0)
        assert not reading.done()
        played.says(piece)
        assert await soon(reading) == piece


async def test_nobody_waits_longer_than_it_was_told(wire):
    Played(wire)
    with pytest.raises(TimeoutError):
        await soon(wire.read(0.01))


@pytest.mark.parametrize("ends", [lambda wire: wire.eof_received(), lambda wire: wire.connection_lost(None)])
async def test_the_end_comes_behind_what_came_and_stays(wire, ends):
    played = Played(wire)
    played.says(b"one")
    ends(wire)
    assert [await soon(wire.read(1)) for _ in range(3)] == [b"one", b"", b""]
    assert not wire.silent


async def test_the_end_wakes_who_reads_and_who_writes(wire):
    Played(wire)
    wire.pause_writing()
    waiting = [asyncio.ensure_future(wire.read(5)), asyncio.ensure_future(wire.write(b"x", 5))]
    await asyncio.sleep(0)
    wire.connection_lost(ConnectionResetError())
    assert await soon(asyncio.gather(*waiting)) == [b"", None]


async def test_an_upstream_waits_while_much_is_unread_and_is_told_once(wire):
    played = Played(wire)
    half = MUCH // 2
    played.says(b"a" * half)
    played.says(b"b" * half)
    assert played.calls == []  # exactly as much as may wait
    played.says(b"c")
    played.says(b"d")
    assert played.calls == ["pause"]
    assert len(await wire.read(1)) == half and played.calls == ["pause", "resume"]
    assert len(await wire.read(1)) == half and played.calls == ["pause", "resume"]
    played.says(b"e" * half)
    assert played.calls == ["pause", "resume"]
    played.says(b"f" * half)
    assert played.calls == ["pause", "resume", "pause"]


async def test_it_goes_on_once_no_more_than_so_much_is_unread(wire):
    played = Played(wire)
    for piece in (b"a", b"b", b"c" * (MUCH // 2), b"d" * (MUCH // 2)):
        played.says(piece)
    assert played.calls == ["pause"]
    await wire.read(1)
    assert played.calls == ["pause"]  # one byte too much
    await wire.read(1)
    assert played.calls == ["pause", "resume"]


async def test_an_upstream_that_is_gone_is_told_nothing(wire):
    played = Played(wire)
    played.says(b"a" * (MUCH + 1))
    played.closing = True
    while not wire.silent:
        await wire.read(1)
    assert played.calls == ["pause"]


async def test_what_is_written_goes_at_once_and_waits_only_behind_much(wire):
    played = Played(wire)
    await wire.write(b"one", 0.01)
    wire.pause_writing()
    writing = asyncio.ensure_future(wire.write(b"two", 5))
    await asyncio.sleep(0)
    assert played.written == [b"one", b"two"] and not writing.done()
    wire.resume_writing()
    await soon(writing)
    wire.pause_writing()
    with pytest.raises(TimeoutError):
        await soon(wire.write(b"three", 0.01))


async def test_nothing_is_written_where_nobody_reads_any_more(wire):
    played = Played(wire)
    played.closing = True
    with pytest.raises(ConnectionError):
        await wire.write(b"one", 1)
    assert played.written == []


def connected(*answers: bytes, read_s: float = 5.0) -> tuple[Connection, Played]:
    connection = Connection(wire := _Wire(), read_s)
    return connection, Played(wire, *answers)


async def in_pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def get(*headers: tuple[bytes, bytes]) -> Ask:
    return Ask(b"GET", b"/v1/models", [(b"host", b"a.test"), *headers], b"")


async def whole(connection: Connection) -> list[bytes]:
    return [piece async for piece in connection.pieces()]


async def test_a_request_with_its_body_is_written_in_one_go():
    connection, played = connected(ANSWER)
    headers = [(b"host", b"a.test"), (b"content-length", b"5")]
    head = await soon(connection.ask(Ask(b"POST", b"/v1/x?y", headers, b"hello")))
    assert played.written == [b"POST /v1/x?y HTTP/1.1\r\nhost: a.test\r\ncontent-length: 5\r\n\r\nhello"]
    assert (head.status_code, await whole(connection)) == (200, [b"one"])


@pytest.mark.parametrize(
    "header, body",
    [
        ((b"content-length", b"6"), [b"one", b"two"]),
        ((b"transfer-encoding", b"chunked"), [b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"]),
    ],
)
async def test_a_body_in_pieces_is_written_as_it_comes(header, body):
    connection, played = connected()
    asking = asyncio.ensure_future(
        connection.ask(Ask(b"PUT", b"/f", [(b"host", b"a.test"), header], in_pieces(b"one", b"", b"two")))
    )
    while not asking.done() and not b"".join(played.written).endswith(body[-1]):
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    head = b"PUT /f HTTP/1.1\r\nhost: a.test\r\n" + header[0] + b": " + header[1] + b"\r\n\r\n"
    assert [data for data in played.written if data] == [head, *body]
    played.says(ANSWER)
    assert (await soon(asking)).status_code == 200


async def test_what_only_says_that_it_goes_on_is_passed_over():
    connection, _ = connected(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + ANSWER)
    assert (await soon(connection.ask(get()))).status_code == 200


async def test_an_answer_counts_though_the_request_could_not_be_sent():
    connection, played = connected()
    played.says(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
    played.closing = True
    assert (await soon(connection.ask(get()))).status_code == 413
    assert played.written == []


async def test_what_came_together_goes_on_together_and_the_rest_as_it_comes():
    connection, played = connected(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n5\r\nth"
    )
    await soon(connection.ask(get()))
    pieces = connection.pieces()
    assert await soon(anext(pieces)) == b"onetwoth"
    played.says(b"ree\r\n")
    assert await soon(anext(pieces)) == b"ree"
    played.says(b"0\r\n\r\n")
    with pytest.raises(StopAsyncIteration):
        await soon(anext(pieces))


@pytest.mark.parametrize("ends", [True, False])
async def test_an_answer_that_breaks_off_or_stops_is_no_whole_one(ends):
    connection, played = connected(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\none", read_s=0.01)
    await soon(connection.ask(get()))
    if ends:
        played.wire.eof_received()
    with pytest.raises(h11.RemoteProtocolError if ends else TimeoutError):
        await soon(whole(connection))


async def test_no_answer_in_time():
    connection, _ = connected(read_s=0.01)
    with pytest.raises(TimeoutError):
        await soon(connection.ask(get()))


async def test_an_upstream_that_reads_nothing_is_given_up():
    connection, played = connected(read_s=0.01)
    played.wire.pause_writing()
    with pytest.raises(TimeoutError):
        await soon(connection._write(b"x"))


@pytest.mark.parametrize("length, fits", [(60_000, True), (110_000, False)])
async def test_the_head_of_an_answer_may_be_long_and_not_endless(length, fits):
    connection, played = connected(b"HTTP/1.1 200 OK\r\na: " + b"b" * length)
    asking = asyncio.ensure_future(connection.ask(get()))
    await asyncio.sleep(0)
    played.says(b"\r\ncontent-length: 0\r\n\r\n")
    if fits:
        assert (await soon(asking)).status_code == 200
    else:
        with pytest.raises(h11.RemoteProtocolError):
            await soon(asking)


async def answered(said: bytes = ANSWER) -> tuple[Connection, Played]:
    connection, played = connected(said)
    await connection.ask(get())
    await whole(connection)
    return connection, played


async def test_a_connection_that_rested_not_too_long_takes_another_request(monkeypatch):
    connection, played = await answered()
    assert connection.rest() and connection.fresh
    loop = asyncio.get_running_loop()
    rested = connection._rested
    monkeypatch.setattr(loop, "time", lambda: rested + 4.9)
    assert connection.fresh
    monkeypatch.setattr(loop, "time", lambda: rested + 5.0)
    assert not connection.fresh
    monkeypatch.undo()
    played.answers.append(ANSWER)
    assert (await soon(connection.ask(get()))).status_code == 200


async def test_a_connection_on_which_somebody_spoke_or_left_meanwhile_takes_no_request():
    for happens in (lambda played: played.says(b"x"), lambda played: played.wire.eof_received()):
        connection, played = await answered()
        assert connection.rest()
        happens(played)
        assert not connection.fresh


@pytest.mark.parametrize("said", [ANSWER + b"x", ANSWER.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")])
async def test_a_connection_that_is_at_its_end_does_not_rest(said):
    connection, _ = await answered(said)
    assert connection.rest() is False


async def test_a_connection_whose_answer_was_not_read_to_its_end_does_not_rest():
    connection, _ = connected(ANSWER)
    await connection.ask(get())
    assert connection.rest() is False


async def test_a_connection_that_left_while_it_answered_does_not_rest():
    connection, played = connected(ANSWER)
    await connection.ask(get())
    await whole(connection)
    played.wire.connection_lost(None)
    assert connection.rest() is False


def test_to_close_is_to_hang_up_at_once():
    connection, played = connected()
    connection.close()
    assert played.calls == ["abort"]


def origin(connect_s: float = 5.0, context: ssl.SSLContext | None = None) -> Origin:
    return Origin("a.test", 443, context, connect_s, 7.0)


async def test_a_connection_goes_to_the_origin_with_its_tls(monkeypatch):
    asked = []

    async def create_connection(protocol, *where, **how):
        asked.append((where, how))
        return None, protocol()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", create_connection)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    connection = await Connection.open(origin(context=context))
    # Of a host with several addresses none that is dead may use up the time of those that are not.
    assert asked == [(("a.test", 443), {"ssl": context, "happy_eyeballs_delay": 0.25})]
    assert isinstance(connection._wire, _Wire) and connection._read_s == 7.0


async def test_a_connection_that_does_not_come_is_given_up(monkeypatch):
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", lambda *_, **__: asyncio.Event().wait())
    with pytest.raises(TimeoutError):
        await soon(Connection.open(origin(connect_s=0.01)))
