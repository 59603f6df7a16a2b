"""Generate, judge, regenerate: one prompt's way to a complement that nobody objects to, or out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pas_middleware.rules import reason_to_skip
from pas_middleware.settings import Settings

from ..llm import Rejection, ask_json
from ..llm.structured import Asker
from .golden import GoldenSet
from .messages import Rejected, Verdict, complement_of, to_generate, to_judge, verdict_of
from .prompts import Prompt
from .settings import Synthesis
from .validators import validate

_MAX_CHARS = Settings().max_input_chars


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a prompt: a kept complement ("": left alone), or `why` it was dropped; and what was rejected."""

    prompt: Prompt
    complement: str
    rejected: tuple[Rejected, ...] = ()
    why: str = ""

    @property
    def rounds(self) -> int:
        """Return how many complements were written."""
        return len(self.rejected) + (not self.why)

    def to_dict(self) -> dict[str, Any]:
        """Return a row of pairs.jsonl or, where it was dropped, of rejected.jsonl."""
        history = [asdict(each) for each in self.rejected]
        if self.why:
            return {**asdict(self.prompt), "why": self.why, "rounds": history}
        text = self.prompt
        return {"id": text.id, "prompt": text.prompt, "complement": self.complement, "category": text.category} | {
            "language": text.language,
            "rounds": self.rounds,
            "rejected": history,
        }


@dataclass(frozen=True, slots=True)
class Loop:
    """The way of every prompt. What it does depends on the answers alone: asked again, it takes the same way."""

    plan: Synthesis
    golden: GoldenSet
    generator: Asker
    critic: Asker

    def run(self, prompt: Prompt) -> Outcome:
        """Return what became of a prompt. Nothing is kept that was not judged."""
        if skipped := reason_to_skip(prompt.prompt, max_chars=_MAX_CHARS):
            return Outcome(prompt, "", why=f"rule_{skipped}")
        rejected: list[Rejected] = []
        for number in range(1, self.plan.rounds + 1):
            written = self._generate(prompt, number, rejected)
            if isinstance(written, Rejection):
                return Outcome(prompt, "", tuple(rejected), f"generator_{written.reason}")
            verdict = self._judge(prompt, number, written, rejected)
            if isinstance(verdict, Rejection):
                unjudged = Rejected(written, "", f"Not judged: {verdict.reason}. {verdict.detail}".strip(), "nobody")
                return Outcome(prompt, "", (*rejected, unjudged), f"critic_{verdict.reason}")
            if verdict.keeps:
                return Outcome(prompt, written, tuple(rejected))
            rejected.append(Rejected(written, verdict.flaw, verdict.reason, verdict.by))
        return Outcome(prompt, "", tuple(rejected), "rejected")

    def _generate(self, prompt: Prompt, number: int, rejected: list[Rejected]) -> str | Rejection:
        plan = self.plan
        messages = to_generate(self.golden, prompt.prompt, prompt.category, prompt.language, rejected, plan.shots)
        found = ask_json(
            self.generator, prompt.id, f"generate/{number}", messages, complement_of, attempts=plan.attempts
        )
        return found if isinstance(found, Rejection) else found.value

    def _judge(self, prompt: Prompt, number: int, written: str, rejected: list[Rejected]) -> Verdict | Rejection:
        if (certain := validate(written, prompt.prompt, prompt.language, rejected)) is not None:
            return certain
        plan = self.plan
        messages = to_judge(self.golden, prompt.prompt, prompt.category, prompt.language, written, plan.shots)
        found = ask_json(
            self.critic, prompt.id, f"judge/{number}", messages, verdict_on(written), attempts=plan.attempts
        )
        return found if isinstance(found, Rejection) else found.value


def verdict_on(complement: str) -> Callable[[Mapping[str, Any]], Verdict]:
    """Return what reads the critic's answer on a complement."""

    def parse(answer: Mapping[str, Any]) -> Verdict:
        verdict = verdict_of(answer)
        if verdict.flaw == "missed" and complement:
            raise ValueError("missed is the flaw of an empty complement only")
        return verdict

    return parse
