"""The selector: recognise the intent of a prompt and return a complement that was written and reviewed for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..augmentation import Reason
from ..constraints import constraints_of
from ..errors import AugmentationError, ModelCorrupt
from ..framing import unframed
from ..limits import Deadline
from .base import ModelInfo, Proposal, Request
from .directory import ModelDirectory
from .session import CpuSession
from .tokenizer import EncoderTokenizer

_BATCH = 16
Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Variant:
    """One reviewed complement: `safe` where it holds at the intent's edges, `avoid` what it would conflict with."""

    text: str
    safe: bool
    avoid: frozenset[str]


@dataclass(frozen=True, slots=True)
class Intent:
    """One intent of the bank; `skip` where its prompts are left alone.

    Of intents of one `family` the safe complement of each holds for the others' prompts, too.
    """

    id: str
    category: str
    skip: bool
    variants: dict[str, tuple[Variant, ...]]
    family: str = ""

    @classmethod
    def parse(cls, row: dict[str, Any]) -> Intent:
        """Read an entry of intents.json; raises KeyError or TypeError where it has another shape."""
        variants = {
            language: tuple(Variant(v["text"], bool(v["safe"]), frozenset(v["avoid"])) for v in texts)
            for language, texts in row["complements"].items()
        }
        return cls(row["id"], row["category"], bool(row["skip"]), variants, str(row.get("family", "")))

    def choose(self, language: str, constraints: frozenset[str], pointed: bool) -> str:
        """Return the first pointed variant that fits where one is wanted, else the safe one, "" where none fits."""
        fitting = [v for v in self.variants.get(language, ()) if not v.avoid & constraints and (pointed or v.safe)]
        return min(fitting, key=lambda v: v.safe).text if fitting else ""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores at which the selector acts, and the softmax temperature that makes them probabilities."""

    gate: float
    intent: float
    pointed: float
    category: float
    skip: float
    temperature: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What the selector recognised in one prompt, and what follows: `chosen` is the intent whose advice it gives."""

    intent: str
    confidence: float
    category: str
    category_confidence: float
    gate: float
    chosen: str
    complement: str
    reason: Reason

    @property
    def general(self) -> bool:
        """Tell whether the complement is a category's general advice."""
        return self.chosen.endswith(".general")

    def explain(self) -> str:
        """Return the decision in one line, for the record."""
        return (
            f"intent {self.intent} {self.confidence:.2f}, category {self.category} {self.category_confidence:.2f}, "
            f"needs {self.gate:.2f}"
        )


def softmax(logits: Scores, temperature: float) -> Scores:
    """Return probabilities along the last axis."""
    scaled = logits / temperature
    exponents = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    probabilities: Scores = exponents / exponents.sum(axis=-1, keepdims=True)
    return probabilities


class Bank:
    """The intents in the order of the model's rows, and the decision rule over their scores."""

    def __init__(self, categories: Sequence[str], intents: Sequence[Intent], thresholds: dict[str, Thresholds]) -> None:
        self.categories, self.intents, self.thresholds = list(categories), list(intents), thresholds
        self._rows = np.array([self.categories.index(i.category) for i in intents])
        self._general = {i.category: i for i in intents if i.id == f"{i.category}.general"}
        self._skip = np.array([i.skip for i in intents])
        families = [i.family or i.id for i in intents]
        self._families = np.array([families.index(f) for f in families])
        self.texts = tuple(v.text for i in intents for texts in i.variants.values() for v in texts)

    def decide(self, request: Request, intent_logits: Scores, category_logits: Scores, gate_logit: float) -> Decision:
        """Return the decision for one prompt: its gate, then its intent, then its category's general advice."""
        limits = self.thresholds[request.language]
        intents = softmax(intent_logits, limits.temperature)
        categories = 0.5 * softmax(category_logits, limits.temperature)
        np.add.at(categories, self._rows, 0.5 * intents)
        best, category = int(intents.argmax()), int(categories.argmax())
        top, gate = self.intents[best], float(1 / (1 + np.exp(-gate_logit)))
        sure, category_sure = float(intents[best]), float(categories[category])
        chosen, complement = "", ""
        reason = _left_alone(gate, float(intents[self._skip].sum()), top, limits)
        source = None if reason else self._source(intents, self.categories[category], category_sure, limits)
        if source is not None:
            fixed = frozenset[str](constraints_of(request.prompt))
            chosen, complement = source.id, source.choose(request.language, fixed, sure >= limits.pointed)
        if not reason and not complement:
            reason = "unsure"
        return Decision(top.id, sure, self.categories[category], category_sure, gate, chosen, complement, reason)

    def _source(self, intents: Scores, category: str, category_sure: float, limits: Thresholds) -> Intent | None:
        """Return the intent whose advice to give: the one recognised, else its category's general one, else none.

        Where it is sure of a family alone, the likeliest of it will do: its safe complement holds for all.
        """
        families = np.bincount(self._families, intents)
        best = int(families.argmax())
        if families[best] >= limits.intent:
            return self.intents[int(np.where(self._families == best, intents, 0).argmax())]
        return self._general.get(category) if category_sure >= limits.category else None


