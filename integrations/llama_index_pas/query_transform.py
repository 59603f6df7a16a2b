"""The query transform: the LLM reads the complement, the embedding model does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llama_index.core.indices.query.query_transform.base import BaseQueryTransform
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]  # re-exported, but not by name
from llama_index.core.prompts.mixin import PromptDictType
from llama_index.core.schema import QueryBundle, QueryType

from pas_middleware import PAS, Augmentation, Settings

from .events import tell
from .lazy import LazyPAS, Model

_dispatcher = get_dispatcher(__name__)


class PASQueryTransform(BaseQueryTransform):
    """Put a complement behind a query for the LLM; the embedding is made of the query as it was asked.

    Give `model`, `device` and `settings` as to `PAS.load`, which then runs on the first query, or a ready `pas`. With
    `augment_embedding=True` the embedding is made of the augmented query. Raises ConfigError where both are given.

        engine = TransformQueryEngine(index.as_query_engine(), PASQueryTransform())
    """

    def __init__(
        self,
        model: Model = None,
        *,
        device: str = "auto",
        settings: Settings | None = None,
        pas: PAS | None = None,
        augment_embedding: bool = False,
    ) -> None:
        super().__init__()
        self._pas = LazyPAS(model, device, settings, pas)
        self.augment_embedding = augment_embedding

    @_dispatcher.span
    async def arun(self, query_bundle_or_str: QueryType, metadata: Mapping[str, Any] | None = None) -> QueryBundle:
        """Transform a query without blocking the event loop; `metadata` is ignored, as in `run`."""
        bundle = query_bundle_or_str
        if isinstance(bundle, str):
            bundle = QueryBundle(bundle, custom_embedding_strs=[bundle])
        pas = await self._pas.aget()
        return self._augmented(bundle, tell(await pas.aaugment(bundle.query_str)))

    def _run(self, query_bundle: QueryBundle, metadata: Mapping[str, Any]) -> QueryBundle:
        return self._augmented(query_bundle, tell(self._pas.get().augment(query_bundle.query_str)))

    def _augmented(self, bundle: QueryBundle, result: Augmentation) -> QueryBundle:
        if not result.applied:
            return bundle
        strings, text = list(bundle.embedding_strs), result.text
        if not self.augment_embedding:
            return replace(bundle, query_str=text, custom_embedding_strs=strings)
        # Other strings, such as HyDE's document, stay; an embedding made before is not of the augmented query.
        strings = [text if string == bundle.query_str else string for string in strings]
        return replace(bundle, query_str=text, custom_embedding_strs=strings, embedding=None)

    def _get_prompts(self) -> PromptDictType:
        return {}

    def _update_prompts(self, prompts: PromptDictType) -> None:
        """Leave prompts alone: there are none."""
