"""PAS for LangChain: `chain = PASRunnable() | llm`."""

from importlib.util import find_spec

from pas_middleware import RuntimeMissing

if find_spec("langchain_core") is None:
    raise RuntimeMissing("langchain-core is not installed;", hint='run `pip install "pas-middleware[langchain]"`.')

from .runnable import PASRunnable

__all__ = ["PASRunnable"]
