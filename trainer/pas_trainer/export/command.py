"""`pas export`: a checkpoint becomes a model directory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from pas_middleware.errors import ConfigError

from .checkpoint import read_checkpoint
from .directory import EQUAL, Plan, export
from .graphs import Precision

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(name="export")
def export_command(
    checkpoint: Annotated[Path, typer.Argument(help="A folder that save_pretrained wrote.")],
    out: Annotated[Path, typer.Argument(help="The model directory to write.")],
    precision: Annotated[Precision, typer.Option(help="int8 and int4 for the CPU, fp16 for CUDA.")] = "int8",
    device: Annotated[str, typer.Option(help="cpu or cuda: where it is to run.")] = "cpu",
    template: Annotated[
        Path | None,
        typer.Option(
            help="The text that the model was trained with, {prompt} once in it; default: pas_template.txt beside the "
            "weights, else the tokenizer's chat template."
        ),
    ] = None,
    language: Annotated[list[str] | None, typer.Option(help="A language that it writes; repeat.")] = None,
    name: Annotated[str, typer.Option(help="Its name; default: the folder's.")] = "",
    version: Annotated[str, typer.Option(help="Its version.")] = "1",
    prompts: Annotated[int, typer.Option(min=0, help="Prompts to compare it with torch on; 0: not compared.")] = 200,
    min_equal: Annotated[
        float | None, typer.Option(min=0, max=1, help="Least share of greedy complements that equal torch's.")
    ] = None,
) -> None:
    """Export a fine-tuned causal LM (Qwen2, Llama and others) as a model directory that runs without torch.

    Examples:
      pas export checkpoints/my-pas models/my-pas

      pas export PAS-7B models/pas-7b --precision fp16 --device cuda --template pas7b.txt

    """
    if device not in ("cpu", "cuda"):
        raise ConfigError(f"device is {device!r};", hint="use cpu or cuda.")
    if precision == "fp16" and device == "cpu":
        raise ConfigError("fp16 is for CUDA;", hint="use --device cuda, or --precision int8.")
    plan = Plan(
        checkpoint=read_checkpoint(checkpoint, template, out),
        out=out,
        precision=precision,
        device=device,
        name=name or checkpoint.resolve().name,
        version=version,
        languages=tuple(language or ("en", "zh")),
        prompts=prompts,
        equal=EQUAL[precision] if min_equal is None else min_equal,
        threads=os.cpu_count() or 1,
    )
    config = export(plan)
    typer.echo(json.dumps(config["made"], indent=1))
    typer.echo(f"{out}: {sum(file.stat().st_size for file in out.iterdir()) / 1e6:.1f} MB")
