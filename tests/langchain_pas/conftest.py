from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage

import langchain_pas.engine
from langchain_pas import PASRunnable
from pas_middleware import PAS, ScriptedModel, Settings

COMPLEMENT = "Check every step before you answer."


class SpyChatModel(GenericFakeChatModel):
    """GenericFakeChatModel that keeps the messages and the options it was called with."""

    seen: list[list[BaseMessage]] = []
    options: list[dict[str, Any]] = []

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        self.seen.append(messages)
        self.options.append({"stop": stop, **kwargs})
        return super()._generate(messages, stop, run_manager, **kwargs)


class Recorder(BaseCallbackHandler):
    """Keep (callback, name, payload) of every chain and custom event."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, Any]] = []
        self.tags: list[list[str]] = []

    def on_chain_start(self, serialized, inputs, **kwargs):
        self.events.append(("start", kwargs["name"], inputs))
        self.tags.append(kwargs["tags"])

    def on_chain_end(self, outputs, **kwargs):
        self.events.append(("end", "", outputs))

    def on_chain_error(self, error, **kwargs):
        self.events.append(("error", "", error))

    def on_custom_event(self, name, data, **kwargs):
        self.events.append(("custom", name, data))

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.events]

    def custom(self) -> list[Any]:
        return [data for kind, _, data in self.events if kind == "custom"]


@pytest.fixture
def scripted() -> ScriptedModel:
    return ScriptedModel(COMPLEMENT)


@pytest.fixture
def pas(scripted: ScriptedModel) -> Iterator[PASRunnable]:
    with PAS(scripted) as engine:
        yield PASRunnable(pas=engine)


@pytest.fixture
def spy() -> Callable[..., SpyChatModel]:
    def make(*replies: str) -> SpyChatModel:
        answers = replies or ("One two three.",) * 10
        return SpyChatModel(messages=iter([AIMessage(reply) for reply in answers]), seen=[], options=[])

    return make


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, str, Settings]]:
    """Give the process no engines, and models that are loaded from nowhere; what was loaded is listed."""
    loaded: list[tuple[Any, str, Settings]] = []

    def load(cls, model=None, *, device="auto", settings=None):
        loaded.append((model, device, settings))
        return cls(ScriptedModel(COMPLEMENT), settings)

    monkeypatch.setattr(PAS, "load", classmethod(load))
    monkeypatch.setattr(langchain_pas.engine, "_engines", {})
    return loaded
