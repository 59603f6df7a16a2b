"""The page on an evaluation: the paper's main table, effects, categories, costs, and what was won and lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pas_middleware.errors import ConfigError

from ..report import Page, Sample
from ..review.items import DIFFERENCES
from ..review.results import results
from ..review.store import NAME, Store, beside
from ..review.table import facts, head, line
from ..stages import digest
from . import pictures
from .table import interval, plain, signed

_NONE = "none"
#: Examples shown of each arm, won and lost; characters of each text; categories of each benchmark.
_EXAMPLES = 6
_LONGEST = 4_000
_CATEGORIES = 12
Cell = Mapping[str, Any]


def page(folder: Path) -> Page:
    """Return the report of a finished evaluation."""
    scores = _scores(folder / "scores.json")
    arms = [arm["name"] for arm in scores["arms"] if arm["name"] != _NONE]
    made = Page(f"Evaluation: {scores['name']}", _lead(scores))
    _verdict(made, scores, arms)
    _main_table(made, scores)
    _effects(made, scores, arms)
    _categories(made, scores, arms)
    _costs(made, scores, arms)
    _people(made, folder)
    _examples(made, folder / DIFFERENCES, arms)
    _about(made, scores)
    return made


def _scores(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error});", hint="run `pas eval` on this folder again.") from error
    return found


def _lead(scores: Mapping[str, Any]) -> str:
    targets, benchmarks = len(scores["targets"]), len(scores["benchmarks"])
    judge = scores["judge"]["model"]
    return f"{targets} LLMs, {benchmarks} benchmarks, judged by {judge}; {scores['made'][:10]}."


def _verdict(made: Page, scores: Mapping[str, Any], arms: Sequence[str]) -> None:
    """Say of each arm on how many LLMs and benchmarks it helped, harmed, or neither can be told."""
    made.section("In short", "An arm helps or harms where the 95 % interval of its leading figure excludes zero.")
    rows = []
    for arm in arms:
        effects = [c["effect"] for c in scores["cells"] if c["arm"] == arm and c["effect"]]
        helped = sum(e["low"] > 0 for e in effects)
        harmed = sum(e["high"] < 0 for e in effects)
        mean = sum(e["value"] for e in effects) / len(effects) if effects else None
        rows.append((arm, helped, harmed, len(effects) - helped - harmed, plain(mean, sign=True)))
    made.table(("arm", "helps", "harms", "cannot be told", "mean effect, points"), rows)


def _main_table(made: Page, scores: Mapping[str, Any]) -> None:
    made.section(
        "LLMs and benchmarks",
        "Percent. The figure that leads holds length or style constant; a raw rate can be gained by length alone. "
        "In brackets: points against none, * where the 95 % interval excludes zero.",
    )
    arms = [arm["name"] for arm in scores["arms"]]
    by_place = {(c["target"], c["benchmark"], c["arm"]): c for c in scores["cells"]}
    blocks = [
        (benchmark["name"], key, label, [arm for arm in arms if _has(scores, benchmark["name"], arm, key)])
        for benchmark in scores["benchmarks"]
        for key, label in _labels(scores, benchmark["name"]).items()
    ]
    rows = [
        [target, *(_shown(by_place.get((target, name, arm)), key) for name, key, _, mine in blocks for arm in mine)]
        for target in scores["targets"]
    ]
    heads = ["LLM", *(arm for *_, mine in blocks for arm in mine)]
    made.table(heads, rows, [("", 1), *((f"{name}: {label}", len(mine)) for name, _, label, mine in blocks)])


def _labels(scores: Mapping[str, Any], benchmark: str) -> dict[str, str]:
    """Return the benchmark's figures in their order, without the discrete rate, which says little beside the others."""
    cells = (c for c in scores["cells"] if c["benchmark"] == benchmark)
    return {f["key"]: f["label"] for c in cells for f in c["figures"] if f["key"] != "discrete"}


