"""The query engine: whatever retrieves reads the query as it was asked, the LLM that answers reads the complement."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import RESPONSE_TYPE
from llama_index.core.prompts.mixin import PromptDictType, PromptMixinType
from llama_index.core.schema import NodeWithScore, QueryBundle

from pas_middleware import PAS, Settings

from .lazy import Model
from .query_transform import PASQueryTransform


class PASQueryEngine(BaseQueryEngine):
    """Wrap a query engine: retrieve and rerank with the original query, synthesise with the augmented one.

    `model`, `device`, `settings` and `pas` are those of PASQueryTransform. An engine that cannot retrieve apart, such
    as one over SQL or over other engines, is asked the augmented query as a whole. Prompts keep the names that they
    have in the wrapped engine.

        engine = PASQueryEngine(index.as_query_engine())
    """

    def __init__(
        self,
        query_engine: BaseQueryEngine,
        model: Model = None,
        *,
        device: str = "auto",
        settings: Settings | None = None,
        pas: PAS | None = None,
    ) -> None:
        super().__init__(query_engine.callback_manager)
        self._inner = query_engine
        self._transform = PASQueryTransform(model, device=device, settings=settings, pas=pas)

    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        augmented = self._transform.run(query_bundle)
        if augmented is query_bundle:
            return self._inner.query(query_bundle)  # just as without PAS, its events too
        try:
            nodes = self._inner.retrieve(query_bundle)
        except NotImplementedError:
            return self._inner.query(augmented)
        return self._inner.synthesize(augmented, nodes)

    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        augmented = await self._transform.arun(query_bundle)
        if augmented is query_bundle:
            return await self._inner.aquery(query_bundle)
        try:
            nodes = await self.aretrieve(query_bundle)
        except NotImplementedError:
            return await self._inner.aquery(augmented)
        return await self._inner.asynthesize(augmented, nodes)

    def retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Return what the wrapped engine retrieves for the query as it was asked."""
        return self._inner.retrieve(query_bundle)

    async def aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Return what the wrapped engine retrieves, without blocking the event loop."""
        own: Any = getattr(self._inner, "aretrieve", None)  # not of every engine's interface
        if own is None:
            return await asyncio.to_thread(self._inner.retrieve, query_bundle)
        nodes: list[NodeWithScore] = await own(query_bundle)
        return nodes

    def synthesize(
        self,
        query_bundle: QueryBundle,
        nodes: list[NodeWithScore],
        additional_source_nodes: Sequence[NodeWithScore] | None = None,
    ) -> RESPONSE_TYPE:
        """Answer the augmented query from nodes."""
        return self._inner.synthesize(self._transform.run(query_bundle), nodes, additional_source_nodes)

    async def asynthesize(
        self,
        query_bundle: QueryBundle,
        nodes: list[NodeWithScore],
        additional_source_nodes: Sequence[NodeWithScore] | None = None,
    ) -> RESPONSE_TYPE:
        """Answer the augmented query from nodes, without blocking the event loop."""
        augmented = await self._transform.arun(query_bundle)
        return await self._inner.asynthesize(augmented, nodes, additional_source_nodes)

    # LlamaIndex cannot update prompts two modules deep: the wrapped engine's stand as if they were ours.

    def _get_prompts(self) -> PromptDictType:
        return self._inner._get_prompts()

    def _get_prompt_modules(self) -> PromptMixinType:
        return self._inner._get_prompt_modules()

    def _update_prompts(self, prompts: PromptDictType) -> None:
        self._inner._update_prompts(prompts)
