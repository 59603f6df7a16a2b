"""A checkpoint as transformers saves it, checked before any work is done."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pas_middleware.errors import ConfigError
from pas_middleware.models.template import SLOT, Template

#: Architectures of which onnxruntime-genai's builder makes a fused graph.
FUSED = frozenset(
    f"{name}ForCausalLM"
    for name in (
        "Gemma", "Gemma2", "Gemma3", "Granite", "Llama", "Mistral", "Nemotron", "Olmo", "Phi", "Phi3", "Qwen2", "Qwen3",
        "SmolLM3",
    )
)  # fmt: skip
SUPPORTED = f"{', '.join(sorted(FUSED))}, and what optimum exports with past"
TEMPLATE_FILE = "pas_template.txt"
#: A graph, its raw form and what optimum keeps meanwhile, as multiples of the weights.
_ROOM = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with config, weights and tokenizer, and what the export needs to know of them."""

    path: Path
    config: dict[str, Any]
    ends: tuple[int, ...]
    template: str

    @property
    def architecture(self) -> str:
        """Return the class of the model, such as Qwen2ForCausalLM."""
        return str(self.config["architectures"][0])

    @property
    def heads(self) -> tuple[int, int, int]:
        """Return layers, K/V heads and the width of a head."""
        attention = int(self.config["num_attention_heads"])
        width = self.config.get("head_dim") or int(self.config["hidden_size"]) // attention
        kv_heads = self.config.get("num_key_value_heads") or attention
        return int(self.config["num_hidden_layers"]), int(kv_heads), int(width)


def read_checkpoint(path: Path, template: Path | None, out: Path) -> Checkpoint:
    """Check a checkpoint and where it is to go; raises ConfigError naming what is wrong and the remedy."""
    if out.exists():
        raise ConfigError(f"{out} exists already;", hint="name a new folder or remove it.")
    config = _json(path, "config.json")
    architecture = (config.get("architectures") or ["none"])[0]
    if not architecture.endswith("ForCausalLM"):
        raise ConfigError(f"{path} is a {architecture};", hint=f"supported: {SUPPORTED}.")
    tokenizer = _json(path, "tokenizer.json")
    _check_vocabulary(path, tokenizer, int(config["vocab_size"]))
    _check_room(path, out)
    return Checkpoint(path, config, _ends(path, config), _template(path, template))


def _json(path: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads((path / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} has no {name};", hint="give a folder that save_pretrained wrote.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path / name} cannot be read: {error};", hint="save the checkpoint again.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path / name} holds no object;", hint="save the checkpoint again.")
    return content


def _check_vocabulary(path: Path, tokenizer: dict[str, Any], rows: int) -> None:
    vocabulary = tokenizer.get("model", {}).get("vocab", {})
    # Unigram models list their pieces, the others map them to ids.
    numbers = list(vocabulary.values()) if isinstance(vocabulary, dict) else list(range(len(vocabulary)))
    numbers += [token["id"] for token in tokenizer.get("added_tokens", [])]
    if not numbers or max(numbers) >= rows:
        raise ConfigError(
            f"{path}: the tokenizer has ids up to {max(numbers, default=-1):,}, the embedding {rows:,} rows;",
            hint="save the tokenizer that the model was trained with.",
        )


def _check_room(path: Path, out: Path) -> None:
    weights = [*path.glob("*.safetensors"), *path.glob("*.bin")]
    if not weights:
        raise ConfigError(f"{path} has no weights (*.safetensors);", hint="give a folder that save_pretrained wrote.")
    needed = _ROOM * 2 * sum(file.stat().st_size for file in weights)
    existing = next(folder for folder in (out, *out.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise ConfigError(f"{existing} has {free / 1e9:.1f} GB free;", hint=f"the export needs {needed / 1e9:.1f} GB.")


def _ends(path: Path, config: dict[str, Any]) -> tuple[int, ...]:
    file = path / "generation_config.json"
    generation = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    found = {*_numbers(generation.get("eos_token_id")), *_numbers(config.get("eos_token_id"))}
    if not found:
        raise ConfigError(f"{path} names no eos_token_id;", hint="set it in generation_config.json.")
    return tuple(sorted(found))


def _numbers(value: int | list[int] | None) -> list[int]:
    return [] if value is None else [value] if isinstance(value, int) else list(value)


def _template(path: Path, given: Path | None) -> str:
    """Return the template: of the file given, of the checkpoint's own, else of its tokenizer's chat template."""
    file = given or path / TEMPLATE_FILE
    if given is not None or file.is_file():
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ConfigError(f"The template {file} cannot be read: {error}.") from error
        Template.parse(text)
        return text
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path)
    if not tokenizer.chat_template:
        raise ConfigError(
            f"{path} has no template;",
            hint=f"write the text it was trained with, {SLOT} once in it, to a --template FILE.",
        )
    messages = [{"role": "user", "content": SLOT}]
    rendered = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    Template.parse(rendered)
    return rendered
