"""Random weights of a given shape in every contestant's format, made once in a folder."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pas_trainer.export.checkpoint import read_checkpoint
from pas_trainer.export.directory import Plan, export
from pas_trainer.export.graphs import Precision, build, raw_graph
from pas_trainer.nano import Size, make_tokenizer, pairs

#: About 64 tokens of template and 24 of prompt: what a fine-tuned model would be given.
TEMPLATE = (
    "<|im_start|>system\nRead the request and write one short note on how to answer it well: what to check, which trap "
    "to avoid, which reader to have in mind. Never answer it yourself and never change what is asked. At most thirty "
    "words.\n"
    "<|im_end|>\n<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
)
SHAPES = {
    "30M": Size(vocabulary=16_000, hidden=512, layers=8, heads=8, kv_heads=2, inner=1408),
    "0.5B": Size(vocabulary=151_936, hidden=896, layers=24, heads=14, kv_heads=2, inner=4864),
    "7B": Size(vocabulary=152_064, hidden=3584, layers=28, heads=28, kv_heads=4, inner=18_944),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One contestant: its engine, its precision, and the folder or file that it opens."""

    engine: str
    precision: str
    path: Path

    @property
    def name(self) -> str:
        """Return the engine with the precision."""
        return f"{self.engine} {self.precision}"


def checkpoint(shape: str, work: Path, half: bool) -> Path:
    """Write a checkpoint of random weights, its tokenizer, its template and the prompts; return its folder."""
    out = work / "checkpoint"
    if (out / "pas_template.txt").exists():
        return out
    import torch
    from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

    rows = pairs(10_000)
    tokenizer = make_tokenizer([TEMPLATE * 200, *(text for r in rows for text in (r["prompt"], r["complement"]))], 4096)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float16 if half else torch.float32)
    model = Qwen2ForCausalLM(SHAPES[shape].config(int(tokenizer.token_to_id("<|im_end|>"))))
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(out)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>").save_pretrained(out)
    texts = [row["prompt"] for row in rows if row["language"] == "en"]
    fitting = [text for text in texts if 18 <= len(tokenizer.encode(text).ids) <= 30]
    (work / "prompts.json").write_text(json.dumps(fitting[:64]), encoding="utf-8")
    (out / "pas_template.txt").write_text(TEMPLATE, encoding="utf-8")
    return out


def entries(work: Path, device: str) -> list[Entry]:
    """Make every contestant's files that are not there yet and return the contestants."""
    source = work / "checkpoint"
    if device == "cuda":
        return [Entry("ours", "fp16", _ours(source, "fp16", work, device)), Entry("transformers", "fp16", source)]
    found = [Entry("transformers", "fp32", source), Entry("optimum", "fp32", _optimum(source, work))]
    precisions: list[Precision] = ["fp32", "int8", "int4"]
    found += [Entry("ours", precision, _ours(source, precision, work, device)) for precision in precisions]
    found += [Entry("genai", precision, _genai(source, precision, work)) for precision in precisions]
    found.append(Entry("genai", "int8, our options", _genai(source, "int8", work, ours=True)))
    if find_spec("llama_cpp") and find_spec("gguf"):
        found += [Entry("llama.cpp", name, _gguf(source, name, work)) for name in ("Q8_0", "Q4_0")]
    return found


def weight_bytes(folder: Path) -> int:
    """Return the bytes of a model directory's graph that each token has to read: all weights but the embedding's."""
    import onnx

    model = onnx.load(str(folder / "model.onnx"), load_external_data=False)
    tables = {node.input[0] for node in model.graph.node if node.op_type == "Gather"}
    total = 0
    for weights in model.graph.initializer:
        if weights.name not in tables:
            width = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(weights.data_type)).itemsize
            total += int(np.prod(weights.dims)) * width
    return total


def _ours(source: Path, precision: Precision, work: Path, device: str) -> Path:
    out = work / f"ours-{precision}"
    if not out.exists():
        plan = Plan(
            checkpoint=read_checkpoint(source, None, out),
            out=out,
            precision=precision,
            device=device,
            name=out.name,
            version="1",
            languages=("en", "zh"),
            prompts=0,
            equal=0.0,
            threads=1,
        )
        export(plan)
    return out


def _optimum(source: Path, work: Path) -> Path:
    from optimum.exporters.onnx import main_export

    out = work / "optimum"
    if not out.exists():
        main_export(str(source), output=out, task="text-generation-with-past", do_validation=False)
    return out


def _genai(source: Path, precision: Precision, work: Path, *, ours: bool = False) -> Path:
    """Build a folder for onnxruntime-genai, with the builder's defaults or as our exports are built."""
    out = work / f"genai-{precision}{'-ours' if ours else ''}"
    if not out.exists():
        scratch = work / "scratch"
        source_checked = read_checkpoint(source, None, out)
        if ours:
            raw_graph(source_checked, precision, "cpu", scratch)
        else:
            # Its default for int8 is broken in 0.15.2: the head names a matrix that is not written.
            build(source_checked, precision, "cpu", scratch, ["shared_embeddings=false"])
        scratch.rename(out)
        shutil.rmtree(out / "cache", ignore_errors=True)
    return out


def _gguf(source: Path, kind: str, work: Path) -> Path:
    """Write the checkpoint as a GGUF file, quantised by the package gguf as llama.cpp's own converter does it."""
    from safetensors.numpy import load_file

    gguf = import_module("gguf")
    out = work / f"model-{kind}.gguf"
    if out.exists():
        return out
    config: dict[str, Any] = json.loads((source / "config.json").read_text(encoding="utf-8"))
    quantised = gguf.GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(str(out), "qwen2")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    _gguf_tokens(writer, source, config)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config["num_hidden_layers"])
    for name, values in load_file(source / "model.safetensors").items():
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        matrix = values.ndim == 2
        data = gguf.quants.quantize(values.astype(np.float32), quantised) if matrix else values.astype(np.float32)
        writer.add_tensor(target, data, raw_dtype=quantised if matrix else None)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def _gguf_tokens(writer: Any, source: Path, config: dict[str, Any]) -> None:
    gguf = import_module("gguf")
    content = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    tokens = sorted(content["vocab"], key=content["vocab"].get)
    tokens += [f"[{number}]" for number in range(len(tokens), config["vocab_size"])]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens))
    writer.add_token_merges([" ".join(pair) if isinstance(pair, list) else pair for pair in content["merges"]])
    writer.add_eos_token_id(config["eos_token_id"])
