"""PAS for LangChain: `chain = PASRunnable() | llm`, and PASMiddleware for its agents."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pas_middleware import RuntimeMissing

if find_spec("langchain_core") is None:
    raise RuntimeMissing("langchain-core is not installed;", hint='run `pip install "pas-middleware[langchain]"`.')

from .runnable import PASRunnable

if TYPE_CHECKING:
    from .middleware import PASMiddleware

__all__ = ["PASMiddleware", "PASRunnable"]


def __getattr__(name: str) -> Any:
    # Agents bring langgraph along, which a chain does not need and which takes a second to import.
    if name != "PASMiddleware":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find_spec("langchain") is None:
        raise RuntimeMissing(
            "langchain is not installed;", hint='run `pip install "pas-middleware[langchain-agents]"`.'
        )
    from .middleware import PASMiddleware

    return PASMiddleware
