"""A scripted OpenAI-compatible server on loopback, for tests and demonstrations: no key, no network, no money."""

from .faults import Fault, Faults
from .server import Call, ScriptedServer, serve

__all__ = ["Call", "Fault", "Faults", "ScriptedServer", "serve"]
