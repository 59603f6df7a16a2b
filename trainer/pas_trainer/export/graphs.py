"""Raw graphs of a checkpoint: fused by onnxruntime-genai's builder where it knows the architecture, else by optimum."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

from pas_middleware.errors import ConfigError

from .checkpoint import FUSED, SUPPORTED, Checkpoint

Precision = Literal["int8", "int4", "fp16", "fp32"]
#: Of the builder. The head runs for the last position alone. A shared embedding would be transposed at load, twice the
#: memory; and with int8 the builder of 0.15.2 names a matrix that it does not write.
_OPTIONS = ("prune_lm_head=true", "shared_embeddings=false", "int4_accuracy_level=4")


def raw_graph(checkpoint: Checkpoint, precision: Precision, device: str, work: Path) -> tuple[Path, str]:
    """Write the raw graph into a folder; return its file and its style, fused or plain."""
    if checkpoint.architecture in FUSED:
        return _built(checkpoint, precision, device, work), "fused"
    if precision != "fp32":
        raise ConfigError(
            f"{checkpoint.architecture} can be exported in fp32 only;",
            hint=f"use --precision fp32, or a model of {', '.join(sorted(FUSED))}.",
        )
    return _by_optimum(checkpoint, work), "plain"


def _built(checkpoint: Checkpoint, precision: Precision, device: str, work: Path) -> Path:
    # A process of its own: the builder prints much, and sets options of torch for all.
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", str(checkpoint.path), "-o", str(work)]
    command += ["-p", precision, "-e", device, "-c", str(work / "cache"), "--extra_options", *_OPTIONS]
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
