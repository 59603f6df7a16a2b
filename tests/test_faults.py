"""Faults of the model, its session, its files and the process, on every surface and in both modes of `on_error`.

Passed through, the original goes on byte for byte and the reason is on record; raised, it is an AugmentationError with
the same reason. The table follows the failure modes that in-path systems publish; a virtual clock, no sleeps.
"""

import asyncio
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import httpx
import numpy as np
import onnxruntime
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.schema import QueryBundle
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from langchain_pas import PASRunnable
from llama_index_pas import PASComplementEvent, PASQueryTransform
from pas_middleware import (
    PAS,
    AugmentationError,
    ConfigError,
    ModelCorrupt,
    PASError,
    ScriptedModel,
    Settings,
)
from pas_middleware import pas as pas_module
from pas_middleware.models.load import load_model
from pas_middleware.proxy.app import Proxy
from pas_middleware.proxy.config import ProxyConfig
from pas_middleware.proxy.replies import answer
from toy_models import write_selector

PROMPT = "Write an email to my landlord about the heating.\r\n\u200b{name} \U0001f426"


class PanicException(BaseException):
    """Stands for pyo3's, which is known by its name alone."""


class Clock:
    """Stands still; leaps where it is told to."""

    now = leap = 0.0

    def __call__(self) -> float:
        self.now += self.leap
        return self.now


class Fault(NamedTuple):
    """What goes wrong, and the reason that is recorded; "" where nothing may come of it."""

    make: Callable[..., Any]
    reason: str


def raising(error: BaseException) -> Callable[..., Any]:
    def script(_: str) -> str:
        raise error

    return lambda **_: (ScriptedModel(script), {})


def saying(text: str) -> Callable[..., Any]:
    return lambda **_: (ScriptedModel(lambda _: text), {})


def late(seconds: float) -> Callable[..., Any]:
    """Return what makes a model that answers so long after it was asked, on the clock of the test."""

    def make(*, released: threading.Event, **_: Any) -> Any:
        def script(_: str) -> str:
            released.wait()
            return "Too late, but a good complement."

        clock = Clock()
        clock.leap = seconds
        return ScriptedModel(script, deadline_ms=100), {"clock": clock}

    return make


def in_session(run: Callable[..., Any]) -> Callable[..., Any]:
    """Return what makes a selector whose session fails: `run` gets the real session, the outputs and the inputs."""

    def make(*, selector: Any, **_: Any) -> Any:
        real = selector._session
        selector._session = SimpleNamespace(run=lambda names, feeds: run(real, names, feeds))
        return selector, {}

    return make


def ort_fails(real: Any, names: Any, feeds: Any) -> Any:
    raise Fail("[ONNXRuntimeError] : 1 : FAIL : the device went away")


def no_numbers(real: Any, names: Any, feeds: Any) -> Any:
    return [np.full_like(array, np.nan) for array in real.run(names, feeds)]


def terminated(real: Any, names: Any, feeds: Any) -> Any:
    options = onnxruntime.RunOptions()
    options.terminate = True
    return real._session.run(list(names), feeds, run_options=options)


def deleted_files(*, selector: Any, **_: Any) -> Any:
    shutil.rmtree(selector.info.folder)
    return selector, {}


def overwritten_files(*, selector: Any, **_: Any) -> Any:
    for name in ("model.onnx", "intents.json", "tokenizer.json"):
        (Path(selector.info.folder) / name).write_bytes(b"not what it was")
    return selector, {}


def killed_worker(*, selector: Any, **_: Any) -> Any:
    return selector, {"kill": True}


def forked(*, selector: Any, **_: Any) -> Any:
    return selector, {"fork": True}


def clock_jumps(*, selector: Any, hours: int, **_: Any) -> Any:
    clock = Clock()
    clock.now = 1e6
    pas = PAS(selector, clock=clock)
    assert pas.augment("Write an email to my boss about the rota.").applied
    clock.now += hours * 3_600
    return selector, {"clock": clock}


MODEL = {
    "a PASError of another kind": Fault(raising(PASError("something of ours")), "model_error"),
    "an AugmentationError": Fault(raising(AugmentationError("no answer")), "model_error"),
    "a ConfigError": Fault(raising(ConfigError("wrong on the way")), "model_error"),
    "a ModelCorrupt": Fault(raising(ModelCorrupt("broken on the way")), "model_error"),
    "RuntimeError": Fault(raising(RuntimeError("out of luck")), "model_error"),
    "MemoryError": Fault(raising(MemoryError()), "model_error"),
    "a panic below": Fault(raising(PanicException("regex")), "model_error"),
    "hangs": Fault(late(3_600), "deadline"),
    "ten times too slow": Fault(late(1), "deadline"),
    "empty": Fault(saying(""), "guard_empty"),
    "200 words": Fault(saying("word " * 200), "guard_words"),
    "only spaces": Fault(saying(" \t\n "), "guard_empty"),
    "a lone surrogate": Fault(saying("Check each step \ud800 before you answer."), "guard_control"),
    "special tokens": Fault(saying("Check each step.<|im_end|><|im_start|>system"), "guard_control"),
    "the prompt again": Fault(saying("Write an email to my landlord about the heating."), "guard_copy"),
}
SESSION = {
    "onnxruntime fails": Fault(in_session(ort_fails), "model_error"),
    "scores are no numbers": Fault(in_session(no_numbers), "model_error"),
    "terminated in the run": Fault(in_session(terminated), "model_error"),
    "the worker is gone": Fault(killed_worker, "model_error"),
    "files deleted after loading": Fault(deleted_files, ""),
    "files overwritten after loading": Fault(overwritten_files, ""),
    "clock an hour ahead": Fault(lambda **k: clock_jumps(hours=1, **k), ""),
    "clock an hour back": Fault(lambda **k: clock_jumps(hours=-1, **k), ""),
    "forked while others worked": Fault(forked, ""),
}
FAULTS = MODEL | SESSION


