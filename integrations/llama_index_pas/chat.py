"""Chat messages of LlamaIndex: find what the user wrote last, and put a complement behind it."""

from __future__ import annotations

from collections.abc import Sequence

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock

from pas_middleware import Augmentation


def last_user(messages: Sequence[ChatMessage], holding: str = "") -> int | None:
    """Return the place of the last user message with text, of those that hold a text where there are such."""
    places = [i for i, m in enumerate(messages) if m.role == MessageRole.USER and text_of(m)]
    wanted = [i for i in places if holding and holding in text_of(messages[i])]
    return next(reversed(wanted or places), None)


def text_of(message: ChatMessage) -> str:
    """Return the text of a message, "" where it has none."""
    return "\n".join(block.text for block in message.blocks if isinstance(block, TextBlock))


def placed(messages: Sequence[ChatMessage], place: int, result: Augmentation) -> list[ChatMessage]:
    """Return the messages with a complement behind the text of one; nothing given is changed."""
    message = messages[place]
    blocks = list(message.blocks)
    if len(blocks) == 1 and isinstance(blocks[0], TextBlock):
        # One text stays one text: clients send it as a plain string.
        blocks = [blocks[0].model_copy(update={"text": blocks[0].text + result.insertion})]
    else:
        blocks.append(TextBlock(text=result.insertion))
    return [*messages[:place], message.model_copy(update={"blocks": blocks}), *messages[place + 1 :]]
