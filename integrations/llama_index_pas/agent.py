"""A mixin for LlamaIndex's workflow agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llama_index.core.agent.workflow.base_agent import BaseWorkflowAgent
from llama_index.core.agent.workflow.workflow_events import AgentOutput
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.memory import BaseMemory
from llama_index.core.tools import AsyncBaseTool

from pas_middleware import PAS

from .chat import last_user, placed, text_of
from .events import tell
from .lazy import LazyPAS

if TYPE_CHECKING:
    from llama_index.core.agent.workflow.agent_context import AgentContext


class PASAgentMixin(BaseWorkflowAgent):
    """Augment what a workflow agent's LLM reads in every step; its memory never holds the complement.

    Give a ready `pas`, or the embedded pas-mini is loaded on the first step.

        class Agent(PASAgentMixin, FunctionAgent): ...
    """

    pas: PAS | None = Field(default=None, exclude=True)
    _lazy: LazyPAS = PrivateAttr(default_factory=lambda: LazyPAS(None, "auto", None))

    async def take_step(
        self, ctx: AgentContext, llm_input: list[ChatMessage], tools: Sequence[AsyncBaseTool], memory: BaseMemory
    ) -> AgentOutput:
        """Take a step with a complement behind the user's message."""
        # With an initial state, the message is LlamaIndex's template around what the user wrote.
        written: str = await ctx.store.get("user_msg_str", default="") or ""
        place = last_user(llm_input, written)
        if place is not None:
            pas = self.pas or await self._lazy.aget()
            result = tell(await pas.aaugment(written or text_of(llm_input[place])))
            llm_input = placed(llm_input, place, result) if result.applied else llm_input
        return await super().take_step(ctx, llm_input, tools, memory)  # type: ignore[safe-super]  # the agent's
