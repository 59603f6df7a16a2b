"""Raw graphs of a checkpoint: fused by onnxruntime-genai's builder where it knows the architecture, else by optimum."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pas_middleware.errors import ConfigError

from .checkpoint import FUSED, SUPPORTED, Checkpoint

Precision = Literal["int8", "int4", "fp16", "fp32"]
#: Of the builder. The head runs for the last position alone. A shared embedding would be transposed at load, twice the
#: memory; and with int8 the builder of 0.15.2 names a matrix that it does not write.
_OPTIONS = ("prune_lm_head=true", "shared_embeddings=false", "int4_accuracy_level=4")
#: Weights that share a scale. With 8 bits 128 lose little and spare a tenth of the bytes; 4 bits need 32.
_BLOCKS = {"int8": ("int4_block_size=128",), "int4": ("int4_block_size=32",)}

#: Widths of a head that onnxruntime's GroupQueryAttention takes are multiples of it.
_HEAD_WIDTH = 16


def raw_graph(checkpoint: Checkpoint, precision: Precision, device: str, work: Path) -> tuple[Path, str]:
    """Write the raw graph into a folder; return its file and its style, fused or plain."""
    if checkpoint.architecture in FUSED and checkpoint.heads[2] % _HEAD_WIDTH == 0:
        return build(checkpoint, precision, device, work, (*_OPTIONS, *_BLOCKS.get(precision, ()))), "fused"
    if precision != "fp32":
        raise ConfigError(
            f"{checkpoint.architecture} can be exported in fp32 only;",
            hint=f"use --precision fp32, or a model of {', '.join(sorted(FUSED))}.",
        )
    return _by_optimum(checkpoint, work), "plain"


def build(checkpoint: Checkpoint, precision: Precision, device: str, work: Path, options: Sequence[str]) -> Path:
    """Run the builder with its extra options; return the graph's file. Raises ConfigError quoting the builder."""
    # A process of its own: the builder prints much, and sets options of torch for all.
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", str(checkpoint.path), "-o", str(work)]
    command += ["-p", precision, "-e", device, "-c", str(work / "cache"), "--extra_options", *options]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ConfigError(f"{checkpoint.path} could not be exported: {last};", hint="is it a sound checkpoint?")
    return work / "model.onnx"


def _by_optimum(checkpoint: Checkpoint, work: Path) -> Path:
    from optimum.exporters.onnx import main_export

    try:
        main_export(
            str(checkpoint.path),
            output=work,
            task="text-generation-with-past",
            do_validation=False,
            local_files_only=True,
        )
    except (ValueError, KeyError, NotImplementedError) as error:
        raise ConfigError(
            f"{checkpoint.architecture} is not supported: {error};",
            hint=f"supported: {SUPPORTED}.",
        ) from error
    return work / "model.onnx"
