"""A toy selector on disk, one to read and one to spoil; a script that waits for the test; unhurried properties."""

import asyncio
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from toy_models import write_selector

# A busy machine is no counterexample.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def toy_selector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_selector(tmp_path_factory.mktemp("models") / "toy")


@pytest.fixture
def spoilable(toy_selector: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy_selector, tmp_path / "toy"))


class Held:
    """A script or a task that does not go on before the test says so."""

    def __init__(self) -> None:
        self._begun, self._released = threading.Event(), threading.Event()

    def __call__(self, prompt: str = "") -> str:
        self._begun.set()
        self._released.wait()
        return "Check each step before you answer."

    def release(self) -> None:
        self._released.set()

    def wait_until_begun(self) -> None:
        assert self._begun.wait(30)

    async def begun(self) -> None:
        await asyncio.to_thread(self.wait_until_begun)


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held()
    yield held
    held.release()
