"""How good a critic is: on complements known to be wrong and on their right ones, and what the guard sees unpaid."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ..llm import Client, Rejection, ask_json, each
from .golden import FLAWS, MISSED, Golden, GoldenSet
from .loop import verdict_on
from .messages import Verdict, to_judge
from .validators import validate

UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True)
class Case:
    """A complement whose flaw is known, "" for a right one."""

    id: str
    golden: Golden
    complement: str
    flaw: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of a case: `said` is a flaw, "" for kept, or unjudged."""

    case: Case
    said: str
    by: str


def cases(golden: GoldenSet, file: Path | None = None) -> list[Case]:
    """Return the labelled complements, wrong and right, of pairs that the critic is not shown as examples."""
    source = file or resources.files("pas_trainer.mini") / "data" / "pairs.jsonl"
    shown = {example.prompt for example in golden.examples}
    found = []
    for number, line in enumerate(source.read_text(encoding="utf-8").split("\n")):
        row = json.loads(line) if line.strip() else {}
        if row.get("flaw") and row["prompt"] not in shown:
            example = Golden(**row)
            found.append(Case(f"{number}/wrong", example, example.bad_complement, example.flaw))
            found.append(Case(f"{number}/right", example, example.complement, ""))
    return found


def judge(critic: Client, golden: GoldenSet, found: Sequence[Case], *, shots: int, attempts: int) -> list[Judged]:
    """Have every case judged, by the guard where it can."""

    def work(case: Case) -> Judged:
        if (certain := _by_guard(case)) is not None:
            return certain
        example = case.golden
        messages = to_judge(golden, example.prompt, example.category, example.language, case.complement, shots)
        said = ask_json(critic, case.id, "report", messages, verdict_on(case.complement), attempts=attempts)
        return _judged(case, said)

    width = critic.endpoint.concurrency
    done = list(each(found, work, concurrency=width, label="critic", budget=critic.budget))
    failed = [d.failure for d in done if d.failure is not None]
    if failed:
        raise failed[0]
    return sorted((d.value for d in done if d.value is not None), key=lambda judged: judged.case.id)


def judge_unpaid(found: Sequence[Case]) -> list[Judged]:
    """Have every case judged by the guard alone, which asks nobody; what it does not reject is kept."""
    return [_by_guard(case) or Judged(case, "", "nobody") for case in found]


def _by_guard(case: Case) -> Judged | None:
    certain = validate(case.complement, case.golden.prompt, case.golden.language)
    return None if certain is None else Judged(case, certain.flaw, certain.by)


def _judged(case: Case, said: Any) -> Judged:
    if isinstance(said, Rejection):
        return Judged(case, UNJUDGED, "nobody")
    verdict: Verdict = said.value
    return Judged(case, verdict.flaw, verdict.by)


def figures(judged: Sequence[Judged]) -> dict[str, Any]:
    """Return precision and recall of rejecting with 95 % intervals, recall and confusion by flaw, the guard's share.

    What was not judged is not kept either, and counts as rejected.
    """
    wrong = [each for each in judged if each.case.flaw]
    right = [each for each in judged if not each.case.flaw]
    caught, alarms = [each for each in wrong if each.said], [each for each in right if each.said]
    flaws = [flaw for flaw in FLAWS if any(each.case.flaw == flaw for each in wrong)]
    confusion = {
        flaw or "right": dict(Counter(each.said or "kept" for each in judged if each.case.flaw == flaw))
        for flaw in (*flaws, "")
    }
    return {
        "wrong": len(wrong),
        "right": len(right),
        "precision": _share(len(caught), len(caught) + len(alarms)),
        "recall": _share(len(caught), len(wrong)),
        "kept_of_right": _share(len(right) - len(alarms), len(right)),
        "flaw_named": _share(sum(each.said == each.case.flaw for each in caught), len(caught)),
        "recall_by_flaw": {
            flaw: _share(sum(e.case.flaw == flaw for e in caught), sum(e.case.flaw == flaw for e in wrong))
            for flaw in flaws
        },
        "confusion": confusion,
        "guard_share_of_catch": _share(sum(each.by == "guard" for each in caught), len(caught)),
        "guard_alarms": sum(each.by == "guard" for each in alarms),
        "unjudged": sum(each.said == UNJUDGED for each in judged),
    }


def _share(part: int, whole: int) -> dict[str, Any]:
    """Return a share with Wilson's interval."""
    if whole == 0:
        return {"share": None, "low": None, "high": None, "of": 0}
    z, p = 1.96, part / whole
    middle = (p + z * z / (2 * whole)) / (1 + z * z / whole)
    half = z * math.sqrt(p * (1 - p) / whole + z * z / (4 * whole * whole)) / (1 + z * z / whole)
    return {"share": round(p, 3), "low": round(middle - half, 3), "high": round(middle + half, 3), "of": whole}


def table(found: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    lines = ["| | share | 95 % | of |", "|---|---|---|---|"]
    names = {
        "precision": "precision",
        "recall": "recall",
        "kept_of_right": "right ones kept",
        "flaw_named": "flaw named as labelled",
        "guard_share_of_catch": "caught by the guard, unpaid",
    }
    lines += [_line(title, found[name]) for name, title in names.items()]
    lines += [_line(f"recall: {flaw}", share) for flaw, share in found["recall_by_flaw"].items()]
    said = [*FLAWS, MISSED, UNJUDGED, "kept"]
    lines += ["", "| labelled \\ said | " + " | ".join(said) + " |", "|---" * (len(said) + 1) + "|"]
    for flaw, row in found["confusion"].items():
        lines.append(f"| {flaw} | " + " | ".join(str(row.get(each, 0)) for each in said) + " |")
    return "\n".join(lines)


def _line(title: str, share: dict[str, Any]) -> str:
    if share["share"] is None:
        return f"| {title} | – | – | 0 |"
    return f"| {title} | {share['share']:.1%} | {share['low']:.1%}–{share['high']:.1%} | {share['of']} |"
