"""Subcommands of other packages, by entry points: loaded when called, listed even where their extra is missing."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from ..errors import RuntimeMissing

GROUP = "pas.commands"
#: The extra that brings what a subcommand needs.
_EXTRAS = (
    {"serve": "proxy"}
    | dict.fromkeys(("export", "mini", "pipeline"), "trainer,export")
    | dict.fromkeys(("curate", "eval", "report", "review", "synthesize", "train"), "trainer")
)


class PluginGroup(TyperGroup):
    """A command group that also offers the subcommands registered under `pas.commands`."""

    # Typer has a click of its own since 0.27 and took the package before: its types have no name that holds for both.
    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of our own subcommands, then those of the plugins."""
        return [*super().list_commands(ctx), *sorted(_plugins())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a subcommand; one whose package cannot be imported tells which extra brings it."""
        own = super().get_command(ctx, cmd_name)
        plugin = _plugins().get(cmd_name)
        return own if own is not None or plugin is None else _load(plugin)


def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _load(point: EntryPoint) -> Any:
    try:
        command: Any = get_command(point.load())
    except (ImportError, RuntimeMissing) as error:
        command = _missing(point.name, error)
    command.name = point.name
    return command


def _missing(name: str, error: Exception) -> Any:
    hint = f'run `pip install "pas-middleware[{_EXTRAS.get(name, name)}]"`.'
    app = typer.Typer(add_completion=False)

    @app.command(
        # Typer reads brackets as markup, the extra's as well.
        help=f"Not installed: {hint}".replace("[", r"\["),
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def refuse() -> None:
        raise RuntimeMissing(f"`pas {name}` is not installed ({error});", hint=hint)

    return get_command(app)
