"""Streams: whole sentences that passed the guard, or provisional pieces that the end may retract."""

import asyncio
import threading
import time

import pytest

from pas_middleware import PAS, Augmentation, AugmentationError, InputError, Proposal, ScriptedModel, Settings
from pas_middleware.draft import Draft
from pas_middleware.errors import GuardRejected
from pas_middleware.models.base import ModelInfo

QUESTION = "Compare renting and buying a flat for a family of four."
FIRST, SECOND = "Name the horizon in years first.", " Then set the costs side by side."


class Dictated:
    """A model that writes a text in pieces; an exception among them is raised."""

    def __init__(self, *pieces, pause=lambda: None, deadline_ms=5_000.0):
        self._pieces, self._pause = pieces, pause
        self.left = threading.Event()
        self.info = ModelInfo("dictated", "generator", "1", ("en", "zh"), deadline_ms)

    def propose(self, requests, deadline):
        deadline.on_cancel(self.left.set)
        written = ""
        for piece in self._pieces:
            if isinstance(piece, BaseException):
                raise piece
            written += piece
            if requests[0].on_text is not None:
                requests[0].on_text(written)
            self._pause()
        return [Proposal(written)]

    def recognises(self, text):
        return False

    def close(self):
        pass


def streamed(model, commit="sentence", settings=None, prompt=QUESTION):
    with PAS(model, settings) as pas:
        return list(pas.stream(prompt, commit=commit))


async def astreamed(model, commit="sentence", settings=None, prompt=QUESTION):
    with PAS(model, settings) as pas:
        return [piece async for piece in pas.astream(prompt, commit=commit)]


@pytest.fixture(params=["sync", "async"])
def run(request):
    if request.param == "sync":
        return streamed
    return lambda *args, **kwargs: asyncio.run(astreamed(*args, **kwargs))


def spelled(text):
    return [text[i : i + 3] for i in range(0, len(text), 3)]


def test_sentences_come_as_they_are_ready(run):
    assert run(Dictated(*spelled(FIRST + SECOND))) == [FIRST, SECOND]


def test_what_was_streamed_is_what_is_applied(run):
    text = FIRST + SECOND
    with PAS(Dictated(*spelled(text))) as pas:
        assert pas.augment(QUESTION).complement == "".join(run(Dictated(*spelled(text)))) == text


def test_sentence_that_the_guard_refuses_is_held_back_and_what_came_before_stays(run):
    bad = " See https://example.com for the rest. And more."
    assert run(Dictated(*spelled(FIRST + bad))) == [FIRST]


def test_nothing_comes_where_the_first_sentence_is_refused(run):
    assert run(Dictated(*spelled("See https://example.com now. " + FIRST))) == []


def test_unfinished_rest_is_left_out(run):
    long = " " + "very " * 40 + "long."
    assert run(Dictated(*spelled(FIRST + long))) == [FIRST]


def test_tokens_come_at_once_and_the_end_says_what_holds(run):
    *pieces, result = run(Dictated(*spelled(FIRST + SECOND)), commit="token")
    assert "".join(pieces) == FIRST + SECOND
    assert len(pieces) > 10
    assert isinstance(result, Augmentation)
    assert (result.status, result.complement) == ("applied", FIRST + SECOND)


def test_tokens_may_be_retracted(run):
    *pieces, result = run(Dictated(*spelled("See https://example.com for it.")), commit="token")
    assert "".join(pieces) == "See https://example.com for it."
    assert (result.status, result.reason, result.complement) == ("skipped", "guard_url", "")
    assert result.text == QUESTION


def test_tokens_of_an_over_long_complement_are_retracted_to_the_sentence(run):
    *_, result = run(Dictated(*spelled(FIRST + " " + "very " * 40)), commit="token")
    assert result.complement == FIRST


@pytest.mark.parametrize("commit", ["sentence", "token"])
def test_skips_stream_no_text(run, commit):
    found = run(Dictated(FIRST), commit=commit, prompt="make it shorter")
    assert [piece for piece in found if isinstance(piece, str)] == []
    if commit == "token":
        assert found[0].reason == "follow_up"


