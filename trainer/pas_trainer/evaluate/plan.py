"""What a run compares: targets, arms, benchmarks and the judge, read from YAML and checked before anything is paid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import yaml

from pas_middleware.errors import ConfigError

from ..llm import Endpoint
from .verdicts import Generation

ArmKind = Literal["none", "suffix", "pas", "rewrite", "answers", "logged"]
BenchmarkKind = Literal["arena_hard", "alpaca_eval", "own"]
T = TypeVar("T", "Arm", "BenchmarkPlan", "JudgePlan")


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of treating the prompt: as it is, with one suffix for all, by PAS, rewritten by the target itself.

    Kind `answers` takes another tool's answers from `path`, which may hold {target} and {benchmark}; kind `logged` the
    complements that the middleware's record holds.
    """

    name: str
    kind: ArmKind
    text: str = ""  # of a suffix; "" for our own, in the prompt's language
    model: str = ""
    device: str = "auto"
    path: str = ""

    def __post_init__(self) -> None:
        _one_of(self.kind, get_args(ArmKind), f"arms.{self.name}.kind")
        if (self.name == "none") != (self.kind == "none"):
            raise ConfigError(f"arms.{self.name} is of kind {self.kind};", hint="the arm `none` is there by itself.")
        if self.kind == "answers" and not self.path:
            raise ConfigError(f"arms.{self.name} has no path;", hint="name the file of the other tool's answers.")

    def path_of(self, benchmark: str, target: str) -> str:
        """Return the file of another tool's answers."""
        return self.path.replace("{target}", target).replace("{benchmark}", benchmark)


@dataclass(frozen=True, slots=True)
class BenchmarkPlan:
    """One set of questions, and for the public ones the baseline's answers that all are compared with."""

    name: str
    kind: BenchmarkKind
    questions: str = ""
    baseline: str = ""
    controls: str = ""
    generation: Generation = "v0.1"

    def __post_init__(self) -> None:
        _one_of(self.kind, get_args(BenchmarkKind), f"benchmarks.{self.name}.kind")
        _one_of(self.generation, get_args(Generation), f"benchmarks.{self.name}.generation")
        needed = {"arena_hard": ("questions", "baseline"), "alpaca_eval": ("baseline",), "own": ("questions",)}
        for key in needed[self.kind]:
            if not getattr(self, key):
                raise ConfigError(f"benchmarks.{self.name} has no {key};", hint="give the path of the file.")


@dataclass(frozen=True, slots=True)
class JudgePlan:
    """How the judge is asked: upstream's own files by their paths, else our wording; and how often."""

    arena_prompt: str = ""
    alpaca_prompt: str = ""
    attempts: int = 3

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= 10:
            raise ConfigError(f"judging.attempts is {self.attempts!r};", hint="give 1 to 10.")


@dataclass(frozen=True, slots=True)
class Plan:
    """A run: every target answers every benchmark's questions once for every arm, and one judge compares."""

    name: str
    targets: Mapping[str, Endpoint]
    judge: Endpoint
    arms: tuple[Arm, ...]
    benchmarks: tuple[BenchmarkPlan, ...]
    judging: JudgePlan = JudgePlan()
    limit: int = 0
    expected_tokens: int = 600

    @staticmethod
    def content(path: Path) -> dict[str, Any]:
        """Return the content of a YAML file; raises ConfigError where it is none."""
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise ConfigError(f"{path} cannot be read: {error};", hint="give a YAML file.") from error
        if not isinstance(content, dict):
            raise ConfigError(f"{path} is no mapping;", hint="see the ready configuration `paper`.")
        return content

    @classmethod
    def parse(cls, content: Mapping[str, Any], folder: Path) -> Plan:
        """Read a mapping; raises ConfigError naming what is unknown, missing or twice there."""
        known = {"name", "targets", "judge", "decoding", "arms", "benchmarks", "judging", "limit", "expected_tokens"}
        _no_others(content, known, "The configuration")
        for key in ("targets", "judge", "benchmarks"):
            if not isinstance(content.get(key), dict) or not content[key]:
                raise ConfigError(f"{key} is missing;", hint="a run needs targets, a judge and benchmarks.")
        decoding = content.get("decoding") or {}
        arms = {"none": {"kind": "none"}} | (content.get("arms") or {})
        return cls(
            name=str(content.get("name", "evaluation")),
            targets={str(n): _endpoint(f"targets.{n}", v, decoding) for n, v in content["targets"].items()},
            judge=_endpoint("judge", content["judge"]),
            arms=tuple(_made(Arm, f"arms.{n}", _named(n, v), folder) for n, v in arms.items()),
            benchmarks=tuple(
                _made(BenchmarkPlan, f"benchmarks.{n}", _named(n, v), folder) for n, v in content["benchmarks"].items()
            ),
            judging=_made(JudgePlan, "judging", content.get("judging") or {}, folder),
            limit=_whole(content, "limit", 0),
            expected_tokens=_whole(content, "expected_tokens", 600),
        )

    def limited(self, limit: int) -> Plan:
        """Return the plan for the first so many questions of each benchmark; 0 for all."""
        return replace(self, limit=limit) if limit else self

    def settings(self) -> dict[str, Any]:
        """Return what changes a result, for `stage.json`: no key, no price, no concurrency."""
        return {
            "name": self.name,
            "targets": {name: _said(endpoint) for name, endpoint in self.targets.items()},
            "judge": _said(self.judge),
            "judging": asdict(self.judging),
            "arms": {arm.name: asdict(arm) for arm in self.arms},
            "benchmarks": {b.name: asdict(b) for b in self.benchmarks},
            "limit": self.limit,
        }


def _said(endpoint: Endpoint) -> dict[str, Any]:
    names = ("model", "base_url", "temperature", "max_tokens")
    return {name: getattr(endpoint, name) for name in names}


def _whole(content: Mapping[str, Any], name: str, default: int) -> int:
    value = content.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigError(f"{name} is {value!r};", hint="give a whole number, 0 or more.")
    return value


def _named(name: object, values: Any) -> Any:
    return {"name": str(name)} | values if isinstance(values, dict) else values


def _endpoint(where: str, values: Any, decoding: Mapping[str, Any] | None = None) -> Endpoint:
    if not isinstance(values, dict):
        raise ConfigError(f"{where} is {values!r};", hint="give model, base_url, key_env and prices.")
    try:
        return Endpoint.parse({**(decoding or {}), **values})
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _made(kind: type[T], where: str, values: Any, folder: Path) -> T:
    if not isinstance(values, dict):
        raise ConfigError(f"{where} is {values!r};", hint="give a mapping of its settings.")
    _no_others(values, {field.name for field in fields(kind)}, where)
    # A model directory, a file of questions or of answers, a judge's prompt: relative to the configuration.
    paths = {"path", "questions", "baseline", "controls", "model", "arena_prompt", "alpaca_prompt"}
    found: dict[str, Any] = {k: str(folder / v) if k in paths and v else v for k, v in values.items()}
    try:
        return kind(**found)
    except TypeError as error:
        raise ConfigError(f"{where} does not fit: {error};", hint="compare it with the documentation.") from error


def _no_others(values: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(f"{where} has no setting {unknown[0]!r};", hint=f"use {', '.join(sorted(known))}.")


def _one_of(value: str, allowed: tuple[str, ...], where: str) -> None:
    if value not in allowed:
        raise ConfigError(f"{where} is {value!r};", hint=f"use {', '.join(allowed)}.")
