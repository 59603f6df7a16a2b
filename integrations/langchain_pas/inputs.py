"""Find the user's text in whatever a chain passes along, and put the augmented text back in the same shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, convert_to_messages
from langchain_core.prompt_values import ChatPromptValue, PromptValue, StringPromptValue

from pas_middleware import Augmentation, InputError

#: Under this name an augmented message's `additional_kwargs` tell what was added. Model clients do not send it.
MARK = "pas"
#: Keys under which chains commonly keep the user's text, in the order in which they are tried.
KEYS = ("messages", "input", "question", "query", "prompt")
_TEXT_TYPES = ("text", "input_text")


@dataclass(frozen=True, slots=True)
class Slot:
    """The user's text in an input, and `put`, which returns a copy of the input holding an augmentation's text.

    `marked` says that an earlier step augmented this very message.
    """

    text: str
    put: Callable[[Augmentation], Any]
    marked: bool = False

    @property
    def decided(self) -> Augmentation | None:
        """Return the outcome where no model needs to be asked, nor even loaded."""
        if self.marked:
            return Augmentation(self.text, self.text, reason="already_augmented")
        return None if self.text else Augmentation("", "", reason="blank")


def find(value: Any, input_key: str | None = None) -> Slot:
    """Return the slot of an input; raises InputError for what is neither text, message, prompt nor dict of these."""
    if not isinstance(value, dict):
        return _in_value(value, "The input")
    key = _key_of(value, input_key)
    inner = _in_value(value[key], f"The input's {key!r}")

    def put(result: Augmentation) -> dict[Any, Any]:
        changed = copy(value)  # of the same class: AddableDict keeps streams mergeable
        changed[key] = inner.put(result)
        return changed

    return replace(inner, put=put)


def _key_of(value: dict[Any, Any], input_key: str | None) -> str:
    wanted = KEYS if input_key is None else (input_key,)
    for key in wanted:
        if key in value:
            return key
    seen = ", ".join(repr(key) for key in value) or "no keys"
    raise InputError(
        f"The input has {seen}, but not {' or '.join(map(repr, wanted))};",
        hint='name the key of the user\'s text: PASRunnable(input_key="...").',
    )


def _in_value(value: Any, name: str) -> Slot:
    if isinstance(value, str):
        return Slot(value, lambda result: result.text)
    if isinstance(value, BaseMessage):
        return _in_message(value)
    if isinstance(value, PromptValue):
        return _in_prompt(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return _in_messages(convert_to_messages(value))
    raise InputError(
        f"{name} is {type(value).__name__};", hint="give a text, messages, a prompt value, or a dict of one."
    )


def _in_prompt(prompt: PromptValue) -> Slot:
    if isinstance(prompt, StringPromptValue):
        return Slot(prompt.text, lambda result: prompt.model_copy(update={"text": result.text}))
    if not isinstance(prompt, ChatPromptValue):  # an image, or a kind whose inside we do not know
        return Slot("", lambda _: prompt)
    inner = _in_messages(prompt.messages)
    return replace(inner, put=lambda result: prompt.model_copy(update={"messages": inner.put(result)}))


def _in_messages(messages: Sequence[BaseMessage]) -> Slot:
    position = next((i for i in range(len(messages) - 1, -1, -1) if is_users(messages[i])), None)
    if position is None:
        return Slot("", lambda _: messages)
    inner = _in_message(messages[position])
    before, after = messages[:position], messages[position + 1 :]
    return replace(inner, put=lambda result: [*before, inner.put(result), *after])


def is_users(message: BaseMessage) -> bool:
    """Tell whether a message is what a user wrote."""
    # Summaries that LangChain's middleware writes, and tool results as some clients send them, are nobody's request.
    if not isinstance(message, HumanMessage) or "lc_source" in message.additional_kwargs:
        return False
    blocks = message.content
    return isinstance(blocks, str) or not blocks or not all(_type_of(block) == "tool_result" for block in blocks)


def _in_message(message: BaseMessage) -> Slot:
    if not is_users(message):
        return Slot("", lambda _: message)
    return Slot(_text_of(message), lambda result: _augmented(message, result), MARK in message.additional_kwargs)


def _text_of(message: BaseMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    texts = (b if isinstance(b, str) else b.get("text") for b in message.content if _type_of(b) in _TEXT_TYPES)
    return "\n".join(text for text in texts if isinstance(text, str))


def _type_of(block: str | dict[Any, Any]) -> object:
    return "text" if isinstance(block, str) else block.get("type")


def _augmented(message: BaseMessage, result: Augmentation) -> BaseMessage:
    content = message.content
    # A list gains a block of its own: the user's stay as they are, and a block may hold no keys that APIs do not know.
    longer = result.text if isinstance(content, str) else [*content, {"type": "text", "text": result.insertion}]
    mark = {
        "complement": result.complement,
        "status": result.status,
        "reason": result.reason,
        "model": result.model,
    }
    return message.model_copy(
        update={"content": longer, "additional_kwargs": {**message.additional_kwargs, MARK: mark}}
    )
