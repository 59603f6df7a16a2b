"""Complements for prompts: generated, judged, and where rejected generated again, by any OpenAI-compatible API."""

from .golden import Golden, GoldenSet
from .run import synthesize
from .settings import Synthesis

__all__ = ["Golden", "GoldenSet", "Synthesis", "synthesize"]