def test_failure_before_a_sentence_adds_nothing(run):
    assert run(Dictated("Name the", RuntimeError("broken"))) == []
    (piece, result) = run(Dictated("Name the", RuntimeError("broken")), commit="token")
    assert (piece, result.reason, result.text) == ("Name the", "model_error", QUESTION)


def test_failure_after_a_sentence_keeps_it(run):
    assert run(Dictated(FIRST, " Then", RuntimeError("broken"))) == [FIRST]


def test_failure_is_raised_where_settings_say_so(run):
    with pytest.raises(AugmentationError, match="broken"):
        run(Dictated("Name the", RuntimeError("broken")), settings=Settings(on_error="raise"))


def test_late_rest_is_dropped_and_what_was_streamed_stays(run):
    held = threading.Event()
    model = Dictated(FIRST + " ", "Then.", pause=lambda: held.wait(5), deadline_ms=200.0)
    try:
        assert run(model) == [FIRST]
    finally:
        held.set()


def test_shadow_streams_nothing_and_records(run):
    (result,) = run(Dictated(FIRST), commit="token", settings=Settings(shadow=True))
    assert (result.status, result.proposed, result.text) == ("shadowed", FIRST, QUESTION)


@pytest.mark.parametrize("complement, pieces", [(FIRST, [FIRST]), ("See https://example.com for it.", [])])
def test_same_prompt_again_comes_from_the_cache(complement, pieces):
    model = ScriptedModel(complement)

    async def again(pas):
        return [piece async for piece in pas.astream(QUESTION)]

    with PAS(model) as pas:
        assert list(pas.stream(QUESTION)) == pieces
        assert list(pas.stream(QUESTION)) == pieces
        assert asyncio.run(again(pas)) == pieces
        assert pas.augment(QUESTION).applied == bool(pieces)
    assert len(model.calls) == 1


def test_reader_who_leaves_sets_the_model_free():
    model = Dictated(*spelled(FIRST + SECOND), pause=lambda: time.sleep(0.01))
    with PAS(model) as pas:
        stream = pas.stream(QUESTION)
        assert next(stream) == FIRST
        stream.close()
        assert model.left.wait(5)


async def test_async_reader_who_leaves_sets_the_model_free():
    model = Dictated(*spelled(FIRST + SECOND), pause=lambda: time.sleep(0.01))
    with PAS(model) as pas:
        stream = pas.astream(QUESTION)
        assert await anext(stream) == FIRST
        await stream.aclose()
        assert await asyncio.to_thread(model.left.wait, 5)


@pytest.mark.parametrize("commit", ["word", None, "Sentence"])
def test_unknown_commit_is_refused(commit):
    with PAS(ScriptedModel()) as pas, pytest.raises(InputError, match='use "sentence" or "token"'):
        list(pas.stream(QUESTION, commit=commit))


def refuse_urls(text):
    if "http" in text:
        raise GuardRejected("has a URL", reason="guard_url")
    return text


def test_decimal_points_and_abbreviations_end_no_sentence():
    draft = Draft(refuse_urls, "sentence")
    taken = [draft.take(text) for text in ("Use 3.", "Use 3.5 of it, e.g.", "Use 3.5 of it, e.g. by weight. Then")]
    assert taken == ["", "", "Use 3.5 of it, e.g. by weight."]


def test_chinese_sentences_need_no_space_to_end():
    draft = Draft(refuse_urls, "sentence")
    assert draft.take("先验算。再") == "先验算。"
    assert draft.end("先验算。再作答。") == "再作答。"
    assert draft.kept == "先验算。再作答。"


def test_draft_of_which_nothing_is_kept_says_why():
    draft = Draft(refuse_urls, "sentence")
    assert draft.take("See http://a.example. And") == ""
    with pytest.raises(GuardRejected):
        draft.end("See http://a.example. And more.")
