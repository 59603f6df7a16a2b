"""`pas inspect`: show the model, and for a prompt what is decided and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..augmentation import Augmentation
from ..models.base import ModelInfo
from .inputs import DeviceOption, JsonOption, ModelOption, PromptArgument, load, read_prompt, write_json

if TYPE_CHECKING:
    from rich.table import Table


def inspect(
    prompt: PromptArgument = None, as_json: JsonOption = False, model: ModelOption = None, device: DeviceOption = "auto"
) -> None:
    """Show which model is used (name, digest, languages, size), and for a prompt the decision and its reason.

    Examples:
      pas inspect

      pas inspect "10 birds in a tree, one is shot dead, how many are on the ground?"

    """
    text = read_prompt(prompt) if prompt is not None else None
    with load(model, device) as pas:
        info = pas.model
        result = pas.augment(text) if text is not None else None
    if as_json:
        write_json({"model": asdict(info)} | ({"augmentation": result.to_dict()} if result else {}))
        return
    from rich.console import Console  # here, so that `pas augment` starts without it

    Console(soft_wrap=True).print(_table(_model_rows(info) | (_prompt_rows(result) if result else {})))


def _model_rows(info: ModelInfo) -> dict[str, Any]:
    return {
        "model": f"{info.name} {info.version} ({info.kind})",
        "folder": info.folder,
        "digest": info.digest,
        "languages": ", ".join(info.languages),
        "size": f"{info.bytes / 1e6:.1f} MB",
        "device": info.device,
        "deadline": f"{info.deadline_ms:g} ms",
    }


def _prompt_rows(result: Augmentation) -> dict[str, Any]:
    decision = result.status + (f", {result.reason}" if result.reason else "")
    proposed = {"proposed": result.proposed} if result.proposed and not result.applied else {}
    return {
        "decision": decision,
        "recognised": result.detail or "-",
        "complement": result.complement or "-",
        **proposed,
        "time": f"{result.elapsed_ms:.1f} ms",
    }


def _table(rows: dict[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, Text(str(value)))  # a plain string would be read as markup
    return table
