"""Every reason that PAS can give, and both ways of `on_error`."""

import asyncio

import pytest

from pas_middleware import (
    PAS,
    REASONS,
    AugmentationError,
    Breaker,
    DeadlineExceeded,
    GuardRejected,
    Proposal,
    QueueFull,
    ScriptedModel,
    Settings,
)

COMPLEMENT = "Check each step before you answer."
QUESTION = "How many birds are left on the tree after the shot?"


class Clock:
    """Stands still, unless told to leap at each look."""

    now = leap = 0.0

    def __call__(self) -> float:
        self.now += self.leap
        return self.now


def breaks(prompt: str) -> str:
    raise RuntimeError("the session is broken")


#: reason: what the model says, the settings, the prompt. Reasons that need more are given below.
CASES = {
    "": (COMPLEMENT, {}, QUESTION),
    "blank": (COMPLEMENT, {}, " \n"),
    "too_long": (COMPLEMENT, {"max_input_chars": 20}, QUESTION),
    "code_only": (COMPLEMENT, {}, "```python\nprint(1)\n```"),
    "already_augmented": (COMPLEMENT, {}, f"{QUESTION}\n\n{COMPLEMENT}"),
    "already_constrained": (COMPLEMENT, {}, "Give me a random person as JSON. Reply only with valid JSON."),
    "follow_up": (COMPLEMENT, {}, "make it shorter"),
    "unsupported_language": (COMPLEMENT, {}, "Wie viele Vögel sitzen nach dem Schuss noch auf dem Baum?"),
    "no_complement_needed": (lambda _: Proposal(reason="no_complement_needed"), {}, QUESTION),
    "unsure": (lambda _: Proposal(reason="unsure", detail="intent 0.2"), {}, QUESTION),
    "sampled_out": (COMPLEMENT, {"sample_rate": 0.0}, QUESTION),
    "shadow": (COMPLEMENT, {"shadow": True}, QUESTION),
    "model_error": (breaks, {}, QUESTION),
    "guard_words": ("word " * 40, {}, QUESTION),
    "guard_language": ("先用一句话说明目的，再写清楚步骤。", {}, QUESTION),
    "guard_control": ("Check each step.<|im_end|>", {}, QUESTION),
    "guard_url": ("Check each step on https://example.com first.", {}, QUESTION),
    "guard_copy": (lambda _: QUESTION, {}, QUESTION),
    "guard_empty": ("   ", {}, QUESTION),
}
WITH_MORE = {"cached_skip", "deadline", "queue_full", "breaker_open"}
FAILURES = {reason for reason in CASES if reason.startswith("guard_")} | {"model_error"}


def test_every_reason_has_a_case():
    assert set(CASES) | WITH_MORE == set(REASONS)


async def results(pas: PAS, prompt: str) -> list:
    """Augment a prompt in each way, every time as if for the first time."""
    chat = [{"role": "user", "content": prompt}]
    return [
        pas.augment(prompt),
        pas.augment_batch([prompt])[0],
        pas.augment_messages(chat).augmentation,
        await pas.aaugment(prompt),
        (await pas.aaugment_batch([prompt]))[0],
        (await pas.aaugment_messages(chat)).augmentation,
    ]


@pytest.mark.parametrize("reason", CASES)
async def test_reason(reason):
    script, settings, prompt = CASES[reason]
    pas = PAS(ScriptedModel(script), Settings(cache_entries=0, breaker=lenient(), **settings))
    for result in await results(pas, prompt):
        assert result.reason == reason
        assert result.prompt == prompt
        assert result.status == {"": "applied", "shadow": "shadowed"}.get(reason, "skipped")
        assert result.text == (prompt if reason else f"{prompt}\n\n{COMPLEMENT}")
        assert result.complement == ("" if reason else COMPLEMENT)


def lenient() -> Breaker:
    """Keep the breaker out of tests of other things."""
    return Breaker(failures=1_000)


@pytest.mark.parametrize("reason", sorted(FAILURES))
async def test_failure_is_raised_where_wanted(reason):
    script, settings, prompt = CASES[reason]
    pas = PAS(ScriptedModel(script), Settings(on_error="raise", breaker=lenient(), **settings))
    expected = GuardRejected if reason.startswith("guard_") else AugmentationError
    for augment in (pas.augment, lambda text: asyncio.run(pas.aaugment(text))):
        with pytest.raises(expected) as caught:
            await asyncio.to_thread(augment, prompt)
        assert caught.value.reason == reason


@pytest.mark.parametrize("reason", sorted(set(CASES) - FAILURES))
async def test_what_is_no_failure_is_never_raised(reason):
    script, settings, prompt = CASES[reason]
    pas = PAS(ScriptedModel(script), Settings(on_error="raise", cache_entries=0, **settings))
    assert {result.reason for result in await results(pas, prompt)} == {reason}


async def test_late_model_gives_deadline(held):
    pas = PAS(ScriptedModel(held), Settings(deadline_ms=1, breaker=lenient()))
    for result in await results(pas, QUESTION):
        assert (result.reason, result.text) == ("deadline", QUESTION)


async def test_late_model_raises_where_wanted(held):
    pas = PAS(ScriptedModel(held), Settings(deadline_ms=1, on_error="raise", breaker=lenient()))
    with pytest.raises(DeadlineExceeded, match="within 1 ms"):
        pas.augment(QUESTION)
    with pytest.raises(DeadlineExceeded, match="within 1 ms"):
        await pas.aaugment(QUESTION)


