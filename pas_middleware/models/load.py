"""Open a model directory as the kind of model that it is."""

from __future__ import annotations

from pathlib import Path

from ..errors import ModelIncompatible
from .base import ComplementModel
from .directory import open_directory
from .generator import Generator
from .selector import Selector
from .session import check_device


def load_model(folder: Path, device: str = "auto") -> ComplementModel:
    """Return the model of a directory on a device; raises ModelIncompatible where they do not go together."""
    check_device(device)
    directory = open_directory(folder)
    if directory.kind == "generator":
        return Generator(directory, device)
    if device == "cuda":
        raise ModelIncompatible("A selector runs on the CPU alone;", hint='use device="cpu" or "auto".')
    return Selector(directory)
