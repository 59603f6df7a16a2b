"""Augment the queries that LlamaIndex answers; embeddings are made of the query as it was asked."""

from pas_middleware import RuntimeMissing

try:
    from .query_transform import PASComplementEvent, PASQueryTransform
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "llama_index":
        raise
    raise RuntimeMissing(
        "llama-index-core is not installed;", hint='run `pip install "pas-middleware[llama-index]"`.'
    ) from error

__all__ = ["PASComplementEvent", "PASQueryTransform"]
