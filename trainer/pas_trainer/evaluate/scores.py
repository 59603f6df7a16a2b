"""The figures of a run: what every arm scores, what it changes against none, what it costs, where it harms."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .alpaca import length_controlled
from .arena import Game, scored
from .benchmarks import NONE, Benchmark
from .effects import Drawn, Effect, Floats, drawn, mean
from .fits import FOLDS
from .intrinsic import intrinsic
from .style import Style, StyledGame, style_controlled
from .verdicts import outcome

Row = Mapping[str, Any]
#: Arena-Hard v0.1 has 250 clusters of two questions: of more than `MANY` categories those under `LEAST` are one.
MANY, LEAST = 30, 10
LABELS = {
    "lc": "Length-controlled win rate",
    "win_rate": "Win rate",
    "discrete": "Discrete win rate",
    "score": "Arena-Hard score",
    "style_controlled": "Style-controlled score",
}
#: The first leads: length or style are held constant before a raw rate is shown.
FIGURES = {
    "alpaca_eval": ("lc", "win_rate", "discrete"),
    "own": ("lc", "win_rate"),
    "arena_hard v0.1": ("score", "style_controlled"),
    "arena_hard v2.0": ("style_controlled", "score"),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One arm's answers on the questions that every arm of its target was judged on, in their order."""

    ids: Sequence[str]
    answers: Mapping[str, Row]
    games: Mapping[str, Sequence[Row]]
    baseline: Sequence[str]

    @property
    def preferences(self) -> Floats:
        """Return the mean of the two games of each question, 0 to 1."""
        return np.array([np.mean([game["preference"] for game in self.games[i]]) for i in self.ids])

    def played(self) -> list[Game]:
        """Return the games with their weights."""
        return [Game(i, *outcome(game["verdict"], game["game"])) for i in self.ids for game in self.games[i]]

    def styled(self) -> list[StyledGame]:
        """Return the games with the style of both answers."""
        mine = {i: Style.of(self.answers[i]["answer"]) for i in self.ids}
        theirs = {i: Style.of(text) for i, text in zip(self.ids, self.baseline, strict=True)}
        return [StyledGame(game, mine[game.question], theirs[game.question]) for game in self.played()]


def cells(benchmark: Benchmark, target: str, answers: Iterable[Row], judgements: Iterable[Row]) -> list[dict[str, Any]]:
    """Return a cell of `scores.json` for every arm of one target on one benchmark."""
    by_arm: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in answers:
        by_arm[row["arm"]][row["id"]] = row
    games: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in judgements:
        games[row["arm"]][row["id"]].append(row)
    ids = common(benchmark, by_arm, games)
    baseline = [by_arm[NONE][i]["answer"] if benchmark.opponent == NONE else benchmark.baseline[i] for i in ids]
    judged = {arm: Judged(ids, by_arm[arm], games[arm], baseline) for arm in by_arm if games[arm]}
    figures = _figures(benchmark, judged) if ids else {}
    heads = {"target": target, "benchmark": benchmark.name, "n": len(ids)}
    return [
        heads
        | {"arm": arm}
        | _scores(benchmark, arm, figures, judged, ids)
        | {"cost": _cost(rows, by_arm[NONE]), "skipped": _skipped(rows.values())}
        | _unjudged(benchmark, arm, games[arm])
        for arm, rows in by_arm.items()
    ]


def common(
    benchmark: Benchmark, by_arm: Mapping[str, Mapping[str, Row]], games: Mapping[str, Mapping[str, Sequence[Row]]]
) -> list[str]:
    """Return the questions that every arm has two readable verdicts for, so that all are scored on the same ones."""
    arms = [arm for arm in by_arm if benchmark.opponent != NONE or arm != NONE]
    return [q.id for q in benchmark.questions if all(is_judged(games[arm].get(q.id, ())) for arm in arms)]


def is_judged(games: Sequence[Row]) -> bool:
    """Tell whether both games have a verdict."""
    return len(games) == 2 and all(game["verdict"] is not None for game in games)


def _figures(benchmark: Benchmark, judged: Mapping[str, Judged]) -> dict[str, dict[str, Drawn]]:
    """Return each figure of every arm, the first leading."""
    kind = benchmark.plan.kind
    keys = FIGURES[f"{kind} {benchmark.plan.generation}" if kind == "arena_hard" else kind]
    n = len(next(iter(judged.values())).ids)
    return {key: _drawn(key, benchmark, judged) for key in keys if key != "lc" or n >= FOLDS}


