"""Fixtures that tests of several packages share."""

import os
from pathlib import Path

import pytest

from browser import chromium
from openai_server import openai_server

__all__ = ["chromium", "openai_server"]

# LiteLLM asks the network for a price list when it is imported; with this it reads its own.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
# Haystack reports its use unless it is told not to.
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"


@pytest.fixture(scope="session")
def nano_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from nano_models import write_checkpoint  # here, since it loads torch, which most tests do without

    return write_checkpoint(tmp_path_factory.mktemp("nano") / "checkpoint")


@pytest.fixture(scope="session")
def toy_generator(nano_checkpoint: Path) -> Path:
    from nano_models import write_generator

    return write_generator(nano_checkpoint, nano_checkpoint.parent / "fp32")
