"""How a proxy's model gets ready: what is tried again, what is told, what is given up."""

import asyncio
import logging
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from http_servers import COMPLEMENT
from in_process import SKIPPED, FixedPAS
from pas_middleware import PAS, ModelCorrupt, QueueFull, Record, ScriptedModel, Settings
from pas_middleware.proxy import engine as engine_module
from pas_middleware.proxy.engine import Engine


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(engine_module, "_PAUSE_S", 0.0)


async def ready(engine: Engine) -> PAS:
    engine.start()
    async with asyncio.timeout(10):  # else a failure is a test without an end
        while engine.pas is None and not engine._task.done():
            await asyncio.sleep(0.001)
    assert engine.pas is not None, "it was given up"
    return engine.pas


def failing_once() -> ScriptedModel:
    failures = [RuntimeError("not yet")]

    def script(prompt: str) -> str:
        if failures:
            raise failures.pop()
        return COMPLEMENT

    return ScriptedModel(script)


@pytest.mark.parametrize("on_error", ["passthrough", "raise"])
async def test_a_warm_up_that_fails_is_told_and_tried_again(caplog, on_error, tmp_path):
    record = Record(tmp_path / "pas.jsonl")
    engine = Engine(lambda: PAS(failing_once(), Settings(on_error=on_error)), record)
    with caplog.at_level(logging.WARNING):
        pas = await ready(engine)
    assert [entry.getMessage() for entry in caplog.records] == [
        "the warm-up failed (model_error); requests pass through, and it is tried again"
    ]
    assert pas.record is record and pas.augment("Compare renting and buying a flat.").applied
    await engine.close()


async def test_a_warm_up_that_breaks_in_an_unknown_way_is_tried_again(caplog, monkeypatch):
    pas, breaks = PAS(ScriptedModel()), [KeyError("odd")]
    real = pas.augment_batch

    def breaking_once(prompts: list[str]) -> object:
        if breaks:
            raise breaks.pop()
        return real(prompts)

    monkeypatch.setattr(pas, "augment_batch", breaking_once)
    engine = Engine(lambda: pas)
    assert await ready(engine) is pas
    assert "model_error" in caplog.text
    await engine.close()


async def test_a_model_of_languages_without_a_sentence_to_try_is_ready():
    model = ScriptedModel(languages=("de",))
    engine = Engine(lambda: PAS(model))
    assert (await ready(engine)).model.languages == ("de",) and model.calls == []
    await engine.close()


async def test_a_model_that_cannot_be_loaded_is_named_and_given_up(caplog):
    def load() -> PAS:
        raise ModelCorrupt("model.onnx was altered;")

    engine = Engine(load)
    engine.start()
    await engine._task
    assert engine.pas is None
    assert "the model was not loaded: ModelCorrupt: model.onnx was altered" in caplog.text
    await engine.close()


async def test_it_can_be_closed_while_it_loads():
    loading = threading.Event()
    engine = Engine(lambda: loading.wait() and PAS(ScriptedModel()))
    engine.start()
    await asyncio.sleep(0)
    await engine.close()
    loading.set()
    assert engine.pas is None and engine._task.cancelled()


@pytest.mark.parametrize(
    "languages, said",
    [
        (("en", "zh"), "Compare renting and buying a flat for a family of four."),
        (("zh",), "请比较四口之家租房和买房的利弊。"),
        (("de", "zh", "en"), "请比较四口之家租房和买房的利弊。"),
    ],
)
async def test_one_sentence_of_the_models_first_language_is_tried(languages, said):
    model = ScriptedModel(languages=languages)
    engine = Engine(lambda: PAS(model))
    await ready(engine)
    assert model.calls == [[said]]
    await engine.close()


@pytest.mark.parametrize("reason", ["deadline", "model_error", "breaker_open", "queue_full"])
async def test_what_is_no_inference_is_tried_again_after_a_pause(caplog, monkeypatch, reason):
    reasons, pauses = [reason, reason, "guard_words"], []  # the last one comes of an inference

    class Tried(FixedPAS):
        def augment_batch(self, prompts):
            return [replace(SKIPPED, reason=reasons.pop(0))]

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    engine = Engine(lambda: pas)
    pas = Tried()
    monkeypatch.setattr(engine_module, "_PAUSE_S", 1.0)
    monkeypatch.setattr(engine_module, "asyncio", SimpleNamespace(**vars(asyncio) | {"sleep": sleep}))
    engine.start()
    await engine._task
    assert engine.pas is pas and pas.record is None and (reasons, pauses) == ([], [1.0, 1.0])
    told = f"the warm-up failed ({reason}); requests pass through, and it is tried again"
    assert caplog.record_tuples == [("pas_middleware.proxy", logging.WARNING, told)] * 2
    await engine.close()
    assert pas.closed == 1


@pytest.mark.parametrize("error, reason", [(KeyError("odd"), "model_error"), (QueueFull("full"), "queue_full")])
def test_what_a_warm_up_raises_is_its_reason(error, reason):
    class Raising(FixedPAS):
        def augment_batch(self, prompts):
            raise error

    assert engine_module._warm_up(Raising()) == reason


async def test_what_was_not_loaded_is_logged_with_its_error(caplog):
    engine = Engine(lambda: 1 / 0)
    engine.start()
    await engine._task
    told = "the model was not loaded: ZeroDivisionError: division by zero"
    assert caplog.record_tuples == [("pas_middleware.proxy", logging.ERROR, told)]


async def test_what_was_never_started_can_be_closed():
    engine = Engine(FixedPAS)
    await engine.close()
    assert engine.pas is None