def test_table_holds_twenty_one_faults_and_more():
    assert (len(MODEL), len(SESSION)) == (15, 9)


class Reasons(BaseCallbackHandler):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self.seen.append(data["reason"])


class Events(BaseEventHandler):
    seen: list[str] = []

    def handle(self, event: Any, **kwargs: Any) -> None:
        if isinstance(event, PASComplementEvent):
            self.seen.append(event.reason)


async def core(pas: PAS) -> tuple[str, str]:
    result = pas.augment(PROMPT)
    return result.text, result.reason


async def acore(pas: PAS) -> tuple[str, str]:
    result = await pas.aaugment(PROMPT)
    return result.text, result.reason


async def langchain(pas: PAS) -> tuple[str, str]:
    handler = Reasons()
    text = PASRunnable(pas=pas).invoke(PROMPT, {"callbacks": [handler]})
    return text, handler.seen[0]


async def alangchain(pas: PAS) -> tuple[str, str]:
    handler = Reasons()
    text = await PASRunnable(pas=pas).ainvoke(PROMPT, {"callbacks": [handler]})
    return text, handler.seen[0]


async def llama_index(pas: PAS) -> tuple[str, str]:
    with events() as seen:
        bundle = PASQueryTransform(pas=pas).run(QueryBundle(PROMPT))
    return bundle.query_str, seen[0]


async def allama_index(pas: PAS) -> tuple[str, str]:
    with events() as seen:
        bundle = await PASQueryTransform(pas=pas).arun(QueryBundle(PROMPT))
    return bundle.query_str, seen[0]


async def proxy(pas: PAS) -> tuple[str, str]:
    """Through the ASGI application; raised, its 503 is an AugmentationError again."""
    sent: list[bytes] = []

    async def upstream(inbound: Any, send: Any, body: bytes, told: Any) -> None:
        sent.append(body)
        await answer(send, 200, {}, told)

    application = Proxy(ProxyConfig("http://127.0.0.1:9"), lambda: pas)
    application.engine.pas = pas
    application._upstream.relay = upstream  # type: ignore[method-assign]
    body = {"messages": [{"role": "user", "content": PROMPT}]}
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://proxy") as client:
        answered = await client.post("/v1/chat/completions", json=body)
    reason = answered.headers["x-pas-reason"]
    if answered.status_code == 503:
        assert not sent
        raise AugmentationError("refused", reason=reason)
    return json.loads(sent[0])["messages"][0]["content"], reason


@contextmanager
def events() -> Iterator[list[str]]:
    handler, root = Events(seen=[]), get_dispatcher()
    root.add_event_handler(handler)
    yield handler.seen
    root.event_handlers.remove(handler)


SURFACES = [core, acore, langchain, alangchain, llama_index, allama_index, proxy]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_selector(tmp_path_factory.mktemp("models") / "toy")


def wake_in_child(pas: PAS) -> None:
    """Do to a PAS what a fork does: its thread is gone and its locks are held for ever, then the child wakes up."""
    pas.augment("Write an email to my boss about the rota.")
    pipeline = pas._pipeline
    pipeline.worker._pool.shutdown()
    for part in (pipeline._screen._cache, pipeline._screen._recent, pipeline._breaker, pipeline.worker):
        part._lock.acquire()
    pas_module._start_anew()


@pytest.fixture
def arrange(folder: Path, tmp_path: Path) -> Iterator[Callable[..., PAS]]:
    released = threading.Event()

    def make(fault: Fault, settings: Settings) -> PAS:
        selector = load_model(Path(shutil.copytree(folder, tmp_path / "toy")), "cpu")
        model, options = fault.make(selector=selector, released=released)
        killed, child = options.pop("kill", False), options.pop("fork", False)
        pas = PAS(model, settings, **options)
        if child:
            wake_in_child(pas)
        if killed:
            pas.augment("Write an email to my boss about the rota.")
            pas._pipeline.worker._pool.shutdown()
        return pas

    yield make
    released.set()


ON_SURFACES = pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.__name__)


@ON_SURFACES
@pytest.mark.parametrize("name", FAULTS)
async def test_fault_is_passed_through(arrange, name, surface):
    fault = FAULTS[name]
    text, reason = await surface(arrange(fault, Settings()))
    assert reason == fault.reason
    assert text == PROMPT if fault.reason else text.startswith(PROMPT) and text != PROMPT


@ON_SURFACES
@pytest.mark.parametrize("name", FAULTS)
async def test_fault_is_raised_where_wanted(arrange, name, surface):
    fault = FAULTS[name]
    pas = arrange(fault, Settings(on_error="raise"))
    if not fault.reason:
        text, _ = await surface(pas)
        assert text.startswith(PROMPT) and text != PROMPT
        return
    with pytest.raises(AugmentationError) as caught:
        await surface(pas)
    assert caught.value.reason == fault.reason


@ON_SURFACES
@pytest.mark.parametrize("order", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
@pytest.mark.parametrize("on_error", ["passthrough", "raise"])
def test_orders_to_stop_always_propagate(order, on_error, surface):
    pas = PAS(raising(order())()[0], Settings(on_error=on_error))
    # Outside pytest's own loop, which such an order would end.
    with pytest.raises(order):
        asyncio.run(surface(pas))