def _has(scores: Mapping[str, Any], benchmark: str, arm: str, key: str) -> bool:
    mine = (c for c in scores["cells"] if c["benchmark"] == benchmark and c["arm"] == arm)
    return any(f["key"] == key for c in mine for f in c["figures"])


def _shown(cell: Cell | None, key: str) -> str:
    figure = next((f for f in cell["figures"] if f["key"] == key), None) if cell else None
    if figure is None:
        return ""
    effect = figure.get("effect")
    if not effect:
        return f"{figure['value']:.1f}"
    star = "*" if effect["low"] * effect["high"] > 0 else ""
    return f"{figure['value']:.1f} ({effect['value']:+.1f}{star})"


def _effects(made: Page, scores: Mapping[str, Any], arms: Sequence[str]) -> None:
    made.section("Effects", "Points against none in the leading figure, with 95 % intervals.")
    benchmarks = [b["name"] for b in scores["benchmarks"]]
    if any(c["effect"] for c in scores["cells"]):
        figure = pictures.forest(scores["cells"], benchmarks, scores["targets"], arms)
        made.figure(figure, "effect of each arm by LLM and benchmark, with intervals")
    made.table(
        ("LLM", "benchmark", "arm", "n", "leading figure", "against none", "questions needed", "won", "lost", "tied"),
        _grouped([_effect_row(cell) for cell in scores["cells"] if cell["figures"]]),
    )
    made.text("Questions needed: so many would show an effect of this size with a power of 80 %.")


def _effect_row(cell: Cell) -> Sequence[Any]:
    place, effect = (cell["target"], cell["benchmark"], cell["arm"], cell["n"]), cell["effect"]
    if not effect:
        return (*place, interval(cell["figures"][0]), "", None, None, None, None)
    counts = (cell["won"], cell["lost"], cell["tied"])
    shown = (interval(cell["figures"][0]), signed(effect))
    return (*place, *shown, effect["n_needed"], *counts)