def _left_alone(gate: float, skip: float, top: Intent, limits: Thresholds) -> Reason:
    return "no_complement_needed" if gate < limits.gate or skip >= limits.skip or top.skip else ""


def _check_languages(languages: Sequence[str], thresholds: dict[str, Thresholds]) -> None:
    missing = [language for language in languages if language not in thresholds]
    if missing or not languages:
        raise ValueError(f"no thresholds for {', '.join(missing) or 'any language'}")


class Selector:
    """pas-mini and its kind: an ONNX encoder with heads over a bank of reviewed complements, on the CPU."""

    def __init__(self, directory: ModelDirectory, *, threads: int = 2) -> None:
        config, limits = directory.config, directory.config["limits"]
        try:
            bank = directory.json("intents.json")
            self.bank = Bank(
                bank["categories"],
                [Intent.parse(row) for row in bank["intents"]],
                {language: Thresholds(**values) for language, values in config["thresholds"].items()},
            )
            self._tokenizer = EncoderTokenizer(
                directory.path / "tokenizer.json", max_tokens=limits["max_tokens"], tail_tokens=limits["tail_tokens"]
            )
            self.info = ModelInfo(
                name=config["name"],
                kind="selector",
                version=config["version"],
                languages=tuple(config["languages"]),
                deadline_ms=float(limits["deadline_ms"]),
                digest=directory.digest,
                max_words=int(limits["max_words"]),
                bytes=directory.bytes,
                folder=str(directory.path),
                made=config.get("made", {}),
            )
            _check_languages(self.info.languages, self.bank.thresholds)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise ModelCorrupt(f"pas.json or intents.json of {directory.path} is malformed: {error!r}.") from error
        self._session = CpuSession(directory.path / "model.onnx", threads)
        self._check_session(directory.path / "model.onnx")

    def _check_session(self, path: Path) -> None:
        outputs = self._session.outputs
        wanted = {"intents": len(self.bank.intents), "categories": len(self.bank.categories)}
        for name, width in wanted.items():
            if name not in outputs or outputs[name][-1] != width:
                raise ModelCorrupt(f"{path} has no output {name!r} of width {width}.")
        try:
            # A first run finds what shapes do not tell, and warms the session up.
            self.decide([Request("Explain how tides work.", self.info.languages[0])])
        except Exception as error:  # onnxruntime's errors share no base class below Exception
            raise ModelCorrupt(f"{path} cannot be run: {error}") from error

    def decide(self, requests: Sequence[Request]) -> list[Decision]:
        """Return the decision for each prompt; prompts of like length share a batch."""
        order = sorted(range(len(requests)), key=lambda i: len(requests[i].prompt))
        out: dict[int, Decision] = {}
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            ids, mask = self._tokenizer.batch([requests[i].prompt for i in rows])
            names = ("intents", "categories", "gate")
            scores = self._session.run(names, {"input_ids": ids, "attention_mask": mask})
            if not all(np.isfinite(array).all() for array in scores):
                raise AugmentationError("The model's scores are no numbers.")
            for i, intents, categories, gate in zip(rows, *scores, strict=True):
                out[i] = self.bank.decide(requests[i], intents, categories, float(gate))
        return [out[i] for i in range(len(requests))]

    def propose(self, requests: Sequence[Request], deadline: Deadline) -> list[Proposal]:
        """Return one proposal a prompt; a run of a few milliseconds does not watch the deadline itself."""
        return [Proposal(d.complement, d.reason, d.category, d.explain()) for d in self.decide(requests)]

    def recognises(self, text: str) -> bool:
        """Tell whether a text ends with a complement of the bank, framed or not."""
        return unframed(text).endswith(self.bank.texts)

    def close(self) -> None:
        """Do nothing: onnxruntime frees the session with the object."""
