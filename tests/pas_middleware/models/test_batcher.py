"""Rows join and leave between any two steps; nobody waits for ever and nobody pays for another's fault."""

import threading
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest

from pas_middleware.errors import AugmentationError, DeadlineExceeded
from pas_middleware.limits import Deadline
from pas_middleware.models.base import Request
from pas_middleware.models.batcher import CHUNK, Batcher
from pas_middleware.models.decoder import Top
from pas_middleware.models.generation import Generation, Limits

END = 0


class Letters:
    """A tokenizer of one id a character."""

    prefix = (1, 2)

    def encode(self, prompt):
        return [ord(character) for character in prompt]

    def decode(self, ids):
        return "".join(map(chr, ids))


class Echo:
    """A decoder that says 60 letters of each row's prompt again; its rows keep what they are given: mix-ups show."""

    def __init__(self, rows=3, movable=True):
        self.rows, self.prefix, self._movable = rows, 2, movable
        self._held = [[0, 0] for _ in range(rows)]
        self._prompts = [""] * rows
        self.steps = []
        self.before_step = lambda: None
        self.on_prefill = lambda options: None

    def prefill(self, row, ids, past, options):
        self.on_prefill(options)
        self._held[row] = [*self._held[row][:past], *ids]
        self._prompts[row] = "".join(map(chr, self._held[row][2:]))
        return self._top([self._prompts[row][0]])

    def step(self, tokens, lengths):
        self.before_step()
        self.steps.append(sum(token is not None for token in tokens))
        following = []
        for row, (token, length) in enumerate(zip(tokens, lengths, strict=True)):
            if token is None:
                following.append("?")
                continue
            assert len(self._held[row]) == length, "a row's length is not what it holds"
            self._held[row].append(token)
            said = len(self._held[row]) - 2 - len(self._prompts[row])
            rest = self._prompts[row][said:60]
            following.append(rest[0] if rest else chr(END))
        return self._top(following)

    def move(self, source, target, length):
        if self._movable:
            self._held[target] = self._held[source][:length]
            self._prompts[target] = self._prompts[source]
        return self._movable

    def _top(self, characters):
        return Top(np.zeros((len(characters), 1), np.float32), np.array([[ord(c)] for c in characters]))


def generation(prompt, seconds=60.0, clock=time.monotonic, on_text=None):
    limits = Limits(frozenset({END}), 10_000, 10_000)
    return Generation(Request(prompt, "en", on_text=on_text), Letters(), limits, Deadline(clock() + seconds, clock))


def submitted(batcher, *prompts, **kwargs):
    generations = [generation(prompt, **kwargs) for prompt in prompts]
    for one in generations:
        batcher.submit(one)
    return generations


def results(generations):
    return [one.text.result(20) for one in generations]


def ended(batcher):
    """Wait until the batcher's thread is gone, which it is when there is no work."""
    for _ in range(1000):
        if batcher._thread is None:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("movable", [True, False])
@pytest.mark.parametrize("rows", [1, 3, 8])
def test_each_gets_its_own_whatever_the_neighbours_do(rows, movable):
    batcher = Batcher(lambda: Echo(rows, movable))
    prompts = [f"{number} " + "word " * (number * 7 % 11) + "end" for number in range(60)]
    generations = []
    for number, prompt in enumerate(prompts):
        generations += submitted(batcher, prompt)
        if number % 7 == 0:
            time.sleep(0.002)
    assert results(generations) == prompts
    assert ended(batcher)


def test_long_prompts_are_read_in_pieces_between_the_steps_of_others():
    decoder = Echo()
    first, joined = threading.Event(), threading.Event()
    decoder.before_step = lambda: (first.set(), joined.wait(10))
    order = []
    decoder.on_prefill = lambda options: order.append(len(decoder.steps))
    batcher = Batcher(lambda: decoder)
    short = submitted(batcher, "a" * 60)
    first.wait(10)
    long = submitted(batcher, "b" * (CHUNK * 4 + 5))
    joined.set()
    assert results(short + long) == ["a" * 60, "b" * 60]
    pieces = order[1:]
    assert len(pieces) == 5
    assert len(set(pieces)) == 5  # a step between any two


