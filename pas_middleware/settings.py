"""Settings of a PAS object: frozen, range-checked, units in the names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from .errors import ConfigError

OnError = Literal["passthrough", "raise"]


def _in_range(name: str, value: float, low: float, high: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        raise ConfigError(f"{name} is {value!r};", hint=f"give a number from {low:,} to {high:,}.")


def _whole_in_range(name: str, value: int, low: int, high: int) -> None:
    _in_range(name, value, low, high)
    if not isinstance(value, int):
        raise ConfigError(f"{name} is {value!r};", hint=f"give a whole number from {low:,} to {high:,}.")


def _check_languages(languages: object) -> None:
    if languages is None:
        return
    codes = isinstance(languages, tuple) and languages and all(isinstance(c, str) and c for c in languages)
    if not codes:
        raise ConfigError(f"languages is {languages!r};", hint='give a tuple of ISO 639-1 codes such as ("en", "zh").')


@dataclass(frozen=True, slots=True)
class Breaker:
    """Circuit breaker: `failures` in a row within `window_s` seconds open it for `open_s` seconds, then one probe."""

    failures: int = 5
    window_s: float = 20.0
    open_s: float = 60.0

    def __post_init__(self) -> None:
        _whole_in_range("breaker.failures", self.failures, 1, 1_000_000)
        _in_range("breaker.window_s", self.window_s, 0.001, 86_400)
        _in_range("breaker.open_s", self.open_s, 0.001, 86_400)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a generator picks words: the likeliest at temperature 0, else drawn, repeatably for a prompt and `seed`."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        _in_range("sampling.temperature", self.temperature, 0.0, 10.0)
        _in_range("sampling.top_p", self.top_p, 0.001, 1.0)
        _whole_in_range("sampling.seed", self.seed, 0, 2**63 - 1)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a PAS object behaves; the defaults suit a service.

    `deadline_ms` and `languages` default to the model's own. Raises ConfigError naming the field and its value.
    """

    max_words: int = 30
    deadline_ms: float | None = None
    max_input_chars: int = 32_768
    separator: str = "\n\n"
    on_error: OnError = "passthrough"
    languages: tuple[str, ...] | None = None
    cache_entries: int = 1_024
    queue_limit: int = 64
    breaker: Breaker = Breaker()
    sampling: Sampling = Sampling()
    sample_rate: float = 1.0
    shadow: bool = False

    def __post_init__(self) -> None:
        _whole_in_range("max_words", self.max_words, 1, 30)
        _whole_in_range("max_input_chars", self.max_input_chars, 1, 10_000_000)
        _whole_in_range("cache_entries", self.cache_entries, 0, 10_000_000)
        _whole_in_range("queue_limit", self.queue_limit, 1, 1_000_000)
        _in_range("sample_rate", self.sample_rate, 0.0, 1.0)
        if self.deadline_ms is not None:
            _in_range("deadline_ms", self.deadline_ms, 1, 600_000)
        if self.on_error not in get_args(OnError):
            raise ConfigError(f"on_error is {self.on_error!r};", hint='use "passthrough" or "raise".')
        if not isinstance(self.separator, str) or not self.separator:
            raise ConfigError(f"separator is {self.separator!r};", hint='give a text such as "\\n\\n".')
        if not isinstance(self.shadow, bool):
            raise ConfigError(f"shadow is {self.shadow!r};", hint="use True or False.")
        if not isinstance(self.breaker, Breaker):
            raise ConfigError(f"breaker is {self.breaker!r};", hint="give a Breaker(failures, window_s, open_s).")
        if not isinstance(self.sampling, Sampling):
            raise ConfigError(f"sampling is {self.sampling!r};", hint="give a Sampling(temperature, top_p, seed).")
        _check_languages(self.languages)