def _drawn(key: str, benchmark: Benchmark, judged: Mapping[str, Judged]) -> dict[str, Drawn]:
    if key == "style_controlled":
        return style_controlled({arm: mine.styled() for arm, mine in judged.items()})
    make: dict[str, Callable[[Judged], Drawn]] = {
        "lc": lambda mine: _length_controlled(mine, benchmark),
        "win_rate": lambda mine: mean(mine.preferences),
        "discrete": lambda mine: mean((mine.preferences > 0.5) + 0.5 * (mine.preferences == 0.5)),
        "score": lambda mine: scored(mine.played()),
    }
    return {arm: make[key](mine) for arm, mine in judged.items()}


def _length_controlled(mine: Judged, benchmark: Benchmark) -> Drawn:
    places = benchmark.places
    fitted = length_controlled(
        mine.preferences,
        [len(text) for text in mine.baseline],
        [len(mine.answers[i]["answer"]) for i in mine.ids],
        benchmark.controls,
        [places[i] for i in mine.ids],
    )
    draws = drawn(fitted.again, fitted.n).draws
    return Drawn(fitted.value, draws)


def _scores(
    benchmark: Benchmark,
    arm: str,
    figures: Mapping[str, Mapping[str, Drawn]],
    judged: Mapping[str, Judged],
    ids: Sequence[str],
) -> dict[str, Any]:
    if arm not in judged or not ids:
        return {"figures": [], "effect": None, "by_category": [], "won": 0, "lost": 0, "tied": 0}
    shown = []
    for key, values in figures.items():
        low, high = values[arm].ends
        found = _effect(values[arm], _compared(benchmark, arm, values), len(ids), key)
        shown.append({"key": key, "label": LABELS[key], "value": values[arm].value, "low": low, "high": high})
        shown[-1]["effect"] = found
    margins = margins_of(benchmark, judged, arm)
    return {
        "figures": shown,
        "effect": shown[0]["effect"],
        "by_category": _by_category(benchmark, judged, arm),
        "won": int((margins > 0).sum()),
        "lost": int((margins < 0).sum()),
        "tied": int((margins == 0).sum()),
    }


def _compared(benchmark: Benchmark, arm: str, values: Mapping[str, Drawn]) -> Drawn | float | None:
    """Return what an arm's figure is compared with: none's, or for one's own questions an even match."""
    if arm == NONE:
        return None
    return 50.0 if benchmark.opponent == NONE else values[NONE]


def _effect(value: Drawn, compared: Drawn | float | None, n: int, key: str) -> dict[str, Any] | None:
    return None if compared is None else {"figure": key} | asdict(Effect.of(value.minus(compared), n))


def margins_of(benchmark: Benchmark, judged: Mapping[str, Judged], arm: str) -> Floats:
    """Return how much better, -1 to 1, each answer of an arm did than none's."""
    mine = judged[arm].preferences
    return 2 * mine - 1 if benchmark.opponent == NONE else mine - judged[NONE].preferences


def _by_category(benchmark: Benchmark, judged: Mapping[str, Judged], arm: str) -> list[dict[str, Any]]:
    category = {q.id: q.category for q in benchmark.questions}
    found_in: dict[str, list[int]] = defaultdict(list)
    for place, i in enumerate(judged[arm].ids):
        found_in[category[i]].append(place)
    groups = pooled(found_in)
    if len(groups) < 2:
        return []
    preferences = {name: mine.preferences for name, mine in judged.items()}
    found = []
    for name, places in sorted(groups.items()):
        values = {a: mean(p[places]) for a, p in preferences.items()}
        low, high = values[arm].ends
        effect = _effect(values[arm], _compared(benchmark, arm, values), len(places), "win_rate")
        head = {"category": name, "n": len(places), "value": values[arm].value, "low": low, "high": high}
        found.append(head | {"effect": effect})
    return found


def pooled(groups: Mapping[str, list[int]]) -> dict[str, list[int]]:
    """Return categories with the small ones put together, where there are so many that each says nothing."""
    if len(groups) <= MANY:
        return dict(groups)
    found = {name: places for name, places in groups.items() if len(places) >= LEAST}
    rest = [place for name, places in groups.items() if name not in found for place in places]
    return found | ({f"others, under {LEAST} each": rest} if rest else {})


