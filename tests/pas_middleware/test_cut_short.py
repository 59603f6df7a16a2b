"""A complement that was cut short is used and not remembered: the next call of the prompt gets the whole one."""

import asyncio

import pytest

from pas_middleware import PAS, Proposal, ScriptedModel, Settings

QUESTION = "Compare renting and buying a flat for a family of four."
FIRST, SECOND = "Name the horizon in years first.", " Then set the costs side by side."


class PanicException(BaseException):
    """Named as pyo3 names the panics of Rust."""


class Clock:
    """Stands still until the test moves it."""

    now = 0.0

    def __call__(self):
        return self.now


class Writer(ScriptedModel):
    """Streams its first sentence; what comes then decides, call by call, whether the second one follows."""

    def __init__(self, *then):
        super().__init__(FIRST + SECOND, deadline_ms=600_000)
        self._then = list(then)

    def propose(self, requests, deadline):
        if requests[0].on_text is not None:
            requests[0].on_text(FIRST + " ")
        if self._then:
            self._then.pop(0)()
        return super().propose(requests, deadline)


class Stepped:
    """An asynchronous stream that is gone through step by step."""

    def __init__(self, runner, pieces):
        self._runner, self._pieces = runner, pieces

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self._runner.run(anext(self._pieces))
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self):
        self._runner.run(self._pieces.aclose())


@pytest.fixture(params=["sync", "async"])
def begin(request):
    if request.param == "sync":
        yield lambda pas: pas.stream(QUESTION)
        return
    with asyncio.Runner() as runner:
        yield lambda pas: Stepped(runner, pas.astream(QUESTION))


def assert_whole_from_now_on(pas, begin):
    assert list(begin(pas)) == [FIRST, SECOND]
    asked = len(pas._pipeline.model.calls)
    assert pas.augment(QUESTION).complement == FIRST + SECOND
    assert len(pas._pipeline.model.calls) == asked  # the whole one is remembered


def test_stream_that_the_deadline_cut(begin, held):
    clock = Clock()
    with PAS(Writer(held), clock=clock) as pas:
        stream = begin(pas)
        assert next(stream) == FIRST
        clock.now += 601
        assert list(stream) == []
        held.release()
        assert_whole_from_now_on(pas, begin)


@pytest.mark.parametrize("error", [RuntimeError("device lost"), PanicException("index out of bounds")])
def test_stream_that_failed_midway(begin, error):
    def fail():
        raise error

    with PAS(Writer(fail)) as pas:
        assert list(begin(pas)) == [FIRST]
        assert_whole_from_now_on(pas, begin)


def test_stream_that_its_reader_left(begin, held):
    with PAS(Writer(held)) as pas:
        stream = begin(pas)
        assert next(stream) == FIRST
        stream.close()
        held.release()
        assert_whole_from_now_on(pas, begin)


def whole(pas):
    return pas.augment(QUESTION)


def in_a_task(pas):
    return asyncio.run(pas.aaugment(QUESTION))


def streamed(pas):
    return list(pas.stream(QUESTION, commit="token"))[-1]


@pytest.mark.parametrize("way", [whole, in_a_task, streamed])
@pytest.mark.parametrize("said, reason", [(FIRST, ""), ("See https://example.com first.", "guard_url")])
def test_complement_that_the_model_cut_itself(way, said, reason):
    answers = [Proposal(said, cut_short=True), Proposal(FIRST + SECOND)]
    with PAS(ScriptedModel(lambda _: answers.pop(0)), Settings(deadline_ms=600_000)) as pas:
        assert (way(pas).reason, answers) == (reason, [Proposal(FIRST + SECOND)])
        assert way(pas).complement == way(pas).complement == FIRST + SECOND
