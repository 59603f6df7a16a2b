"""What each arm sends for a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from pas_middleware import PAS, Augmentation, Settings
from pas_middleware.language import detect

from ..llm import Client
from ..mini.judging import SUFFIX
from .layouts import Question
from .plan import Arm

#: Long, so that a busy machine skips nothing that a service would not; what it took is reported.
DEADLINE_MS = 60_000
REWRITE = """\
Rewrite the prompt below so that a language model answers it as well as it can: make the request clear, and say what a
good answer needs. Keep its language, its meaning and everything it contains. Do not answer it.
Reply with the new prompt alone.

# Prompt
{prompt}"""


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent for one prompt: the text, what was added or why nothing was, and what that took."""

    text: str
    complement: str = ""
    status: str = ""
    reason: str = ""
    augment_ms: float = 0.0
    usd: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0


def sent_by(arm: Arm, prompts: Sequence[str], logged: Mapping[str, str], quiet: bool = False) -> dict[str, Sent]:
    """Return what an arm that needs no LLM sends for each prompt; `logged` holds a record's complements."""
    if arm.kind == "pas":
        return _by_pas(arm, prompts, quiet)
    if arm.kind == "suffix":
        return {prompt: _suffixed(prompt, arm.text) for prompt in prompts}
    if arm.kind == "logged":
        return {prompt: _logged(prompt, logged.get(prompt, "")) for prompt in prompts}
    return {prompt: Sent("" if arm.kind == "answers" else prompt) for prompt in prompts}


def _suffixed(prompt: str, text: str) -> Sent:
    added = text or SUFFIX["zh" if detect(prompt) == "zh" else "en"]
    return Sent(f"{prompt}\n\n{added}", added, "applied")


def _logged(prompt: str, complement: str) -> Sent:
    if not complement:
        return unsent(prompt, "nothing_recorded")
    return Sent(f"{prompt}\n\n{complement}", complement, "applied")


def _by_pas(arm: Arm, prompts: Sequence[str], quiet: bool) -> dict[str, Sent]:
    settings = Settings(deadline_ms=DEADLINE_MS, cache_entries=0)
    with PAS.load(arm.model or None, device=arm.device, settings=settings) as pas:
        rows = tqdm(prompts, desc=arm.name, unit="prompt", disable=quiet or None)
        return {prompt: _sent(pas.augment(prompt)) for prompt in rows}


def _sent(result: Augmentation) -> Sent:
    return Sent(result.text, result.complement, result.status, result.reason, result.elapsed_ms)


def unsent(prompt: str, reason: str, **cost: Any) -> Sent:
    """Return a prompt that goes as it is, and why."""
    return Sent(prompt, status="skipped", reason=reason, **cost)


def rewrite(client: Client, benchmark: str, question: Question) -> Sent:
    """Return the target's own rewriting of a prompt; where it writes none the prompt goes as it is, and why is said."""
    messages = [{"role": "user", "content": REWRITE.replace("{prompt}", question.prompt)}]
    answer = client.ask(f"{benchmark} {question.id}", "rewrite", messages)
    cost: dict[str, Any] = {
        "usd": client.endpoint.usd(answer.input_tokens, answer.output_tokens),
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
    }
    if answer.problem:
        return unsent(question.prompt, answer.problem, **cost)
    return Sent(answer.text.strip(), status="applied", **cost)
