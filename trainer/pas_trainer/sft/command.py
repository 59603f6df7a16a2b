"""`pas train`: pairs become a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from .launch import is_first
from .llama_factory import write_dataset
from .run import gather, train
from .settings import read_settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
FSDP = Path(__file__).with_name("fsdp.yaml")


def _print_fsdp(asked: bool) -> None:
    if asked:
        typer.echo(FSDP)
        raise typer.Exit


@app.command(name="train")
def train_command(
    pairs: Annotated[Path, typer.Argument(help="JSON Lines with prompt and complement, of `pas synthesize` or yours.")],
    out: Annotated[Path, typer.Argument(help="The folder to write; one that was begun is gone on with.")],
    config: Annotated[Path | None, typer.Option(help="Settings in YAML.")] = None,
    base: Annotated[str, typer.Option(help="The model to start from: a folder, or a name on the hub.")] = "",
    method: Annotated[str, typer.Option(help="full, lora or qlora; adapters are merged at the end.")] = "",
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="A setting as key=value, over the YAML's; repeat.")
    ] = None,
    llama_factory: Annotated[
        Path | None, typer.Option(help="Only write the pairs as a data set of LLaMA-Factory into this folder.")
    ] = None,
    redo: Annotated[bool, typer.Option(help="Empty a folder that was made with something else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    _: Annotated[
        bool, typer.Option("--fsdp-config", callback=_print_fsdp, is_eager=True, help="Print the FSDP file's path.")
    ] = False,
) -> None:
    """Fine-tune a causal LM on pairs with TRL: loss on the complement only, 2 epochs at 2e-5 unless told otherwise.

    Examples:
      pas train build/synthesize/pairs.jsonl build/train --base Qwen/Qwen2-0.5B-Instruct

      pas train pairs.jsonl build/dpo --base build/train/checkpoint --set objective=dpo

      accelerate launch --config_file $(pas train --fsdp-config) -m pas_middleware train pairs.jsonl build/train

    """
    given = [f"{key}={value}" for key, value in (("base", base), ("method", method)) if value]
    settings = read_settings(config, [*given, *(changes or [])])
    if llama_factory is not None:
        write_dataset(llama_factory, gather(pairs, settings), settings)
        typer.echo(f"{llama_factory}: dataset_info.json, train.yaml and the pairs")
        return
    report = train(pairs, out, settings, redo=redo)
    if is_first():
        typer.echo(json.dumps(dict(report), ensure_ascii=False, indent=1) if as_json else _summary(report, out))


def _summary(report: Mapping[str, Any], out: Path) -> str:
    held = report["held_out"]
    return "\n".join(
        [
            f"{out / 'checkpoint'}: {report['parameters'] / 1e6:,.1f}M parameters, {report['steps']:,} steps in "
            f"{report['seconds']:,.0f} s on {report['device']}, {report['tokens_per_second'] or 0:,.0f} tokens/s",
            f"loss {report['loss']:.3f}, held out {_figure(report['held_out_loss'])}",
            f"held-out complements: {_figure(held.get('valid'))} pass the guard, {_figure(held.get('same_language'))} "
            f"keep the language, {_figure(held.get('words'))} words (references "
            f"{_figure(held.get('words_of_references'))})",
            f"samples: {out / 'samples.md'}; loss: {out / 'loss.png'}; tensorboard --logdir {out / 'tensorboard'}",
        ]
    )


def _figure(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3g}"
