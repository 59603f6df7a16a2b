"""From a checkpoint to a model directory, in one go or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from pas_middleware.errors import ConfigError
from pas_middleware.models.directory import write_manifest
from pas_middleware.models.template import PromptTokenizer, Template

from ..mini.examples import DATA, read_jsonl
from . import parity
from .checkpoint import Checkpoint
from .graphs import Precision, raw_graph
from .surgery import operate

#: Least share of greedy complements that equal torch's. Weights of fewer bits part from it sooner or later; how much
#: that matters the share that passes the guard and an evaluation tell.
EQUAL: dict[Precision, float] = {"fp32": 1.0, "fp16": 0.8, "int8": 0.5, "int4": 0.2}
#: Greatest difference of a logit in fp32.
DIFFERENCE = 1e-3
_TYPES = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.FLOAT16: "float16"}
_MAX_TOKENS, _TAIL_TOKENS, _NEW_TOKENS = 512, 128, 96


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be exported, and how strictly it is compared."""

    checkpoint: Checkpoint
    out: Path
    precision: Precision
    device: str
    name: str
    version: str
    languages: tuple[str, ...]
    prompts: int
    equal: float
    threads: int


def export(plan: Plan) -> dict[str, Any]:
    """Write the model directory and return its `pas.json`; nothing is left behind where it fails.

    Raises ConfigError where the export parts from its checkpoint by more than the plan allows.
    """
    plan.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".pas-export-", dir=plan.out.parent) as scratch:
        raw, made = Path(scratch) / "raw", Path(scratch) / "made"
        raw.mkdir()
        made.mkdir()
        config = _assemble(plan, raw, made)
        shutil.rmtree(raw)
        _compare(plan, made, config)
        made.rename(plan.out)
    return config


def _assemble(plan: Plan, raw: Path, made: Path) -> dict[str, Any]:
    checkpoint = plan.checkpoint
    graph, style = raw_graph(checkpoint, plan.precision, plan.device, raw)
    few_bits = plan.precision in ("int8", "int4")
    top_k = operate(graph, made / "model.onnx", style, int(checkpoint.config["vocab_size"]), halve_embedding=few_bits)
    shutil.copyfile(checkpoint.path / "tokenizer.json", made / "tokenizer.json")
    layers, kv_heads, head_dim = checkpoint.heads
    config = {
        "format": 1,
        "kind": "generator",
        "name": plan.name,
        "version": plan.version,
        "languages": list(plan.languages),
        "dtype": plan.precision,
        "template": checkpoint.template,
        "ends": list(checkpoint.ends),
        "limits": _limits(checkpoint, made / "tokenizer.json"),
        "graph": {
            "style": style,
            "device": plan.device,
            "layers": layers,
            "kv_heads": kv_heads,
            "head_dim": head_dim,
            "dtype": _kv_type(made / "model.onnx"),
            "top_k": top_k,
        },
        "made": {"architecture": checkpoint.architecture, "precision": plan.precision},
    }
    _write(made, config)
    return config


def _limits(checkpoint: Checkpoint, tokenizer: Path) -> dict[str, Any]:
    fixed = PromptTokenizer(tokenizer, Template.parse(checkpoint.template), max_tokens=1, tail_tokens=0)
    positions = int(checkpoint.config.get("max_position_embeddings", 2**31))
    room = positions - len(fixed.prefix) - len(fixed.encode("")) - _NEW_TOKENS - 1
    if room < 16:
        raise ConfigError(f"{positions} positions leave {room} for the prompt;", hint="use a shorter template.")
    tokens = min(_MAX_TOKENS, room)
    return {
        "deadline_ms": 2000,
        "max_words": 30,
        "max_tokens": tokens,
        "tail_tokens": min(_TAIL_TOKENS, tokens // 4),
        "max_new_tokens": _NEW_TOKENS,
    }


def _kv_type(graph: Path) -> str:
    model = onnx.load(str(graph), load_external_data=False)
    past = next(value for value in model.graph.input if value.name == "past_key_values.0.key")
    return _TYPES[past.type.tensor_type.elem_type]


def _write(folder: Path, config: dict[str, Any]) -> None:
    (folder / "pas.json").write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    write_manifest(folder)


def _compare(plan: Plan, made: Path, config: dict[str, Any]) -> None:
    """Put the parity into `pas.json`; a graph for CUDA cannot be compared here, and says so."""
    if not plan.prompts or plan.device != "cpu":
        config["made"]["parity"] = "not measured"
        _write(made, config)
        return
    found = parity.measure(plan.checkpoint.path, made, _prompts(plan.prompts), plan.threads)
    config["made"]["parity"] = found.record()
    _write(made, config)
    exact = plan.precision != "fp32" or found.max_logit_difference <= DIFFERENCE
    if not exact or found.equal_complements < plan.equal:
        raise ConfigError(
            f"The export parts from its checkpoint: {found.equal_complements:.1%} equal complements, logits differ by "
            f"{found.max_logit_difference:.1e};",
            hint=f"at least {plan.equal:.0%} are wanted (--min-equal), in fp32 at most {DIFFERENCE:g}.",
        )


def _prompts(count: int) -> Sequence[tuple[str, str]]:
    rows = [row for row in read_jsonl(DATA / "pairs.jsonl") if row["complement"]]
    return [(row["prompt"], row["language"]) for row in rows[:count]]