def test_more_than_rows_wait_in_order():
    decoder = Echo(rows=2)
    batcher = Batcher(lambda: decoder)
    generations = submitted(batcher, *["abc"] * 9)
    assert results(generations) == ["abc"] * 9
    assert max(decoder.steps) == 2


def test_row_of_a_caller_that_is_gone_is_free_at_once():
    decoder = Echo(rows=1)
    go = threading.Semaphore(1)
    decoder.before_step = lambda: go.acquire()
    batcher = Batcher(lambda: decoder)
    gone, waiting = submitted(batcher, "a" * 60, "bc")
    while not decoder.steps:
        time.sleep(0.001)
    gone.deadline.cancel()
    for _ in range(20):
        go.release()
    assert waiting.text.result(20) == "bc"
    assert len(decoder.steps) < 20
    with pytest.raises(DeadlineExceeded):
        gone.text.result(0)


def test_cancellation_stops_the_run_that_reads_the_prompt():
    decoder = Echo()
    stopped = []

    def read(options):
        one.deadline.cancel()
        stopped.append(options.terminate)
        raise RuntimeError("terminated")

    decoder.on_prefill = read
    batcher = Batcher(lambda: decoder)
    (one,) = submitted(batcher, "abc")
    with pytest.raises(AugmentationError, match="could not be read"):
        one.text.result(20)
    assert stopped == [True]


def test_late_ones_end_with_their_whole_sentences():
    now = [0.0]
    decoder = Echo()
    decoder.before_step = lambda: now.__setitem__(0, now[0] + 0.1)
    batcher = Batcher(lambda: decoder)
    (one,) = submitted(batcher, "Check the units. Then go on and on", seconds=2.5, clock=lambda: now[0])
    assert one.text.result(20) == "Check the units."


def test_fault_of_one_prompt_is_its_own():
    decoder = Echo()

    def fail_once(options):
        decoder.on_prefill = lambda options: None
        raise RuntimeError("bad input")

    decoder.on_prefill = fail_once
    batcher = Batcher(lambda: decoder)
    bad, good = submitted(batcher, "bad", "good")
    assert good.text.result(20) == "good"
    with pytest.raises(AugmentationError, match="bad input"):
        bad.text.result(0)


def test_fault_of_a_step_ends_all_that_ran_and_the_next_go_on():
    decoder = Echo()

    def fail_once():
        decoder.before_step = lambda: None
        raise RuntimeError("step failed")

    decoder.before_step = fail_once
    batcher = Batcher(lambda: decoder)
    (bad,) = submitted(batcher, "abc")
    with pytest.raises(RuntimeError, match="step failed"):
        bad.text.result(20)
    assert results(submitted(batcher, "def")) == ["def"]


def test_decoder_that_cannot_be_opened_fails_everyone_and_is_tried_again():
    tries = []

    def opens():
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no such file")
        return Echo()

    batcher = Batcher(opens)
    (bad,) = submitted(batcher, "abc")
    with pytest.raises(OSError, match="no such file"):
        bad.text.result(20)
    assert results(submitted(batcher, "def", "ghi")) == ["def", "ghi"]
    assert len(tries) == 2


def test_close_ends_everyone_and_a_later_request_opens_anew():
    opened = []
    blocked, go = threading.Event(), threading.Event()

    def opens():
        decoder = Echo(rows=1)
        decoder.before_step = lambda: (blocked.set(), go.wait(10))
        opened.append(decoder)
        return decoder

    batcher = Batcher(opens)
    running, waiting = submitted(batcher, "abc", "def")
    blocked.wait(10)
    closing = threading.Thread(target=batcher.close)
    closing.start()
    for one in (running, waiting):
        with pytest.raises(CancelledError):
            one.text.result(20)
    go.set()
    closing.join(20)
    assert not closing.is_alive()
    assert results(submitted(batcher, "ghi")) == ["ghi"]
    assert len(opened) == 2


def test_thread_ends_with_the_work():
    batcher = Batcher(Echo)
    before = threading.active_count()
    results(submitted(batcher, "abc", "def"))
    assert ended(batcher)
    assert threading.active_count() <= before
