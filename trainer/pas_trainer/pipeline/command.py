"""`pas pipeline`: from prompts to a model directory."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .config import read_config
from .run import run

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(name="pipeline")
def pipeline_command(
    config: Annotated[Path, typer.Argument(help="A YAML file with curate, synthesize, train, export, evaluate.")],
    out: Annotated[Path | None, typer.Option(help="The run's folder; default: the file's, else build/NAME.")] = None,
    redo: Annotated[
        bool, typer.Option("--redo", help="Do anew what changed settings concern; paid answers are kept.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print stage.json of the run.")] = False,
) -> None:
    """Curate, synthesise, train, export and evaluate; the same again goes on, and does nothing that is done.

    Examples:
      pas pipeline examples/pipeline-demo.yaml --out build/demo

      pas report build/demo

    """
    plan = read_config(config, out)
    record = run(plan, lambda text: typer.echo(text, err=True), redo=redo)
    if as_json:
        typer.echo(json.dumps(asdict(record), ensure_ascii=False, indent=1))
        return
    typer.echo(f"{plan.out}: {record.seconds:,.0f} s, {record.usd:.2f} USD; DATA_CARD.md, MODEL_CARD.md")
    typer.echo(f'model: PAS.load("{plan.folders["export"] / "model"}"); the whole run: pas report {plan.out}')
