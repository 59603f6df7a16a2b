"""One complement as it grows: picking tokens, and where it ends."""

import time
from collections import Counter

import numpy as np
import pytest

from pas_middleware.errors import AugmentationError, ConfigError, DeadlineExceeded
from pas_middleware.limits import Deadline
from pas_middleware.models.base import Proposal, Request
from pas_middleware.models.generation import Generation, Limits, Sampler
from pas_middleware.models.generator import _proposal
from pas_middleware.settings import Sampling

LOGITS = np.log(np.array([0.5, 0.25, 0.15, 0.1], np.float32))
IDS = np.array([7, 5, 3, 1], np.int64)
END = 2


class Spelled:
    """A tokenizer whose tokens are the characters of a text, in order."""

    def __init__(self, text):
        self.text = text

    def encode(self, prompt):
        return [1]

    def decode(self, ids):
        return self.text[: len(ids)]


def generation(text, *, max_words=30, max_new_tokens=400, on_text=None):
    limits = Limits(frozenset({END}), max_words, max_new_tokens)
    request = Request("How do tides work?", "en", on_text=on_text)
    return Generation(request, Spelled(text), limits, Deadline.after(60_000, time.monotonic))


def feed(generation, count, last=9):
    """Give so many tokens, then the last; return whether it goes on."""
    for _ in range(count):
        if not generation.add(np.zeros(1, np.float32), np.array([9])):
            return False
    return generation.add(np.zeros(1, np.float32), np.array([last]))


def test_greedy_takes_the_first():
    assert Sampler(Sampling(), "p").pick(LOGITS, IDS) == 7


def test_draws_follow_the_temperature():
    def shares(temperature):
        drawn = Sampler(Sampling(temperature=temperature, top_p=1.0, seed=1), "p")
        found = Counter(drawn.pick(LOGITS, IDS) for _ in range(4000))
        return [found[i] / 4000 for i in IDS.tolist()]

    assert shares(1.0) == pytest.approx([0.5, 0.25, 0.15, 0.1], abs=0.03)
    assert shares(0.5)[0] > shares(1.0)[0] > shares(2.0)[0]


def test_top_p_keeps_the_fewest_that_reach_it():
    drawn = Sampler(Sampling(temperature=1.0, top_p=0.7, seed=1), "p")
    assert {drawn.pick(LOGITS, IDS) for _ in range(500)} == {7, 5}
    always = Sampler(Sampling(temperature=1.0, top_p=0.01, seed=1), "p")
    assert {always.pick(LOGITS, IDS) for _ in range(50)} == {7}


def test_same_seed_and_prompt_draw_alike_and_others_do_not():
    def drawn(seed, prompt):
        sampler = Sampler(Sampling(temperature=1.0, top_p=1.0, seed=seed), prompt)
        return [sampler.pick(LOGITS, IDS) for _ in range(40)]

    assert drawn(1, "a") == drawn(1, "a")
    assert drawn(1, "a") != drawn(2, "a")
    assert drawn(1, "a") != drawn(1, "b")


@pytest.mark.parametrize("wrong", [{"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.5}, {"seed": "x"}])
def test_sampling_out_of_range_is_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Sampling(**wrong)


def test_it_ends_at_an_end_token_with_what_was_written():
    one = generation("Name the trap first.")
    assert not feed(one, 20, END)
    assert one.text.result(0) == "Name the trap first."


def test_it_ends_beyond_the_words_that_are_allowed():
    text = "One two three. Four five six seven"
    one = generation(text, max_words=5)
    assert not feed(one, len(text))
    assert one.text.result(0).startswith("One two three. Four five s")  # the guard cuts it at the sentence end


def test_out_of_tokens_it_keeps_whole_sentences():
    one = generation("One two. Three four", max_new_tokens=15)
    assert not feed(one, 20)
    assert _proposal(one, one.deadline) == Proposal("One two.")


def test_at_the_deadline_whole_sentences_are_kept():
    one = generation("Check the units. Then")
    assert feed(one, 20)
    one.expire()
    assert _proposal(one, one.deadline) == Proposal("Check the units.", cut_short=True)


def test_at_the_deadline_without_a_sentence_it_fails():
    one = generation("Check the units")
    feed(one, 10)
    one.expire()
    with pytest.raises(DeadlineExceeded):
        one.text.result(0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_fail(value):
    one = generation("x")
    assert not one.add(np.array([value], np.float32), np.array([9]))
    with pytest.raises(AugmentationError, match="no numbers"):
        one.text.result(0)


def test_text_is_passed_on_whenever_it_grows():
    seen = []
    one = generation("Hi there", on_text=seen.append)
    feed(one, 7)
    assert seen[0] == "H"
    assert seen[-1] == "Hi there"
    assert len(seen) == len(set(seen))
