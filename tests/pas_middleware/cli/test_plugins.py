"""Subcommands of other packages come by entry points, and break nothing where they cannot be loaded."""

from importlib.metadata import EntryPoint

import pytest
import typer
from typer.testing import CliRunner

from pas_middleware import RuntimeMissing
from pas_middleware.cli import plugins
from pas_middleware.cli.app import app

hello = typer.Typer()


@hello.command()
def say(name: str) -> None:
    typer.echo(f"hello {name}")


@pytest.fixture
def installed(monkeypatch):
    def install(**values):
        points = [EntryPoint(name, value, plugins.GROUP) for name, value in values.items()]
        monkeypatch.setattr(plugins, "entry_points", lambda group: points)

    return install


def test_a_plugin_runs_as_a_subcommand(installed):
    installed(hello=f"{__name__}:hello")
    result = CliRunner().invoke(app, ["hello", "Ada"])
    assert result.output == "hello Ada\n"


def test_a_plugin_without_its_packages_is_listed_and_says_what_to_install(installed):
    installed(broken="no_such_package:app")
    runner = CliRunner()
    listed = runner.invoke(app, ["--help"])
    assert listed.exit_code == 0
    assert "broken" in listed.output
    assert "pas-middleware[broken]" in listed.output
    result = runner.invoke(app, ["broken", "--any", "thing"])
    assert isinstance(result.exception, RuntimeMissing)
    assert 'pip install "pas-middleware[broken]"' in str(result.exception)


def test_own_subcommands_win(installed):
    installed(augment="no_such_package:app")
    assert "--stream" in CliRunner().invoke(app, ["augment", "--help"]).output
