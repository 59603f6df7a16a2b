"""The model that is fine-tuned: its tokenizer and template checked, its weights loaded."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, PreTrainedTokenizerBase

from pas_middleware.errors import ConfigError, RuntimeMissing
from pas_middleware.models.template import PromptTokenizer, Template

from ..export.checkpoint import TEMPLATE_FILE
from .pairs import Pair
from .settings import TEMPLATE, TrainSettings

_CONTROL = re.compile(r"<\|[^|<>\s]+\|>|<[a-z_]+_of_turn>|\[/?INST\]")
#: What transformers raises where a name or a folder leads to no model.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError)
#: Room for a complement, in tokens: what the exported model may write.
_ANSWER = 96


@dataclass(frozen=True, slots=True)
class Base:
    """A base's tokenizer with its template, so that training splices ids exactly as the middleware will."""

    name: str
    template: str
    end: int
    tokenizer: PreTrainedTokenizerBase
    splicing: PromptTokenizer

    def before(self, prompt: str) -> list[int]:
        """Return the ids of the template with a prompt in it."""
        return [*self.splicing.prefix, *self.splicing.encode(prompt)]

    def completion(self, complement: str) -> list[int]:
        """Return the ids of a complement and the end token; of "" the end alone."""
        ids: list[int] = self.tokenizer.encode(complement, add_special_tokens=False)
        return [*ids, self.end]


def open_base(settings: TrainSettings) -> Base:
    """Read a base's tokenizer; raises ConfigError where base, template and end token do not fit together."""
    name = settings.base
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        rows = AutoConfig.from_pretrained(name).vocab_size
    except _UNREADABLE as error:
        first = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"The base {name!r} cannot be opened: {first}", hint="name a folder that save_pretrained wrote, or a model."
        ) from error
    if not tokenizer.is_fast:
        raise ConfigError(f"The base {name!r} has no tokenizer.json;", hint="use a model with a fast tokenizer.")
    if len(tokenizer) > rows:
        raise ConfigError(
            f"The base {name!r}: the tokenizer has {len(tokenizer):,} tokens, the embedding {rows:,} rows;",
            hint="use the tokenizer that the model was trained with.",
        )
    template = _template(settings)
    end = _control_ids(name, tokenizer, template, settings.end)
    return Base(name, template, end, tokenizer, _splicing(tokenizer, template, settings))


def _template(settings: TrainSettings) -> str:
    own = Path(settings.base) / TEMPLATE_FILE
    text = settings.template or (own.read_text(encoding="utf-8") if own.is_file() else TEMPLATE)
    Template.parse(text)
    return text


def _control_ids(name: str, tokenizer: PreTrainedTokenizerBase, template: str, end: str) -> int:
    """Return the id of the end token; every control token of the template must be one token of this vocabulary."""
    vocabulary = tokenizer.get_vocab()
    missing = [token for token in dict.fromkeys([*_CONTROL.findall(template), end]) if token not in vocabulary]
    if missing:
        raise ConfigError(
            f"The base {name!r} has no chat tokens {', '.join(missing)};",
            hint="set `template` and `end` to tokens that it has, or take the chat version of this model.",
        )
    return int(vocabulary[end])


def _splicing(tokenizer: PreTrainedTokenizerBase, template: str, settings: TrainSettings) -> PromptTokenizer:
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        file = Path(folder) / "tokenizer.json"
        fixed = PromptTokenizer(file, Template.parse(template), max_tokens=1, tail_tokens=0)
        room = settings.context - len(fixed.prefix) - len(fixed.encode("")) - _ANSWER - 1
        if room < 16:
            raise ConfigError(f"context is {settings.context};", hint=f"template and complement need {_ANSWER + 16}.")
        tokens = min(settings.prompt_tokens, room)
        return PromptTokenizer(file, Template.parse(template), max_tokens=tokens, tail_tokens=tokens // 4)


def examples(base: Base, pairs: Sequence[Pair]) -> list[dict[str, list[int]]]:
    """Return what SFTTrainer takes: ids, and a mask that is 1 on the completion."""
    rows = []
    for pair in pairs:
        before, completion = base.before(pair.prompt), base.completion(pair.complement)
        mask = [0] * len(before) + [1] * len(completion)
        rows.append({"input_ids": [*before, *completion], "completion_mask": mask})
    return rows


def load_model(name: str, *, four_bits: bool = False, half: bool = False) -> Any:
    """Return the base's weights: float32, bfloat16 where `half`, or in 4 bits to put adapters on."""
    quantized = None
    if four_bits:
        try:
            import bitsandbytes  # noqa: F401
        except ImportError as error:
            raise RuntimeMissing(
                "QLoRA needs bitsandbytes;", hint='run `pip install "pas-middleware[qlora]"`.'
            ) from error
        quantized = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    dtype = torch.bfloat16 if half or four_bits else torch.float32
    try:
        return AutoModelForCausalLM.from_pretrained(name, dtype=dtype, quantization_config=quantized)
    except _UNREADABLE as error:
        raise ConfigError(f"The weights of {name!r} cannot be read: {error}.") from error


def bf16_here() -> bool:
    """Tell whether there is an accelerator that computes in bfloat16."""
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
