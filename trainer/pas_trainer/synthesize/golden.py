"""Golden examples: reviewed pairs by category, some with a wrong complement, what is wrong with it and why."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from pas_middleware.errors import ConfigError
from pas_middleware.words import MAX_WORDS, fits

#: What can be wrong with a complement.
FLAWS = {
    "answers": "it gives the answer or a part of it, or dictates the verdict",
    "deviates": "it turns the request into another one, or serves what should not be served",
    "superfluous": "it asks for what nobody wants, or says nothing: filler such as 'be clear and well structured'",
    "excessive": "it asks for far more than the prompt is worth, or is longer than 30 words",
    "wrong_language": "it is not in the language in which the request is made",
    "contradicts": "it breaks a constraint of the prompt: length, format, tone, exclusions, persona",
}
#: The flaw of an empty complement where one would have helped.
MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Golden:
    """A prompt with its right complement ("": better left alone) and, where `flaw` is not "", a wrong one."""

    prompt: str
    complement: str
    category: str
    language: str
    bad_complement: str = ""
    flaw: str = ""
    reason: str = ""


class GoldenSet:
    """The examples that the generator and the critic are shown."""

    def __init__(self, examples: Sequence[Golden]) -> None:
        if not any(example.flaw for example in examples):
            raise ConfigError(
                "The golden set has no wrong complement;", hint="give some rows bad_complement, flaw and reason."
            )
        self.examples = tuple(examples)
        self.categories = tuple(sorted({example.category for example in examples}))

    @classmethod
    def read(cls, file: Path | Traversable | None = None) -> GoldenSet:
        """Read a JSON Lines file; None: the project's own. Its categories are those that it names."""
        source = file or resources.files(__package__) / "data" / "golden.jsonl"
        try:
            lines = source.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"The golden set {source} cannot be read: {error}.") from None
        return cls([_parse(line, f"{source}, line {n}") for n, line in enumerate(lines, 1) if line.strip()])

    @property
    def digest(self) -> str:
        """Return a name for its content."""
        text = json.dumps([asdict(example) for example in self.examples])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def counts(self) -> Counter[str]:
        """Return how many examples each category has."""
        return Counter(example.category for example in self.examples)

    def shots(self, category: str, language: str, count: int) -> list[Golden]:
        """Return examples of a category, those in the prompt's language first and one to be left alone among them.

        A category without examples gets some of all the others.
        """
        mine = [example for example in self.examples if example.category == category] or self._of_each_category()
        ranked = sorted(mine, key=lambda example: example.language != language)
        chosen = ranked[:count]
        alone = next((example for example in ranked if not example.complement), None)
        return [*chosen[:-1], alone] if alone is not None and alone not in chosen else chosen

    def wrong(self, category: str, language: str, count: int) -> list[Golden]:
        """Return examples with a wrong complement: those of the category, then one of each flaw not yet shown."""
        near = sorted(
            (example for example in self.examples if example.flaw),
            key=lambda example: (example.category != category, example.language != language),
        )
        chosen = [example for example in near if example.category == category][:count]
        for example in near:
            if len(chosen) < count and example.flaw not in {each.flaw for each in chosen}:
                chosen.append(example)
        return chosen

    def _of_each_category(self) -> list[Golden]:
        first: dict[tuple[str, str], Golden] = {}
        for example in self.examples:
            first.setdefault((example.category, example.language), example)
        return list(first.values())


def _parse(line: str, where: str) -> Golden:
    try:
        row = json.loads(line)
        golden = Golden(**row)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{where}: not a golden example ({error}).",
            hint="It takes prompt, complement, category, language, and bad_complement, flaw, reason for a wrong one.",
        ) from None
    problem = next(_problems(golden), "")
    if problem:
        raise ConfigError(f"{where}: {problem}.")
    return golden


def _problems(golden: Golden) -> Iterator[str]:
    for name, value in asdict(golden).items():
        if not isinstance(value, str):
            yield f"{name} is {value!r}, not a string"
    for name in ("prompt", "category", "language"):
        if not getattr(golden, name).strip():
            yield f"{name} is empty"
    if not fits(golden.complement, MAX_WORDS):
        yield f"the complement is longer than {MAX_WORDS} words"
    if golden.flaw and golden.flaw not in FLAWS:
        yield f"flaw is {golden.flaw!r}, none of {', '.join(FLAWS)}"
    if bool(golden.flaw) != bool(golden.bad_complement):
        yield "a wrong complement needs its flaw, and a flaw its wrong complement"
