"""An LLM around another one, for chat engines: the messages it sends carry a complement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
)
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.llms import LLM

from pas_middleware import PAS, Settings

from .chat import last_user, placed, text_of
from .events import tell
from .lazy import LazyPAS, Model


class PASLLM(LLM):
    """Wrap the LLM of a chat engine: `index.as_chat_engine(llm=PASLLM(llm), chat_mode="context")`.

    For the chat modes simple, context and condense_plus_context, of which memory and retrieval read the plain message.
    Chat calls are augmented, completions and structured predictions are not. Do not make it `Settings.llm`: prompts
    that LlamaIndex writes for itself would be augmented, too. `model`, `device`, `settings` and `pas` are those of
    PASQueryTransform.
    """

    # A subclass of the user's own LLM class would augment twice: many asynchronous methods call the synchronous ones.
    llm: LLM
    _pas: LazyPAS = PrivateAttr()

    def __init__(
        self,
        llm: LLM,
        model: Model = None,
        *,
        device: str = "auto",
        settings: Settings | None = None,
        pas: PAS | None = None,
    ) -> None:
        super().__init__(
            llm=llm,  # type: ignore[call-arg]  # a field of this class
            callback_manager=llm.callback_manager,
            system_prompt=llm.system_prompt,
            output_parser=llm.output_parser,
            pydantic_program_mode=llm.pydantic_program_mode,
        )
        self._pas = LazyPAS(model, device, settings, pas)

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex knows the class."""
        return "PASLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """Return the wrapped LLM's; without its tools, which chat engines do not use."""
        return self.llm.metadata.model_copy(update={"is_function_calling_model": False})

    # 1) Chat calls are augmented.

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Chat with the last user message augmented."""
        return self.llm.chat(self._augmented(messages), **kwargs)

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Chat with the last user message augmented, without blocking the event loop."""
        return await self.llm.achat(await self._aaugmented(messages), **kwargs)

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Stream a chat with the last user message augmented."""
        return self.llm.stream_chat(self._augmented(messages), **kwargs)

    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """Stream a chat with the last user message augmented, without blocking the event loop."""
        return await self.llm.astream_chat(await self._aaugmented(messages), **kwargs)

    def _augmented(self, messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
        place = last_user(messages)
        if place is None:
            return messages
        result = tell(self._pas.get().augment(text_of(messages[place])))
        return placed(messages, place, result) if result.applied else messages

    async def _aaugmented(self, messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
        place = last_user(messages)
        if place is None:
            return messages
        pas = await self._pas.aget()
        result = tell(await pas.aaugment(text_of(messages[place])))
        return placed(messages, place, result) if result.applied else messages

    # 2) Everything else goes to the wrapped LLM as it is.

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Complete a prompt as it is."""
        return self.llm.complete(prompt, formatted, **kwargs)

    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Complete a prompt as it is."""
        return await self.llm.acomplete(prompt, formatted, **kwargs)

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Stream the completion of a prompt as it is."""
        return self.llm.stream_complete(prompt, formatted, **kwargs)

    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """Stream the completion of a prompt as it is."""
        return await self.llm.astream_complete(prompt, formatted, **kwargs)

    def structured_predict(self, *args: Any, **kwargs: Any) -> Any:
        """Predict an object as the wrapped LLM does."""
        return self.llm.structured_predict(*args, **kwargs)

    async def astructured_predict(self, *args: Any, **kwargs: Any) -> Any:
        """Predict an object as the wrapped LLM does."""
        return await self.llm.astructured_predict(*args, **kwargs)