def _cost(rows: Mapping[str, Row], none: Mapping[str, Row]) -> dict[str, float | None]:
    """Return means per question, and changes against none over the questions that both have."""
    added = [(r["augment_ms"] / 1000) for r in rows.values()]
    return {
        "added_tokens": _change(rows, none, lambda r: r["prompt_tokens"]),
        "added_seconds": float(np.mean(added)) if added else None,
        "seconds_change": _change(rows, none, lambda r: r["seconds"]),
        "answer_tokens": _average(rows, lambda r: r["completion_tokens"]),
        "answer_tokens_change": _change(rows, none, lambda r: r["completion_tokens"]),
        "answer_chars": _average(rows, _chars),
        "answer_chars_change": _change(rows, none, _chars),
        "usd": _average(rows, lambda r: r["usd"]),
        "usd_change": _change(rows, none, lambda r: r["usd"]),
    }


def _chars(row: Row) -> int | None:
    return None if row["answer"] is None else len(row["answer"])


def _average(rows: Mapping[str, Row], value: Callable[[Row], Any]) -> float | None:
    found = [v for row in rows.values() if (v := value(row)) is not None]
    return float(np.mean(found)) if found else None


def _change(rows: Mapping[str, Row], none: Mapping[str, Row], value: Callable[[Row], Any]) -> float | None:
    pairs = [(value(row), value(none[i])) for i, row in rows.items() if i in none]
    found = [mine - theirs for mine, theirs in pairs if mine is not None and theirs is not None]
    return float(np.mean(found)) if found else None


def _skipped(rows: Iterable[Row]) -> dict[str, Any]:
    found = [(row["status"], row["reason"]) for row in rows]
    skipped = Counter(reason for status, reason in found if status not in ("", "applied"))
    return {"share": sum(skipped.values()) / max(1, len(found)), "reasons": dict(skipped.most_common())}


def _unjudged(benchmark: Benchmark, arm: str, games: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    problems = Counter(game["problem"] for mine in games.values() for game in mine if game["problem"])
    judged = {i for i, mine in games.items() if is_judged(mine)}
    expected = benchmark.opponent != NONE or arm != NONE
    missing = [q.id for q in benchmark.questions if q.id not in judged] if expected else []
    return {"unjudged": {"unparseable": 0, "refused": 0, "error": 0} | problems, "missing": missing}


def differences(benchmark: Benchmark, answers: Sequence[Row], judgements: Sequence[Row]) -> list[dict[str, Any]]:
    """Return a row of `differences.jsonl` for each judged answer of one target's arms, the worst losses first."""
    found = []
    rows = {(row["arm"], row["id"]): row for row in answers}
    preferences: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in judgements:
        preferences[row["arm"], row["id"]].append(row)
    for (arm, i), row in rows.items():
        theirs = preferences.get((NONE, i), []) if benchmark.opponent != NONE else None
        mine = preferences[arm, i]
        if arm == NONE or not is_judged(mine) or (theirs is not None and not is_judged(theirs)):
            continue
        even = 0.5 if theirs is None else float(np.mean([game["preference"] for game in theirs]))
        margin = float(np.mean([game["preference"] for game in mine])) - even
        found.append(_difference(row, rows[NONE, i], margin * (2 if theirs is None else 1)))
    return sorted(found, key=lambda row: (row["margin"], row["id"], row["arm"]))


def _difference(row: Row, none: Row, margin: float) -> dict[str, Any]:
    names = ("benchmark", "id", "category", "target", "arm", "prompt", "complement", "status", "reason", "answer")
    result = "won" if margin > 0 else "lost" if margin < 0 else "tie"
    return {name: row[name] for name in names} | {
        "outcome": result,
        "margin": margin,
        "answer_none": none["answer"],
    }


def intrinsic_rows(arms: Iterable[str], answers: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the intrinsic scores of every arm that adds a complement, each prompt counted once."""
    found = []
    for arm in arms:
        rows = {r["prompt"]: r for r in answers if r["arm"] == arm and r["status"]}
        if any(row["complement"] for row in rows.values()):
            found.append({"arm": arm} | intrinsic(list(rows.values())).to_dict())
    return found
