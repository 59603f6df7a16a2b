"""What the subcommands share: where the prompt comes from, the options that choose a model, where output goes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..pas import PAS
from ..settings import Settings

#: A command is run once, cold, and nobody's request waits behind it: the model's own deadline is for services.
UNHURRIED = Settings(deadline_ms=60_000)

PromptArgument = Annotated[str | None, typer.Argument(help="The prompt; standard input when it is not given, or is -.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", "-m", help="A model directory; the embedded pas-mini by default.")
]
DeviceOption = Annotated[str, typer.Option("--device", "-d", help="auto, cpu, cuda or tensorrt.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]


def read_prompt(prompt: str | None) -> str:
    """Return the prompt given, or standard input as it is; raises InputError where neither is there."""
    if prompt is not None and prompt != "-":
        return prompt
    if sys.stdin is None or (prompt is None and sys.stdin.isatty()):
        raise InputError("No prompt was given;", hint='write `pas augment "your prompt"` or pipe one in.')
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"Standard input is not UTF-8 at byte {error.start};", hint="convert it first.") from error


def load(model: str | None, device: str) -> PAS:
    """Load the model that the options name; whoever waits at a prompt of the shell waits for the first run, too."""
    return PAS.load(model, device=device, settings=UNHURRIED)


def write(content: bytes) -> None:
    """Write to standard output as it is: no line ending is translated, and nothing depends on the locale."""
    if sys.stdout is None:
        raise OSError("standard output is closed")
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def write_json(record: Mapping[str, Any]) -> None:
    """Write one JSON object in UTF-8; what UTF-8 cannot hold, a lone surrogate, becomes the escape that JSON has."""
    write(json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