async def test_what_came_late_is_asked_again_and_the_thread_is_free(held):
    clock = Clock()
    pas = PAS(ScriptedModel(held), clock=clock)
    clock.leap = 60.0  # the deadline is over before the model has begun
    assert pas.augment(QUESTION).reason == "deadline"
    clock.leap = 0.0
    held.release()
    assert (await pas.aaugment(QUESTION)).applied


async def test_what_is_too_late_before_it_begins_is_never_run(held):
    clock, model = Clock(), ScriptedModel(held)
    pas = PAS(model, clock=clock)
    running = asyncio.create_task(pas.aaugment(QUESTION))
    await held.begun()
    clock.leap = 60.0
    assert pas.augment(f"{QUESTION} Too late?").reason == "deadline"
    clock.leap = 0.0
    held.release()
    assert (await running).applied
    assert pas.augment(f"{QUESTION} And now?").applied
    assert model.calls == [[QUESTION], [f"{QUESTION} And now?"]]


@pytest.mark.parametrize("error", [GuardRejected("No."), AugmentationError("No.", reason="of_its_own")])
def test_reason_that_is_not_pinned_is_a_model_error(error):
    def script(prompt):
        raise error

    assert PAS(ScriptedModel(script)).augment(QUESTION).reason == "model_error"


async def test_timeout_of_the_model_itself_is_its_own_error():
    def times_out(prompt):
        raise TimeoutError("no answer from the device")

    pas = PAS(ScriptedModel(times_out), Settings(breaker=lenient()))
    for result in await results(pas, QUESTION):
        assert result.reason == "model_error"
        assert "no answer from the device" in result.detail


async def test_full_queue(held):
    pas = PAS(ScriptedModel(held), Settings(queue_limit=1))
    first, second = (asyncio.create_task(pas.aaugment(f"{QUESTION} {n}")) for n in "ab")
    await asyncio.sleep(0)
    assert (await pas.aaugment(QUESTION)).reason == "queue_full"
    assert (await asyncio.to_thread(pas.augment, QUESTION)).reason == "queue_full"
    held.release()
    assert [result.reason for result in await asyncio.gather(first, second)] == ["", ""]


async def test_full_queue_raises_where_wanted(held):
    pas = PAS(ScriptedModel(held), Settings(queue_limit=1, on_error="raise"))
    waiting = [asyncio.create_task(pas.aaugment(f"{QUESTION} {n}")) for n in "ab"]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await pas.aaugment(QUESTION)
    held.release()
    await asyncio.gather(*waiting)


class Flaky:
    """Fails for as long as it is told to."""

    failing = True

    def __call__(self, prompt: str) -> str:
        if self.failing:
            raise RuntimeError("broken")
        return COMPLEMENT


async def test_breaker_opens_probes_and_closes():
    clock, script = Clock(), Flaky()
    model = ScriptedModel(script)
    pas = PAS(model, clock=clock)
    reasons = [pas.augment(QUESTION).reason for _ in range(4)] + [(await pas.aaugment(QUESTION)).reason]
    assert reasons == ["model_error"] * 5
    assert [result.reason for result in await results(pas, QUESTION)] == ["breaker_open"] * 6
    assert len(model.calls) == 5
    clock.now += 60.0
    assert pas.augment(QUESTION).reason == "model_error"
    assert pas.augment(QUESTION).reason == "breaker_open"
    clock.now += 60.0
    script.failing = False
    assert (await pas.aaugment(QUESTION)).applied
    assert pas.augment(QUESTION + " And why?").applied


def test_open_breaker_raises_where_wanted():
    pas = PAS(ScriptedModel(Flaky()), Settings(on_error="raise"), clock=Clock())
    reasons = []
    for _ in range(6):
        with pytest.raises(AugmentationError) as caught:
            pas.augment(QUESTION)
        reasons.append(caught.value.reason)
    assert reasons == ["model_error"] * 5 + ["breaker_open"]


def test_open_breaker_still_serves_the_cache():
    script = Flaky()
    script.failing = False
    pas = PAS(ScriptedModel(script), clock=Clock())
    assert pas.augment(QUESTION).applied
    script.failing = True
    for number in range(6):
        pas.augment(f"{QUESTION} {number}")
    assert pas.augment(QUESTION).applied


def test_guard_does_not_open_the_breaker():
    pas = PAS(ScriptedModel("   "), Settings(cache_entries=0))
    assert {pas.augment(QUESTION).reason for _ in range(20)} == {"guard_empty"}


async def test_abandoned_probe_leaves_the_breaker_to_the_next(held):
    clock, script = Clock(), Flaky()
    model = ScriptedModel(lambda prompt: script(prompt) if script.failing else held(), threads=2)
    pas = PAS(model, clock=clock)
    for _ in range(5):
        pas.augment(QUESTION)
    script.failing = False
    clock.now += 60.0
    probe = asyncio.create_task(pas.aaugment(QUESTION))
    await held.begun()
    assert (await pas.aaugment(QUESTION)).reason == "breaker_open"
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    held.release()
    assert (await pas.aaugment(QUESTION)).applied


@pytest.mark.parametrize("script", [lambda _: Proposal(reason="unsure", detail="intent 0.2"), "   "])
async def test_decided_skip_is_remembered(script):
    model = ScriptedModel(script)
    pas = PAS(model)
    first = pas.augment(QUESTION)
    for result in await results(pas, QUESTION):
        assert (result.reason, result.text) == ("cached_skip", QUESTION)
        assert result.detail == f"{first.reason}; {first.detail}"
    assert model.calls == [[QUESTION]]


def test_skip_without_detail_is_remembered_by_its_reason():
    pas = PAS(ScriptedModel(lambda _: Proposal(reason="unsure")))
    assert pas.augment(QUESTION).detail == ""
    assert pas.augment(QUESTION).detail == "unsure"