def _grouped(rows: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
    """Leave out an LLM and a benchmark that the row above names."""
    found: list[Sequence[Any]] = []
    before: tuple[Any, ...] = ("", "")
    for row in rows:
        llm, benchmark = row[0] if row[0] != before[0] else "", row[1] if tuple(row[:2]) != before else ""
        found.append((llm, benchmark, *row[2:]))
        before = tuple(row[:2])
    return found


def _categories(made: Page, scores: Mapping[str, Any], arms: Sequence[str]) -> None:
    """Add a figure of each benchmark that has categories, of the largest ones."""
    made.section("Categories", "Win rate by category, points against none, with 95 % intervals.")
    for benchmark in (b["name"] for b in scores["benchmarks"]):
        cells = [c for c in scores["cells"] if c["benchmark"] == benchmark and c["effect"]]
        sizes = Counter({row["category"]: row["n"] for c in cells for row in c["by_category"]})
        names = sorted(name for name, _ in sizes.most_common(_CATEGORIES))
        if names:
            more = f"; the {len(names)} largest of {len(sizes)}" if len(sizes) > len(names) else ""
            figure = pictures.categories(cells, names, scores["targets"], arms)
            made.figure(figure, f"effects by category on {benchmark}", f"{benchmark}{more}")


def _costs(made: Page, scores: Mapping[str, Any], arms: Sequence[str]) -> None:
    made.section("Latency and cost", "Means per question. A longer answer is a cost too, and judges favour length.")
    made.figure(pictures.costs(scores["cells"], arms), "what each arm adds per question: seconds, tokens, price")
    columns = ("seconds before", "seconds", "tokens in", "tokens out", "characters out", "USD", "skipped", "no verdict")
    keys = ("seconds_change", "added_tokens", "answer_tokens_change", "answer_chars_change")
    rows = []
    for cell in scores["cells"]:
        cost = cell["cost"]
        changes = [plain(cost.get(key), digits=2 if key == "seconds_change" else 1, sign=True) for key in keys]
        usd = plain(cost["usd_change"], digits=5, sign=True)
        before = plain(cost["added_seconds"], digits=3)
        head = (cell["target"], cell["benchmark"], cell["arm"])
        rows.append((*head, before, *changes, usd, _skipped(cell), _unjudged(cell)))
    made.table(("LLM", "benchmark", "arm", *columns), _grouped(row for row in rows if row[2] != _NONE))
    if scores["intrinsic"]:
        _intrinsic(made, scores["intrinsic"])


def _intrinsic(made: Page, rows: Sequence[Mapping[str, Any]]) -> None:
    made.text("The complements themselves, judged by no LLM:")
    columns = ("arm", "n", "applied", "valid", "words", "language kept", "distinct", "prompt kept")
    keys = ("arm", "n", "applied", "valid", "words", "language", "distinct", "prefix")
    made.table(columns, [[row[key] for key in keys] for row in rows])


def _skipped(cell: Cell) -> str:
    reasons = cell["skipped"]["reasons"]
    return f"{cell['skipped']['share']:.0%}: {_listed(reasons)}" if reasons else ""


def _unjudged(cell: Cell) -> str:
    missing = f"{len(cell['missing'])} questions left out" if cell["missing"] else ""
    return "; ".join(part for part in (_listed({k: n for k, n in cell["unjudged"].items() if n}), missing) if part)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _people(made: Page, folder: Path) -> None:
    """Add what people said of the answers, where they were asked."""
    if not (beside(folder) / NAME).is_file():
        return
    store = Store.open(beside(folder))
    try:
        found = results(store)
    finally:
        store.close()
    made.section("People's judgement")
    if found.rows:
        made.table(head(found), [line(found, row) for row in found.rows])
    if found.plan.source != digest(folder / DIFFERENCES):
        made.text("These are the answers of an earlier run in this folder.")
    for fact in facts(found):
        made.text(fact)


def _examples(made: Page, path: Path, arms: Sequence[str]) -> None:
    rows = _rows(path)
    made.section(
        "Examples", "The clearest losses and gains of each arm, worst and best first; all are in the run's folder."
    )
    for arm in arms:
        mine = [row for row in rows if row["arm"] == arm]
        lost = sorted((r for r in mine if r["outcome"] == "lost"), key=lambda r: r["margin"])
        won = sorted((r for r in mine if r["outcome"] == "won"), key=lambda r: -r["margin"])
        made.text(f"{arm}: {len(won)} won, {len(lost)} lost, {len(mine) - len(won) - len(lost)} tied.")
        for row in [*lost[:_EXAMPLES], *won[:_EXAMPLES]]:
            title = f"{arm} {row['outcome']} ({row['margin']:+.2f}), {row['benchmark']}, {row['target']}: "
            made.samples(title + " ".join(row["prompt"][:90].split()), _texts(row), longest=_LONGEST)


def _texts(row: Mapping[str, Any]) -> list[Sample]:
    complement = row["complement"] or f"nothing added ({row['reason'] or row['status'] or 'another kind of arm'})"
    return [
        Sample(row["prompt"], "prompt"),
        Sample(complement, "complement"),
        Sample(row["answer_none"], "answer without"),
        Sample(row["answer"], f"answer with {row['arm']}"),
    ]


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    # Split on "\n" alone: answers hold U+2028.
    return [json.loads(text) for text in path.read_text(encoding="utf-8").split("\n") if text.strip()]


def _about(made: Page, scores: Mapping[str, Any]) -> None:
    made.section("How it was made")
    facts: Iterable[tuple[str, str]] = [
        ("judge", _listed_any(scores["judge"])),
        ("decoding", _listed_any(scores["decoding"])),
        *((f"arm {arm['name']}", arm["kind"]) for arm in scores["arms"]),
        *(
            (b["name"], f"{b['kind']}, {b['questions']} questions, against {b['baseline']}")
            for b in scores["benchmarks"]
        ),
        ("spent", f"{scores['spend']['usd']:.4f} USD"),
        ("version", scores["version"]),
    ]
    made.table(("what", "value"), facts)


def _listed_any(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
