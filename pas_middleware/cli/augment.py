"""`pas augment`: print a prompt with its complement."""

from __future__ import annotations

from typing import Annotated

import typer

from ..pas import PAS
from .inputs import DeviceOption, JsonOption, ModelOption, PromptArgument, load, read_prompt, write, write_json


def augment(
    prompt: PromptArgument = None,
    as_json: JsonOption = False,
    stream: Annotated[bool, typer.Option("--stream", help="Print the complement alone, as it comes.")] = False,
    model: ModelOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Print the augmented prompt: your text unchanged, then the complement.

    Where nothing is added, your text comes out as it went in and the reason goes to standard error.

    Examples:
      pas augment "How many birds are left?"

      cat prompt.txt | pas augment --json

      pas augment --stream "Plan a weekend in Lisbon with kids"

    """
    text = read_prompt(prompt)
    with load(model, device) as pas:
        if stream:
            _stream(pas, text)
            return
        result = pas.augment(text)
    if as_json:
        write_json(result.to_dict())
        return
    # What the shell gave and UTF-8 cannot hold comes out as it came in.
    write(result.text.encode("utf-8", "surrogateescape") + b"\n" * (not result.text.endswith("\n")))
    if not result.applied:
        typer.echo(f"pas: nothing added ({result.reason})", err=True)


def _stream(pas: PAS, text: str) -> None:
    empty = True
    for piece in pas.stream(text):
        write(piece.encode())
        empty = False
    write(b"\n")
    if empty:
        typer.echo("pas: nothing added; `pas inspect` says why", err=True)
