"""Our scores beside the published ones, from the same raw judgements: python -m pas_trainer.evaluate.published FOLDER.

FOLDER holds `alpaca_eval/` (preferences and lengths of 12 models, their rows of the leaderboard, a df_gamed.csv) and
`ko_arena_hard/` (the games of 19 models, their rows of the leaderboard).
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from pas_middleware.errors import InputError

from .alpaca import Controls, from_upstream, length_controlled, win_rate
from .arena import Game, games_of, leaderboard

#: The leaderboard's reference, of which every figure is 50 by definition.
REFERENCE = "gpt4_1106_preview"


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of one model: ours and the published one."""

    model: str
    figure: str
    ours: float
    published: float

    @property
    def gap(self) -> float:
        """Return how far ours is off."""
        return abs(self.ours - self.published)


def alpaca_eval(folder: Path) -> Iterator[Compared]:
    """Yield AlpacaEval 2's figures of every model."""
    controls = Controls.read(folder / "df_gamed_equivalent.csv")
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in table(folder / "dev_12models.csv.gz"):
        rows[row["model"]].append(row)
    for published in table(folder / "dev_12models_published.csv"):
        model = published[""]
        values = from_upstream([float(row["preference"]) for row in rows[model]])
        found = win_rate(values)
        yield Compared(model, "win rate", found.win_rate, float(published["win_rate"]))
        yield Compared(model, "standard error", found.standard_error, float(published["standard_error"]))
        yield Compared(model, "discrete rate", found.discrete, float(published["discrete_win_rate"]))
        if model != REFERENCE:
            baseline, mine = ([int(row[key]) for row in rows[model]] for key in ("len_baseline", "len_model"))
            rate = length_controlled(values, baseline, mine, controls).value
            yield Compared(model, "LC win rate", rate, float(published["length_controlled_winrate"]))


def arena_hard(folder: Path) -> Iterator[Compared]:
    """Yield the Bradley–Terry scores of every model, and the ends of their intervals as the leaderboard prints them."""
    games: dict[str, list[Game]] = defaultdict(list)
    for row in table(folder / "dev_19models.csv.gz"):
        verdicts = [{"id": row["question_id"], "game": n, "verdict": row[f"game{n}"]} for n in (1, 2)]
        games[row["model"]] += games_of(verdicts)
    ours = leaderboard(games)
    for published in table(folder / "dev_19models_published.csv"):
        if published["model"] in ours:
            found = ours[published["model"]]
            yield Compared(published["model"], "score", found.value, float(published["score"]))
            yield Compared(published["model"], "lower end", found.low, float(published["rating_q025"]))
            yield Compared(published["model"], "upper end", found.high, float(published["rating_q975"]))


def table(path: Path) -> list[dict[str, str]]:
    """Read a CSV file, packed or not."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error};", hint="give the folder that holds it.") from error


def markdown(rows: Sequence[Compared]) -> str:
    """Return a table: a row for each model, ours and the published of each figure, and the widest gap of each."""
    figures = list(dict.fromkeys(row.figure for row in rows))
    found = {(row.model, row.figure): row for row in rows}
    lines = [
        "| model | " + " | ".join(f"{figure}, ours | published" for figure in figures) + " |",
        "|---|" + "---|---|" * len(figures),
    ]
    for model in dict.fromkeys(row.model for row in rows):
        cells = (found.get((model, figure)) for figure in figures)
        shown = (f"{cell.ours:.4f} | {cell.published:.4f}" if cell else " | " for cell in cells)
        lines.append(f"| {model} | " + " | ".join(shown) + " |")
    gaps = (max(row.gap for row in rows if row.figure == figure) for figure in figures)
    lines.append("| **widest gap** | " + " | ".join(f"{gap:.2g} | " for gap in gaps) + " |")
    return "\n".join(lines)


def main(folder: Path) -> None:
    """Print our figures beside the published ones."""
    typer.echo("AlpacaEval 2\n\n" + markdown(list(alpaca_eval(folder / "alpaca_eval"))))
    typer.echo("\nArena-Hard v0.1 (ko)\n\n" + markdown(list(arena_hard(folder / "ko_arena_hard"))))


if __name__ == "__main__":
    typer.run(main)
