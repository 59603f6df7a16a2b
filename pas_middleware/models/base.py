"""What a model is to the rest of the package, and the fake that ships for tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..augmentation import Reason
from ..errors import AugmentationError
from ..limits import Deadline
from ..settings import Sampling


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model says of itself; `digest` is the sha256 of its manifest."""

    name: str
    kind: str
    version: str
    languages: tuple[str, ...]
    deadline_ms: float
    digest: str = ""
    max_words: int = 30
    threads: int = 1
    bytes: int = 0
    folder: str = ""
    device: str = "cpu"
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Return the name with the first digits of the digest."""
        return f"{self.name}@{self.digest[:12]}" if self.digest else self.name


_GREEDY = Sampling()


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt for a model, with the language that was found for it.

    A model that writes word by word calls `on_text` from a thread of its own with all that it has written so far.
    """

    prompt: str
    language: str
    sampling: Sampling = _GREEDY
    on_text: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a model wants to add to a prompt, or the reason why nothing, or how it failed for this prompt alone.

    `cut_short` says that the deadline ended the complement, not the model: it is used, and not remembered.
    """

    complement: str = ""
    reason: Reason = ""
    category: str = ""
    detail: str = ""
    error: AugmentationError | None = None
    cut_short: bool = False


class ComplementModel(Protocol):
    """A model behind the seam. Calls come from worker threads, several at a time where `info.threads` says so."""

    @property
    def info(self) -> ModelInfo:
        """Return what the model says of itself."""

    def propose(self, requests: Sequence[Request], deadline: Deadline) -> list[Proposal]:
        """Return one proposal a request, in order, by the deadline if it can."""

    def recognises(self, text: str) -> bool:
        """Tell whether a text ends with a complement that this model could have written."""

    def close(self) -> None:
        """Release what the model holds."""


class ScriptedModel:
    """Answer from a script: a complement for every prompt, or a function of the prompt that may raise.

    Keeps the prompts it was asked, call by call, in `calls`. For tests of code that mounts PAS.
    """

    def __init__(
        self,
        script: str | Callable[[str], str | Proposal] = "Check every step before you answer.",
        *,
        languages: tuple[str, ...] = ("en", "zh"),
        deadline_ms: float = 5_000.0,
        threads: int = 1,
    ) -> None:
        self._script = script
        self._lock = threading.Lock()
        self.calls: list[list[str]] = []
        self.info = ModelInfo("scripted", "scripted", "1", languages, deadline_ms, threads=threads)

    def propose(self, requests: Sequence[Request], deadline: Deadline) -> list[Proposal]:
        """Return what the script says for each prompt."""
        with self._lock:
            self.calls.append([request.prompt for request in requests])
        return [self._answer(request.prompt) for request in requests]

    def _answer(self, prompt: str) -> Proposal:
        answer = self._script(prompt) if callable(self._script) else self._script
        return answer if isinstance(answer, Proposal) else Proposal(answer)

    def recognises(self, text: str) -> bool:
        """Tell whether a text ends with the fixed complement."""
        return isinstance(self._script, str) and bool(self._script) and text.endswith(self._script)

    def close(self) -> None:
        """Do nothing."""
