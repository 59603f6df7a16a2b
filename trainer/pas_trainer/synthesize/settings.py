"""Everything that decides what a synthesis brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from pas_middleware.errors import ConfigError

from ..llm import Endpoint
from .golden import GoldenSet
from .messages import WORDING

#: What changes the pace and the bill, and no answer.
_NO_RESULT = (
    "key_env",
    "timeout_s",
    "concurrency",
    "retries",
    "patience_s",
    "usd_per_million_input",
    "usd_per_million_output",
    "batch_price",
)


@dataclass(frozen=True, slots=True)
class Synthesis:
    """Who writes and who judges, in how many rounds, with how many examples each.

    `rounds` is how often a complement may be written for one prompt; `attempts` how often an answer that is no JSON
    is asked for; `golden` a JSON Lines file of one's own examples, "" for the project's; `limit` the first so many
    prompts, 0 for all.
    """

    generator: Endpoint
    critic: Endpoint
    rounds: int = 3
    attempts: int = 3
    shots: int = 5
    golden: str = ""
    limit: int = 0

    def __post_init__(self) -> None:
        for name in ("rounds", "attempts", "shots"):
            if not isinstance(getattr(self, name), int) or not 1 <= getattr(self, name) <= 20:
                raise ConfigError(f"{name} is {getattr(self, name)!r};", hint="give a whole number from 1 to 20.")
        if not isinstance(self.limit, int) or self.limit < 0:
            raise ConfigError(f"limit is {self.limit!r};", hint="give 0 (all) or more.")

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Synthesis:
        """Read a mapping of a configuration file; without a critic of its own the generator's model judges."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"synthesize has no setting {unknown[0]!r};", hint=f"use {', '.join(sorted(known))}.")
        if "generator" not in values:
            raise ConfigError("synthesize has no generator;", hint="give generator: {model: ..., base_url: ...}.")
        generator = Endpoint.parse(values["generator"])
        critic = replace(generator, temperature=0.0) if generator.temperature is not None else generator
        if values.get("critic") is not None:
            critic = Endpoint.parse(values["critic"])
        rest = {name: value for name, value in values.items() if name not in ("generator", "critic")}
        try:
            return cls(generator, critic, **rest)
        except TypeError as error:
            raise ConfigError(f"The settings of synthesize do not fit: {error}.") from None

    def golden_set(self) -> GoldenSet:
        """Read the golden examples."""
        return GoldenSet.read(Path(self.golden) if self.golden else None)

    def settings(self, golden: GoldenSet) -> dict[str, Any]:
        """Return what is compared with a folder's earlier run."""
        found = asdict(self) | {"golden": golden.digest, "wording": WORDING}
        for name in ("generator", "critic"):
            found[name] = {key: value for key, value in found[name].items() if key not in _NO_RESULT}
        return found
