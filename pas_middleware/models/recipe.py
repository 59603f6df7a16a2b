"""What `pas.json` of a generator says, parsed and checked, and how its graph is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, ModelCorrupt, ModelIncompatible
from .decoder import Decoder, FusedDecoder, PlainDecoder, Shape
from .directory import ModelDirectory
from .generation import Limits
from .session import open_session
from .template import PromptTokenizer, Template

#: Prompts that are decoded together where `pas.json` does not say; more wait.
ROWS = {"cpu": 8, "cuda": 32}
STYLES = ("fused", "plain")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one exported model is run."""

    path: Path
    tokenizer: PromptTokenizer
    limits: Limits
    shape: Shape
    style: str
    made_for: str
    rows: int | None
    context: int

    @classmethod
    def read(cls, directory: ModelDirectory) -> Recipe:
        """Return the recipe of a directory; raises ModelCorrupt or ModelIncompatible naming what is wrong."""
        try:
            recipe = cls._parse(directory.path, directory.config)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, ConfigError) as error:
            raise ModelCorrupt(f"pas.json of {directory.path} is malformed: {error!r}.") from error
        if recipe.style not in STYLES:
            raise ModelIncompatible(f"{directory.path} has a graph of style {recipe.style!r};", hint="export it again.")
        return recipe

    @classmethod
    def _parse(cls, path: Path, config: dict[str, Any]) -> Recipe:
        limits, graph = config["limits"], config["graph"]
        tokenizer = PromptTokenizer(
            path / "tokenizer.json",
            Template.parse(config["template"]),
            max_tokens=int(limits["max_tokens"]),
            tail_tokens=int(limits["tail_tokens"]),
        )
        ends = frozenset(int(token) for token in config["ends"]) | tokenizer.controls
        new = int(limits["max_new_tokens"])
        return cls(
            path=path / "model.onnx",
            tokenizer=tokenizer,
            limits=Limits(ends, int(limits["max_words"]), new),
            shape=Shape(**{name: graph[name] for name in Shape.__slots__}),
            style=str(graph["style"]),
            made_for=str(graph["device"]),
            rows=int(graph["rows"]) if "rows" in graph else None,
            context=len(tokenizer.prefix) + int(limits["max_tokens"]) + len(tokenizer.encode("")) + new + 1,
        )

    def open(self, device: str, threads: int) -> tuple[Decoder, Any, str]:
        """Open the graph; return the decoder, its session and the device that it runs on.

        Raises ModelIncompatible for a graph made for CUDA where that is not to be had or not wanted.
        """
        if self.made_for == "cuda" and device == "cpu":
            raise self._needs_cuda()
        session, found = open_session(self.path, device, threads)
        if self.made_for == "cuda" and found == "cpu":
            raise self._needs_cuda()
        try:
            return self._decoder(session, found), session, found
        except Exception as error:  # onnxruntime's errors share no base class below Exception
            raise ModelCorrupt(f"{self.path} cannot be run: {error}") from error

    def _decoder(self, session: Any, device: str) -> Decoder:
        # TensorRT shares CUDA's memory.
        memory = "cpu" if device == "cpu" else "cuda"
        rows, prefix = self.rows or ROWS[memory], self.tokenizer.prefix
        if self.style == "plain":
            return PlainDecoder(session, self.shape, prefix, rows=rows)
        return FusedDecoder(session, self.shape, prefix, rows=rows, context=self.context, device=memory)

    def _needs_cuda(self) -> ModelIncompatible:
        return ModelIncompatible(f"{self.path} was exported for CUDA;", hint="export it again with --device cpu.")
