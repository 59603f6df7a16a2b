"""What a fine-tune can be told, in YAML or as `--set KEY=VALUE`; the defaults are the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from pas_middleware.errors import ConfigError
from pas_middleware.models.template import SLOT

T = TypeVar("T")
END = "<|im_end|>"
#: The project's own: ChatML, with no system turn to be read anew for every prompt.
TEMPLATE = f"<|im_start|>user\n{SLOT}{END}\n<|im_start|>assistant\n"


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Knobs of a fine-tune; sizes are tokens, `batch` is for each process."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    base: str = "Qwen/Qwen2-7B-Instruct"  # a folder, or a name on the hub
    objective: Literal["sft", "dpo"] = "sft"
    method: Literal["full", "lora", "qlora"] = "full"
    template: str = ""  # the text with {prompt} once in it; empty: the base's own pas_template.txt, else ChatML
    end: str = END  # the token that ends a complement
    context: int = 4096
    prompt_tokens: int = 512  # of a longer prompt head and tail are kept, as the exported model does
    packing: bool = False
    epochs: float = 2.0
    steps: int = 0  # above 0 it goes before `epochs`
    learning_rate: float = 0.0  # 0: 2e-5 for SFT, 5e-7 for DPO
    warmup: float = 0.03  # share of the steps
    batch: int = 8
    accumulate: int = 1
    gradient_checkpointing: bool = True
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.05
    beta: float = 0.1  # of DPO: how closely it stays with the base
    held_out: float = 0.05  # share of the pairs that are never trained on
    samples: int = 200  # complements written for held-out prompts at the end
    save_steps: int = 200  # a step that can be resumed from
    log_steps: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        positive = ("context", "prompt_tokens", "epochs", "batch", "accumulate", "save_steps", "log_steps", "lora_rank")
        for name in positive:
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)};", hint="it must be above 0.")
        for name, most in (("held_out", 0.5), ("warmup", 1.0), ("lora_dropout", 1.0)):
            if not 0 <= getattr(self, name) <= most:
                raise ConfigError(f"{name} is {getattr(self, name)};", hint=f"use 0 to {most}.")
        if min(self.samples, self.steps, self.learning_rate) < 0:
            raise ConfigError("samples, steps or learning_rate is below 0;", hint="use 0 or more.")

    @property
    def rate(self) -> float:
        """Return the learning rate, that of the objective where none is set."""
        return self.learning_rate or {"sft": 2e-5, "dpo": 5e-7}[self.objective]


def parse(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """Return settings of a mapping; raises ConfigError naming the key, its value and what was expected."""
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            known = ", ".join(field.name for field in fields(kind))  # type: ignore[arg-type]
            raise ConfigError(f"{where}: unknown setting {key!r};", hint=f"known: {known}.") from None
        raise ConfigError(f"{where}: {key} is {first['input']!r}: {first['msg']}.") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping of a YAML file; raises ConfigError where it is none."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} is not there;", hint="give a YAML file of settings.") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no mapping;", hint="write lines of `key: value`.")
    return content


def read_settings(path: Path | None, changes: list[str]) -> TrainSettings:
    """Return the settings of a YAML file, if any, with `key=value` changes on top."""
    values = read_yaml(path) if path is not None else {}
    for change in changes:
        key, sign, value = change.partition("=")
        if not sign:
            raise ConfigError(f"--set {change!r} has no '=';", hint="write --set key=value.")
        values[key.strip()] = value
    return parse(TrainSettings, values, str(path) if path is not None else "--set")
