"""PAS for LiteLLM: `callbacks: ["litellm_pas.pas_hook"]` in its proxy, PASDeploymentHook for its SDK."""

from importlib.util import find_spec
from typing import Any

from pas_middleware import RuntimeMissing

if find_spec("litellm") is None:
    raise RuntimeMissing("litellm is not installed;", hint='run `pip install "pas-middleware[litellm]"`.')

from .hooks import PASDeploymentHook, PASHook

__all__ = ["PASDeploymentHook", "PASHook", "pas_hook"]


def __getattr__(name: str) -> Any:
    # LiteLLM asks for an instance by name when it starts: a bad PAS_MODEL ends the start, not the first request.
    if name != "pas_hook":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, PASHook())
