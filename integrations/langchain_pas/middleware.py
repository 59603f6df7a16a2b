"""PASMiddleware: for LangChain's agents, a complement behind the user's text of every model call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.messages import AnyMessage

from pas_middleware import PAS, ConfigError, Settings

from .inputs import is_users
from .runnable import PASRunnable

Turns = Literal["last", "all"]


class PASMiddleware(AgentMiddleware[Any, Any, Any]):
    """Augment what an agent's model reads: `create_agent(model, tools, middleware=[..., PASMiddleware()])`.

    Every model call of a tool loop reads the same complement once; the agent's state never holds it. Put it last, so
    that the other middleware reads the plain request. `turns="last"` augments the last user message alone,
    `turns="all"` the earlier ones too, which keeps the messages that a provider has cached as they were.
    `model`, `device`, `settings` and `pas` are those of PASRunnable. Raises ConfigError.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        device: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto",
        settings: Settings | None = None,
        pas: PAS | None = None,
        turns: Turns = "last",
    ) -> None:
        super().__init__()
        if turns not in ("last", "all"):
            raise ConfigError(f"turns is {turns!r};", hint='use "last" or "all".')
        self._turns = turns
        self._runnable = PASRunnable(model=model, device=device, settings=settings, pas=pas)

    # The node's state is not touched: `before_model` would be run for every loop, and its additions would pile up.

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Call the model with the augmented messages, or with the very request where nothing is added."""
        places, texts = self._targets(request.messages)
        return handler(_placed(request, places, texts, self._runnable.batch([*texts])))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Do the same without blocking the event loop."""
        places, texts = self._targets(request.messages)
        return await handler(_placed(request, places, texts, await self._runnable.abatch([*texts])))

    def _targets(self, messages: list[AnyMessage]) -> tuple[list[int], list[AnyMessage]]:
        places = [place for place, message in enumerate(messages) if is_users(message)]
        if self._turns == "last":
            places = places[-1:]
        return places, [messages[place] for place in places]


def _placed(
    request: ModelRequest[Any], places: list[int], texts: list[AnyMessage], outputs: list[AnyMessage]
) -> ModelRequest[Any]:
    if all(output is text for output, text in zip(outputs, texts, strict=True)):
        return request
    messages = [*request.messages]
    for place, output in zip(places, outputs, strict=True):
        messages[place] = output
    return request.override(messages=messages)
