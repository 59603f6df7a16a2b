"""An endpoint as configuration: where it is, which model, how fast, at what price."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from pas_middleware.errors import ConfigError

from .answer import Message, Messages


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible endpoint's model. The key is read from the environment variable that `key_env` names."""

    model: str
    base_url: str = "https://api.openai.com/v1"
    key_env: str = "OPENAI_API_KEY"
    temperature: float | None = 0.0  # None: not sent; some models take only their own
    max_tokens: int = 512
    max_tokens_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    timeout_s: float = 120.0
    concurrency: int = 8
    retries: int = 6
    patience_s: float = 600.0  # how long 429s may go on without a single answer
    usd_per_million_input: float = 0.0
    usd_per_million_output: float = 0.0
    batch_price: float = 0.5  # of the above, through the Batch API

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError("model is empty;", hint="name a model of the endpoint.")
        if not self.base_url.startswith(("http://", "https://")):
            raise ConfigError(f"base_url is {self.base_url!r};", hint="give an http or https address, mostly …/v1.")
        if self.max_tokens_name not in ("max_tokens", "max_completion_tokens"):
            raise ConfigError(
                f"max_tokens_name is {self.max_tokens_name!r};", hint="use max_tokens or max_completion_tokens."
            )
        for name in ("max_tokens", "timeout_s", "concurrency", "patience_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)!r};", hint="give a number above 0.")
        for name in ("retries", "usd_per_million_input", "usd_per_million_output", "batch_price"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} is {getattr(self, name)!r};", hint="give 0 or more.")

    @classmethod
    def parse(cls, values: Any) -> Endpoint:
        """Read a mapping of a configuration file."""
        if not isinstance(values, Mapping):
            raise ConfigError(f"An endpoint is {values!r};", hint="write it as {model: ..., base_url: ...}.")
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"An endpoint has no setting {unknown[0]!r};", hint=f"use {', '.join(sorted(known))}.")
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigError(f"An endpoint's settings do not fit: {error}.", hint="Compare the types.") from None

    def key(self) -> str:
        """Return the key from the environment; a loopback endpoint needs none."""
        found = os.environ.get(self.key_env, "")
        if not found and "://127.0.0.1" not in self.base_url and "://localhost" not in self.base_url:
            raise ConfigError(
                f"The environment variable {self.key_env} is not set;", hint="put the endpoint's key into it."
            )
        return found or "none"

    @property
    def is_priced(self) -> bool:
        """Tell whether prices are known."""
        return self.usd_per_million_input > 0 or self.usd_per_million_output > 0

    def usd(self, input_tokens: float, output_tokens: float) -> float:
        """Return what so many tokens cost."""
        return (input_tokens * self.usd_per_million_input + output_tokens * self.usd_per_million_output) / 1e6

    def body(self, messages: Messages) -> dict[str, Any]:
        """Return the body of a request."""
        body: dict[str, Any] = {"model": self.model, "messages": [dict(message) for message in messages]}
        if self.temperature is not None:
            body["temperature"] = self.temperature
        return body | {self.max_tokens_name: self.max_tokens}

    def digest(self, messages: Messages) -> str:
        """Name what is asked: an answer to the same model, settings and text is the same answer."""
        text = json.dumps([self.base_url, self.body(messages)], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def most_usd(self, messages: Messages) -> float:
        """Return what a call can cost at most: a token is at least one byte."""
        return self.usd(sum(_bytes(message) + 16 for message in messages), self.max_tokens)

    def estimate(self, requests: Iterable[Messages], output_tokens: int) -> Estimate:
        """Return what requests would cost about, at so many tokens an answer."""
        read = [sum(tokens_about(message["content"]) + 4 for message in messages) for messages in requests]
        written = len(read) * output_tokens
        return Estimate(len(read), round(sum(read)), written, self.usd(sum(read), written))


@dataclass(frozen=True, slots=True)
class Estimate:
    """What work would take, about."""

    calls: int
    input_tokens: int
    output_tokens: int
    usd: float

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.usd + other.usd,
        )

    def __str__(self) -> str:
        return (
            f"{self.calls:,} calls, about {self.input_tokens:,} tokens in, {self.output_tokens:,} out, "
            f"{self.usd:,.2f} USD"
        )


def _bytes(message: Message) -> int:
    return len(message["content"].encode("utf-8", "surrogatepass"))


def tokens_about(text: str) -> float:
    """Return about how many tokens a text has: four ASCII characters make one, any other is about one."""
    others = sum(not character.isascii() for character in text)
    return others + (len(text) - others) / 4
