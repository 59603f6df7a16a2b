"""How the judge is asked and read: both orders, our wording or upstream's, asked again where no verdict can be read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from pas_middleware.errors import ConfigError

from ..llm import Client, RowFailed
from .verdicts import Generation, outcome, parse_verdict

Grammar = Literal["arena", "alpaca"]

ARENA_SYSTEM = """\
You compare two answers, A and B, that were given to the same prompt.
Work out first, briefly, what a correct and complete answer needs. Then go through A and B: what is right, what is
wrong, what is missing, what nobody asked for. An answer is not better for being longer, for its formatting, or for
standing first. Where the prompt leaves open what is meant, asking back or naming the assumption is to its credit.
End with exactly one of these labels:
[[A>>B]] A is much better
[[A>B]] A is somewhat better
[[A=B]] no difference that matters
[[B>A]] B is somewhat better
[[B>>A]] B is much better"""
ARENA_USER = "# Prompt\n{question}\n\n# Answer A\n{answer_a}\n\n# Answer B\n{answer_b}\n\n# Your comparison"
ALPACA_SYSTEM = """\
Two models, m and M, answered the same instruction. Say whose answer careful readers would prefer: the one that does
what was asked, is correct, and is useful; length alone counts for nothing.
Reply with one character and nothing else: m or M."""
ALPACA_USER = "# Instruction\n{question}\n\n# Answer of m\n{answer_a}\n\n# Answer of M\n{answer_b}"
AGAIN = "Your reply has no verdict that can be read. Finish with exactly one of the labels."
_LETTER = re.compile(r"\b[mM]\b")
#: What upstream's templates call the question and the two answers.
_SLOTS = {
    "question": ("question", "question_1", "QUESTION", "instruction"),
    "answer_a": ("answer_a", "answer_1", "ANSWER_A", "output_1"),
    "answer_b": ("answer_b", "answer_2", "ANSWER_B", "output_2"),
}


@dataclass(frozen=True, slots=True)
class Wording:
    """A judge's system message and template, and the grammar of its verdicts."""

    system: str
    template: str
    grammar: Grammar
    generation: Generation = "v0.1"

    @classmethod
    def of(cls, grammar: Grammar, generation: Generation = "v0.1", path: str = "") -> Wording:
        """Return our own wording, or upstream's from its file."""
        if path:
            return cls(*_upstream(Path(path)), grammar, generation)
        if grammar == "arena":
            return cls(ARENA_SYSTEM, ARENA_USER, grammar, generation)
        return cls(ALPACA_SYSTEM, ALPACA_USER, grammar)

    def messages(self, question: str, answer_a: str, answer_b: str) -> list[dict[str, str]]:
        """Return what the judge is sent; the texts go in as they are, braces and all."""
        texts = {"question": question, "answer_a": answer_a, "answer_b": answer_b}
        slots = {alias: texts[name] for name, aliases in _SLOTS.items() for alias in aliases}
        user = re.sub(r"\{(\w+)\}", lambda m: slots.get(m[1], m[0]), self.template)
        return [{"role": "system", "content": self.system}, {"role": "user", "content": user}]

    def verdict(self, text: str) -> str | None:
        """Return the verdict in Arena-Hard's labels, None where it cannot be read."""
        if self.grammar == "arena":
            return parse_verdict(text, self.generation)
        letters = set(_LETTER.findall(text))
        return {"m": "A>B", "M": "B>A"}[letters.pop()] if len(letters) == 1 else None


def _upstream(path: Path) -> tuple[str, str]:
    """Read Arena-Hard's YAML (system_prompt, prompt_template) or AlpacaEval's text with <|im_start|> marks."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error};", hint="give upstream's judge prompt.") from error
    if "<|im_start|>" in text:
        parts = dict(re.findall(r"<\|im_start\|>(system|user)\n(.*?)\n?<\|im_end\|>", text, re.DOTALL))
        system, template = parts.get("system", ""), parts.get("user", "")
    else:
        content = yaml.safe_load(text)
        content = content if isinstance(content, dict) else {}
        found = content.get("prompt_template", "")
        system, template = content.get("system_prompt") or ARENA_SYSTEM, found[0] if isinstance(found, list) else found
    if not all(any(f"{{{alias}}}" in template for alias in aliases) for aliases in _SLOTS.values()):
        raise ConfigError(
            f"{path} has no template with a question and two answers;",
            hint="it needs {question_1}, {answer_1} and {answer_2}, {QUESTION}, {ANSWER_A} and {ANSWER_B}, or "
            "{instruction}, {output_1} and {output_2}.",
        )
    return system, template


@dataclass(frozen=True, slots=True)
class Match:
    """One question's judged answer and the one it is compared with."""

    benchmark: str
    id: str
    target: str
    arm: str
    question: str
    answer: str
    opponent: str
    opponent_answer: str

    @property
    def is_same(self) -> bool:
        """Tell whether there is nothing to judge."""
        return self.answer == self.opponent_answer

    def head(self, game: int, judge: str) -> dict[str, Any]:
        """Return the part of a game's row that says which it is."""
        names = ("benchmark", "id", "target", "arm", "opponent")
        return {name: getattr(self, name) for name in names} | {"game": game, "judge": judge}


def judge(client: Client, wording: Wording, match: Match, game: int, attempts: int) -> dict[str, Any]:
    """Return the row of one game; a verdict that cannot be read is asked for again, then reported, never guessed."""
    head = match.head(game, client.endpoint.model)
    if match.is_same:
        return head | _read("A=B", game, "", 0, "The answers are the same.", 0.0)
    # In game 1 the opponent stands first, in game 2 the judged answer.
    first, second = match.opponent_answer, match.answer
    a, b = (first, second) if game == 1 else (second, first)
    return head | _asked(client, wording, match, wording.messages(match.question, a, b), game, attempts)


def failed(match: Match, game: int, model: str, failure: RowFailed) -> dict[str, Any]:
    """Return the row of a game that the endpoint did not answer this time."""
    return match.head(game, model) | _read(None, game, "error", 0, str(failure), 0.0)


def _asked(
    client: Client, wording: Wording, match: Match, messages: list[dict[str, str]], game: int, attempts: int
) -> dict[str, Any]:
    said, usd, problem = "", 0.0, "unparseable"
    for attempt in range(attempts):
        answer = client.ask(f"{match.benchmark} {match.id}", "judge", messages, attempt=attempt)
        usd += client.endpoint.usd(answer.input_tokens, answer.output_tokens)
        said = f"{said}\n{answer.text}".strip()
        verdict = wording.verdict(answer.text)
        if verdict is not None:
            return _read(verdict, game, "", attempt + 1, said, usd)
        problem = {"refused": "refused", "too_long": "error"}.get(answer.problem, "unparseable")
        if answer.text:
            messages = [*messages, {"role": "assistant", "content": answer.text}, {"role": "user", "content": AGAIN}]
    return _read(None, game, problem, attempts, said, usd)


def _read(verdict: str | None, game: int, problem: str, asked: int, said: str, usd: float) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "preference": None if verdict is None else outcome(verdict, game)[0],
        "problem": problem,
        "asked": asked,
        "judgment": said,
        "usd": usd,
    }
