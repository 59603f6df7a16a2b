"""One YAML file for a whole run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from pas_middleware.errors import ConfigError

from ..configs import parse, read_yaml
from ..curate.run import Curation
from ..export.graphs import Precision
from ..mini.examples import DATA
from ..sft.settings import TrainSettings
from ..synthesize.settings import Synthesis

#: As a source of prompts: those of the project's own pairs.
OWN = "own"


@dataclass(frozen=True, slots=True)
class Made:
    """A nano base, made from the curated prompts where there is no model to start from."""

    epochs: int = 2
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Export:
    """How the checkpoint is exported; `prompts` are compared with torch."""

    precision: Precision = "int8"
    device: str = "cpu"
    languages: tuple[str, ...] = ("en", "zh")
    version: str = "1"
    prompts: int = 50
    min_equal: float | None = None


@dataclass(frozen=True, slots=True)
class Evaluate:
    """How many held-out prompts the exported model is asked."""

    prompts: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What a run has beside its three large sections."""

    out: Path
    name: str
    base: Made | None = None
    export: Export = field(default_factory=Export)
    evaluate: Evaluate = field(default_factory=Evaluate)
    scripted_teacher: int = 0
    max_usd: float | None = None
    licences: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline(_Run):
    """A run: where it lies, its five stages, and what the cards say beside figures.

    `max_usd` bounds what curation and synthesis spend, each; `scripted_teacher` is the port of loopback on which the
    scripted server answers while the run lasts, 0: none.
    """

    curate: Curation
    synthesize: Synthesis
    train: TrainSettings

    @property
    def folders(self) -> dict[str, Path]:
        """Return the folders of the stages, in order."""
        names = ("curate", "synthesize", *(("base",) if self.base else ()), "train", "export", "evaluate")
        return {name: self.out / name for name in names}

    def settings(self) -> dict[str, Any]:
        """Return what decides the result; where it lies and what may be spent do not."""
        synthesis = self.synthesize.settings(self.synthesize.golden_set())
        found = {name: value for name, value in asdict(self).items() if name not in ("out", "max_usd", "licences")}
        if self.base is not None:
            found["train"]["base"] = "base"  # made in the run, wherever that lies
        return found | {"synthesize": synthesis}


def read_config(file: Path, out: Path | None) -> Pipeline:
    """Return the run of a YAML file; raises ConfigError naming the section, the key and the value."""
    values = read_yaml(file)
    sections = {name: values.pop(name, None) or {} for name in ("curate", "synthesize", "train")}
    reading = sections["curate"].get("reading") or {}
    reading["sources"] = [str(DATA / "pairs.jsonl") if s == OWN else s for s in reading.get("sources") or ()]
    if not reading["sources"]:
        raise ConfigError(f"{file}: curate.reading.sources is empty;", hint=f"name files, hub:NAME or `{OWN}`.")
    if out is not None:
        values["out"] = str(out)
    values.setdefault("out", str(Path("build") / file.stem))
    values.setdefault("name", file.stem)
    built: dict[str, Any] = {
        "curate": parse(Curation, sections["curate"] | {"reading": reading}, f"{file}: curate"),
        "synthesize": Synthesis.parse(sections["synthesize"]),
        "train": parse(TrainSettings, sections["train"], f"{file}: train"),
    }
    rest = parse(_Run, values, str(file))
    config = Pipeline(**built, **{field.name: getattr(rest, field.name) for field in fields(rest)})
    if config.base is not None:
        config = replace(config, train=replace(config.train, base=str(config.out / "base" / "checkpoint")))
    return config
