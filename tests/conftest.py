"""Fixtures that tests of several packages share."""

from openai_server import openai_server

__all__ = ["openai_server"]
