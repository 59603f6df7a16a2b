"""`pas report`: the page of whatever a folder holds."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from pas_middleware.errors import ConfigError

from ..stages import RECORD, Record
from .page import Page

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
#: The stage that a folder's stage.json names, and the module whose `page(folder)` shows it.
REPORTS = {
    "curate": "pas_trainer.curate.report",
    "eval": "pas_trainer.evaluate.report",
    "pipeline": "pas_trainer.pipeline.report",
    "synthesize": "pas_trainer.synthesize.report",
}


@app.command(name="report")
def report_command(
    folder: Annotated[
        Path, typer.Argument(help="What `pas curate`, `pas synthesize`, `pas eval` or `pas pipeline` wrote.")
    ],
    out: Annotated[Path | None, typer.Option(help="The page to write; default: report.html in the folder.")] = None,
) -> None:
    """Write one self-contained HTML page on a run: figures, tables, samples.

    Examples:
      pas report run/curate

      pas report run/curate --out curation.html

    """
    target = out or folder / "report.html"
    page_of(folder).write(target)
    typer.echo(str(target))


def page_of(folder: Path) -> Page:
    """Return the page of a folder; raises ConfigError where it holds no finished run that has one."""
    record = Record.read(folder)
    if record is None:
        raise ConfigError(f"There is no {RECORD} in {folder};", hint=f"give the folder of pas {' or '.join(REPORTS)}.")
    if record.name not in REPORTS:
        raise ConfigError(f"Stage {record.name!r} has no report;", hint=f"there are {', '.join(REPORTS)}.")
    if not record.finished:
        raise ConfigError(f"The run in {folder} is not finished;", hint="run the same again: it goes on.")
    page: Callable[[Path], Page] = import_module(REPORTS[record.name]).page
    return page(folder)
