"""A batch is one call of the engine, with callbacks, events and errors for each input."""

import pytest
from langchain_core.prompts import ChatPromptTemplate

from langchain_pas import PASRunnable
from pas_middleware import PAS, AugmentationError, DeadlineExceeded, GuardRejected, InputError, ScriptedModel, Settings

COMPLEMENT = "Check every step before you answer."
ASKS = ["How do birds fly in the rain?", "Why is it cold on mountains?", "What makes a good pillow?"]
TOLD = [f"{ask}\n\n{COMPLEMENT}" for ask in ASKS]
BAD = "Which prompt breaks the model?"


async def run(runnable, way, inputs, config=None, **options):
    if way == "abatch":
        return await runnable.abatch(inputs, config, **options)
    return runnable.batch(inputs, config, **options)


both = pytest.mark.parametrize("way", ["batch", "abatch"])


def raising(script, **settings):
    return PASRunnable(pas=PAS(ScriptedModel(script), Settings(on_error="raise", **settings)))


@both
async def test_one_call_for_all(pas, scripted, way):
    assert await run(pas, way, ASKS) == TOLD
    assert scripted.calls == [ASKS]


@both
async def test_one_call_inside_a_sequence(pas, scripted, spy, way):
    chain = pas | ChatPromptTemplate.from_template("{q}") | spy()
    assert len(await run(chain, way, ASKS)) == 3
    assert scripted.calls == [ASKS]


@both
async def test_shapes_may_be_mixed_and_what_has_no_text_is_the_same_object(pas, scripted, way):
    inputs = [ASKS[0], {"input": ""}, {"input": ASKS[1]}, [("system", "Be kind.")]]
    outputs = await run(pas, way, inputs)
    assert outputs == [TOLD[0], {"input": ""}, {"input": TOLD[1]}, [("system", "Be kind.")]]
    assert outputs[1] is inputs[1] and outputs[3] is inputs[3]
    assert scripted.calls == [ASKS[:2]]


@both
async def test_max_concurrency_bounds_what_shares_a_call(pas, scripted, way):
    assert await run(pas, way, ASKS, {"max_concurrency": 2}) == TOLD
    assert scripted.calls == [ASKS[:2], ASKS[2:]]


@both
async def test_an_empty_batch(pas, scripted, way):
    assert await run(pas, way, []) == []
    assert scripted.calls == []


@both
async def test_callbacks_and_events_for_each_input(pas, recorder, way):
    configs = [{"callbacks": [recorder], "run_name": f"run {n}"} for n in range(3)]
    await run(pas, way, [ASKS[0], "", ASKS[2]], configs)
    assert sorted(name for kind, name, _ in recorder.events if kind == "start") == ["run 0", "run 1", "run 2"]
    assert [data["reason"] for data in recorder.custom()] == ["", "blank", ""]
    assert [payload for kind, _, payload in recorder.events if kind == "end"] == [TOLD[0], "", TOLD[2]]


@both
async def test_an_input_that_is_refused_does_not_fail_the_others(pas, scripted, recorder, way):
    inputs = [ASKS[0], {"wrong": ASKS[1]}, 7, ASKS[2]]
    outputs = await run(pas, way, inputs, {"callbacks": [recorder]}, return_exceptions=True)
    assert [outputs[0], outputs[3]] == [TOLD[0], TOLD[2]]
    assert isinstance(outputs[1], InputError) and "'wrong'" in str(outputs[1])
    assert isinstance(outputs[2], InputError)
    assert scripted.calls == [[ASKS[0], ASKS[2]]]
    assert recorder.kinds().count("error") == 2 and recorder.kinds().count("custom") == 2


@both
async def test_without_return_exceptions_the_first_error_is_raised(pas, way):
    with pytest.raises(InputError, match="'wrong'"):
        await run(pas, way, [ASKS[0], {"wrong": ASKS[1]}])


@both
async def test_a_prompt_that_breaks_the_model_does_not_fail_the_others(way):
    def script(prompt):
        if prompt == BAD:
            raise ValueError("broken")
        return COMPLEMENT

    outputs = await run(raising(script), way, [ASKS[0], BAD, ASKS[1]], return_exceptions=True)
    assert [outputs[0], outputs[2]] == TOLD[:2]
    assert isinstance(outputs[1], AugmentationError) and "broken" in str(outputs[1])
    with pytest.raises(AugmentationError, match="broken"):
        await run(raising(script), way, [ASKS[0], BAD])


@both
async def test_a_rejected_complement_does_not_fail_the_others(way):
    runnable = raising(lambda prompt: "Visit https://example.org now." if prompt == BAD else COMPLEMENT)
    outputs = await run(runnable, way, [BAD, ASKS[1]], return_exceptions=True)
    assert isinstance(outputs[0], GuardRejected) and outputs[1] == TOLD[1]


@both
async def test_lateness_is_not_answered_with_more_calls(way):
    def late(_):
        raise DeadlineExceeded("late")

    model = ScriptedModel(late)
    runnable = PASRunnable(pas=PAS(model, Settings(on_error="raise")))
    outputs = await run(runnable, way, ASKS, return_exceptions=True)
    assert [type(output) for output in outputs] == [DeadlineExceeded] * 3
    assert model.calls == [ASKS]


@both
async def test_errors_inside_a_sequence_stay_with_their_input(pas, spy, way):
    outputs = await run(pas | spy(), way, [ASKS[0], {"wrong": 1}], return_exceptions=True)
    assert outputs[0].content == "One two three."
    assert isinstance(outputs[1], InputError)


def test_batch_as_completed(pas):
    assert sorted(pas.batch_as_completed(ASKS)) == list(enumerate(TOLD))
