"""Open a model directory as the kind of model that it is."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError, ModelIncompatible
from .base import ComplementModel
from .directory import open_directory
from .generator import Generator
from .selector import Selector
from .session import check_device


def load_model(folder: Path, device: str = "auto", threads: int | None = None) -> ComplementModel:
    """Return the model of a directory on a device; raises ModelIncompatible where they do not go together."""
    check_device(device)
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ConfigError(f"threads is {threads!r};", hint="give a whole number from 1 on, or None.")
    directory = open_directory(folder)
    if directory.kind == "generator":
        return Generator(directory, device, threads=threads)
    if device not in ("auto", "cpu"):
        raise ModelIncompatible("A selector runs on the CPU alone;", hint='use device="cpu" or "auto".')
    return Selector(directory, threads=threads or 2)
