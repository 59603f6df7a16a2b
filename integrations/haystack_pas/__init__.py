"""PAS for Haystack: PASAugmenter, between a pipeline's prompt builder and its chat generator."""

from importlib.util import find_spec

from pas_middleware import RuntimeMissing

if find_spec("haystack") is None:
    raise RuntimeMissing("haystack-ai is not installed;", hint='run `pip install "pas-middleware[haystack]"`.')

from .augmenter import PASAugmenter

__all__ = ["PASAugmenter"]
