"""Build and report pas-mini.

python -m pas_trainer.mini build [--also LABELLED.jsonl] [--prompts FOLDER] [--out DIR] [--work DIR]
python -m pas_trainer.mini texts [--model DIR]
python -m pas_trainer.mini report [--model DIR] [--also LABELLED.jsonl] [--prompts FOLDER] [--png FILE]
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pas_middleware import PAS, Settings
from pas_middleware.models.directory import open_directory
from pas_middleware.models.selector import Bank, Intent, Selector

from . import examples, figures, judging, real, report
from .calibration import calibrate
from .embedded import EMBEDDED
from .scoring import score

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Build and report pas-mini, the embedded model.")
#: A busy machine must not show in the figures.
UNHURRIED = Settings(deadline_ms=60_000)
Also = Annotated[Path | None, typer.Option(help="Labelled real prompts (JSON Lines: prompt, best, also, wrong).")]
Prompts = Annotated[Path | None, typer.Option(help="Folder in which the project's own labels find their prompts.")]


def gather(also: Path | None, prompts: Path | None) -> list[examples.Example]:
    """Return the project's examples, with the labelled real prompts of a file and of a folder where given."""
    labelled: list[examples.Example] = []
    if also is not None:
        labelled += examples.labelled_examples(real.labelled_rows(also))
    if prompts is not None:
        labelled += examples.labelled_examples(real.own_rows(prompts))
    return examples.all_examples(labelled)


@app.command()
def build(
    also: Also = None,
    prompts: Prompts = None,
    out: Annotated[Path, typer.Option(help="The model directory to write.")] = EMBEDDED,
    work: Annotated[
        Path, typer.Option(help="Checkpoint and graphs; a checkpoint found here is not trained again.")
    ] = Path("build/pas-mini"),
) -> None:
    """Fine-tune, export, calibrate and write the model directory (50 minutes on 2 cores, less with bfloat16)."""
    # Imported here, so that `report` runs without torch.
    from . import export, training

    started = time.monotonic()
    rows = gather(also, prompts)
    train = [e for e in rows if e.split == "train"]
    if not (work / "weights.safetensors").exists():
        bank = examples.bank_rows()
        labels = training.Labels(tuple(bank), tuple(sorted({r["category"] for r in bank.values()})))
        training.save_checkpoint(training.fit(train, labels, training.Recipe()), labels, work)
    model, labels = training.load_checkpoint(work)
    _, small = export.export_graph(model, work)
    (work / "tokenizer.json").write_text(export.tokenizer_json(model), encoding="utf-8")
    parsed = export.intents_json(labels)
    empty = Bank(parsed["categories"], [Intent.parse(row) for row in parsed["intents"]], {})
    scored = score(small, work / "tokenizer.json", [e for e in rows if e.split == "threshold"])
    thresholds = calibrate(scored, empty)
    made = {
        "base": "all-MiniLM-L6-v2 (Apache-2.0)",
        "recipe": asdict(training.Recipe()),
        "examples": {kind: sum(e.kind == kind for e in train) for kind in ("bank", "pairs", "gate", "tricks", "real")},
    }
    export.write_directory(out, small, model, labels, thresholds, made)
    typer.echo(json.dumps(thresholds, indent=1))
    typer.echo(
        f"{out}: {sum(f.stat().st_size for f in out.iterdir()) / 1e6:.1f} MB, {time.monotonic() - started:.0f} s"
    )


@app.command()
def texts(model: Annotated[Path, typer.Option(help="The model directory to change.")] = EMBEDDED) -> None:
    """Put the bank's present complements into a built model: what it recognises stays as it is."""
    from . import export

    export.write_texts(model)
    typer.echo(str(model))


@app.command(name="report")
def report_command(
    model: Annotated[Path, typer.Option(help="The model directory to measure.")] = EMBEDDED,
    also: Also = None,
    prompts: Prompts = None,
    fp32: Annotated[Path | None, typer.Option(help="The unquantised graph, to be measured beside it.")] = None,
    png: Annotated[Path | None, typer.Option(help="Where to draw the risk–coverage curves.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Print the figures of a selector on held-out prompts."""
    directory = open_directory(model)
    bank = Selector(directory).bank
    rows = [e for e in gather(also, prompts) if e.split == "report"]
    tokenizer = directory.path / "tokenizer.json"
    int8 = score(directory.path / "model.onnx", tokenizer, rows)
    full = score(fp32, tokenizer, rows) if fp32 is not None else None
    measured: dict[str, Any] = report.measure(int8, full, bank)
    with PAS.load(model, settings=UNHURRIED) as pas:
        held = {
            name: figures.held_out_figures(pas, name) for name in ("report", "development", "fresh", "final", "closing")
        }
    if png is not None:
        report.draw(report.curves(int8, bank), png)
    typer.echo(json.dumps(measured | {"held_out": held}, indent=1) if as_json else report.markdown(measured, held))


@app.command()
def judge(
    also: Also = None,
    prompts: Prompts = None,
    folder: Annotated[Path, typer.Option(help="Where items.jsonl, key.jsonl and the judges' marks lie.")] = Path(
        "build/judging"
    ),
    marks: Annotated[
        list[Path] | None, typer.Option(help="Files of marks ({item, marks}); without any, items are made.")
    ] = None,
    per_language: Annotated[int, typer.Option(help="Prompts of each language.")] = 75,
    skip: Annotated[int, typer.Option(help="Prompts of each language to pass over, judged before.")] = 0,
) -> None:
    """Write blind items for judges (0 harmful to 3 excellent), or print the table of their marks."""
    if marks:
        typer.echo(judging.table(folder / "key.jsonl", marks))
        return
    chosen = judging.sample(gather(also, prompts), per_language, skip)
    with PAS.load(settings=UNHURRIED) as pas:
        shown, key = judging.items(pas, chosen)
    folder.mkdir(parents=True, exist_ok=True)
    judging.write_jsonl(folder / "items.jsonl", shown)
    judging.write_jsonl(folder / "key.jsonl", key)
    typer.echo(f"{len(shown)} of {len(key)} prompts are applied; items in {folder / 'items.jsonl'}")


if __name__ == "__main__":
    app()
