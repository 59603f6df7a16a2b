"""What a fine-tune can be told, in YAML or as `--set KEY=VALUE`; the defaults are the paper's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pas_middleware.errors import ConfigError
from pas_middleware.models.template import SLOT

from ..configs import parse, read_yaml

END = "<|im_end|>"
#: The project's own: ChatML, with no system turn to be read anew for every prompt.
TEMPLATE = f"<|im_start|>user\n{SLOT}{END}\n<|im_start|>assistant\n"


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Knobs of a fine-tune; sizes are tokens, `batch` is for each process."""

    base: str = "Qwen/Qwen2-7B-Instruct"  # a folder, or a name on the hub
    objective: Literal["sft", "dpo"] = "sft"
    method: Literal["full", "lora", "qlora"] = "full"
    template: str = ""  # the text with {prompt} once in it; empty: the base's own pas_template.txt, else ChatML
    end: str = END  # the token that ends a complement
    context: int = 4096
    prompt_tokens: int = 512  # of a longer prompt head and tail are kept, as the exported model does
    packing: bool = False
    by_length: bool = False  # of SFT: pairs of like length in a batch, with less padding
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


def read_settings(path: Path | None, changes: list[str]) -> TrainSettings:
    """Return the settings of a YAML file, if any, with `key=value` changes on top."""
    values = read_yaml(path) if path is not None else {}
    for change in changes:
        key, sign, value = change.partition("=")
        if not sign:
            raise ConfigError(f"--set {change!r} has no '=';", hint="write --set key=value.")
        values[key.strip()] = value
    return parse(TrainSettings, values, str(path) if path is not None else "--set")
