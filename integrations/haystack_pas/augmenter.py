"""PASAugmenter: a Haystack component that gives back its messages, with a complement behind the user's text."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import asdict
from typing import Any

from haystack import component, default_from_dict, default_to_dict
from haystack.dataclasses import ChatMessage, ChatRole
from pydantic import TypeAdapter

from pas_middleware import PAS, Augmentation, ConfigError, Settings

#: Under this name an augmented message's `meta` tells what was added. Chat generators do not send it.
MARK = "pas"


@component
class PASAugmenter:
    """Put a complement behind the last user message, for the chat generator that comes next.

        pipeline.add_component("pas", PASAugmenter())
        pipeline.connect("prompt_builder.prompt", "pas.messages")
        pipeline.connect("pas.messages", "llm.messages")

    Give `model`, `device` and `settings` as to `PAS.load`, which runs in `warm_up`, or a ready `pas`, which cannot be
    saved with the pipeline. The output `messages` is the very list that came in where nothing is added, and
    `augmentation` tells what was decided. Raises ConfigError.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        device: str = "auto",
        settings: Settings | None = None,
        pas: PAS | None = None,
    ) -> None:
        if pas is not None and (model, device, settings) != (None, "auto", None):
            raise ConfigError("pas comes with its own model, device and settings;", hint="give pas or those, not both.")
        self._how = (model, device, settings)
        self._given = pas is not None
        self._pas = pas
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Load the model; raises what PAS.load raises."""
        self._load()

    @component.output_types(messages=list[ChatMessage], augmentation=Augmentation)
    def run(self, messages: list[ChatMessage]) -> dict[str, Any]:
        """Return the messages with the last user text augmented."""
        position, decided = _find(messages)
        if decided is None:
            decided = self._load().augment(_text(messages[position]))
        return _outputs(messages, position, decided)

    @component.output_types(messages=list[ChatMessage], augmentation=Augmentation)
    async def run_async(self, messages: list[ChatMessage]) -> dict[str, Any]:
        """Do the same without blocking the event loop."""
        position, decided = _find(messages)
        if decided is None:
            pas = await asyncio.to_thread(self._load) if self._pas is None else self._pas
            decided = await pas.aaugment(_text(messages[position]))
        return _outputs(messages, position, decided)

    def to_dict(self) -> dict[str, Any]:
        """Return what a saved pipeline holds of this component; raises ConfigError where it was given a ready PAS."""
        if self._given:
            raise ConfigError(
                "A PASAugmenter with a ready PAS cannot be saved;", hint="make it from model=, device= and settings=."
            )
        model, device, settings = self._how
        return default_to_dict(self, model=model, device=device, settings=settings and asdict(settings))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PASAugmenter:
        """Make the component that a saved pipeline holds."""
        given = data["init_parameters"]
        settings = given.get("settings") and TypeAdapter(Settings).validate_python(given["settings"])
        return default_from_dict(cls, {**data, "init_parameters": {**given, "settings": settings}})

    def _load(self) -> PAS:
        with self._lock:
            if self._pas is None:
                model, device, settings = self._how
                self._pas = PAS.load(model, device=device, settings=settings)
            return self._pas


def _find(messages: list[ChatMessage]) -> tuple[int, Augmentation | None]:
    """Return the place of the last user message, and the outcome where no model needs to be asked."""
    for position in range(len(messages) - 1, -1, -1):
        message = messages[position]
        if message.is_from(ChatRole.USER):
            text = _text(message)
            if text and MARK not in message.meta:
                return position, None
            return position, Augmentation(text, text, reason="already_augmented" if text else "blank")
    return -1, Augmentation("", "", reason="blank")


def _text(message: ChatMessage) -> str:
    return "\n".join(message.texts)


def _outputs(messages: list[ChatMessage], position: int, result: Augmentation) -> dict[str, Any]:
    if result.applied:
        messages = [*messages[:position], _grown(messages[position], result), *messages[position + 1 :]]
    return {"messages": messages, "augmentation": result}


def _grown(message: ChatMessage, result: Augmentation) -> ChatMessage:
    held = message.to_dict()
    # One text grows; a message of several parts gains one, so that the user's stay as they are.
    alone = len(held["content"]) == 1
    content = [{"text": result.text}] if alone else [*held["content"], {"text": result.insertion}]
    mark = {name: getattr(result, name) for name in ("complement", "status", "reason", "model")}
    return ChatMessage.from_dict({**held, "content": content, "meta": {**held["meta"], MARK: mark}})
