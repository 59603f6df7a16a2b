"""The root of the command line and its subcommands."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from .augment import augment
from .bench import bench
from .inspect import inspect
from .log import log
from .plugins import PluginGroup

app = typer.Typer(
    name="pas",
    cls=PluginGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Append a short complement to a prompt: how to answer it well, never the answer, never a changed request.",
    epilog='Try: pas augment "10 birds in a tree, one is shot dead, how many are on the ground?"',
)
app.command()(augment)
app.command()(inspect)
app.command()(bench)
app.command()(log)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"pas-middleware {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Append a short complement to a prompt: how to answer it well, never the answer, never a changed request."""
