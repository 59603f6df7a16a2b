"""Augment the queries that LlamaIndex answers; whatever retrieves reads the query as it was asked."""

from pas_middleware import RuntimeMissing

try:
    from .agent import PASAgentMixin
    from .events import PASComplementEvent
    from .llm import PASLLM
    from .query_engine import PASQueryEngine
    from .query_transform import PASQueryTransform
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "llama_index":
        raise
    raise RuntimeMissing(
        "llama-index-core is not installed;", hint='run `pip install "pas-middleware[llama-index]"`.'
    ) from error

__all__ = ["PASLLM", "PASAgentMixin", "PASComplementEvent", "PASQueryEngine", "PASQueryTransform"]
