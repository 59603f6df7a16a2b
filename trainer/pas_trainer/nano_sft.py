"""Fine-tuning shown on a CPU: a nano base learns the prompts at hand, then `pas train` teaches it complements.

    runs/sft.sh

The intent bank teaches, the project's pairs ask. Whether a complement fits its prompt's category is judged by a
classifier that read nothing that the model learnt: TF-IDF and logistic regression on the complements of other pairs.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from .mini.examples import DATA, bank_examples, bank_rows, normalized, read_jsonl
from .nano import Size, pretrain

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Show fine-tuning with a model made here.")
SIZE = Size(vocabulary=3072, hidden=128, layers=3, heads=4, kv_heads=2, inner=352)
#: Of the project's pairs, what the classifier reads; the rest is asked.
_READ = 0.75
#: Of the bank's prompts, for each intent and language: enough to learn from within minutes.
_MOST = 10
_DRAWS = 2000


def _order(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)


def folds() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the project's pairs that have a complement in two parts: for the classifier to read, and to ask."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in read_jsonl(DATA / "pairs.jsonl"):
        if row["complement"]:
            groups[row["category"], row["language"]].append(row)
    read, ask = [], []
    for group in groups.values():
        ranked = sorted(group, key=lambda row: _order(row["prompt"]))
        read += ranked[: round(len(ranked) * _READ)]
        ask += ranked[round(len(ranked) * _READ) :]
    return read, ask


def bank_pairs(kept_out: Iterable[str]) -> list[dict[str, Any]]:
    """Return the intent bank's training prompts, each with one of its intent's complements, none of `kept_out`."""
    bank, out = bank_rows(), {normalized(prompt) for prompt in kept_out}
    rows: list[dict[str, Any]] = []
    taken: Counter[tuple[str, str]] = Counter()
    for example in bank_examples():
        place = (example.intent, example.language)
        if example.split == "train" and taken[place] < _MOST and normalized(example.prompt) not in out:
            taken[place] += 1
            texts = [variant["text"] for variant in bank[example.intent]["complements"][example.language]]
            complement = texts[_order(example.prompt) % len(texts)] if texts else ""
            rows.append(
                {
                    "prompt": example.prompt,
                    "complement": complement,
                    "category": example.category,
                    "language": example.language,
                }
            )
    return rows


@app.command()
def data(
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    language: Annotated[str, typer.Option(help="en or zh alone; default: both.")] = "",
) -> None:
    """Write what is learnt (pairs.jsonl), what the classifier reads (read.jsonl) and what is asked (ask.jsonl)."""
    read, ask = folds()
    pairs = bank_pairs(row["prompt"] for row in [*read, *ask])
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in (("pairs", random.Random(0).sample(pairs, len(pairs))), ("read", read), ("ask", ask)):
        kept = [row for row in rows if row["language"] == language or not language]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
        (out / f"{name}.jsonl").write_text(text, encoding="utf-8")
        typer.echo(f"{out / name}.jsonl: {len(kept):,}")


@app.command()
def base(
    pairs: Annotated[Path, typer.Argument(help="pairs.jsonl: its prompts alone are learnt.")],
    out: Annotated[Path, typer.Argument(help="The checkpoint to write.")],
    epochs: Annotated[int, typer.Option(min=1, help="How often it sees each prompt.")] = 2,
) -> None:
    """Make a base: a tokenizer and a language model of the prompts, from scratch."""
    rows = list(read_jsonl(pairs))
    # The tokenizer has to spell complements as well; the weights see prompts only.
    loss = pretrain(out, [row["prompt"] for row in rows], [row["complement"] for row in rows], SIZE, epochs=epochs)
    typer.echo(f"{out}: loss {loss:.3f}")


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="Where pairs.jsonl, read.jsonl and ask.jsonl lie.")],
    checkpoint: Annotated[Path, typer.Argument(help="The fine-tuned checkpoint.")],
) -> None:
    """Print how well the complements for held-out prompts fit their category, and the same for what it must beat."""
    from .sft import base as bases
    from .sft import held_out
    from .sft.pairs import read_pairs
    from .sft.settings import TrainSettings

    asked = read_pairs(folder / "ask.jsonl")
    opened = bases.open_base(TrainSettings(base=str(checkpoint)))
    samples = held_out.write_complements(checkpoint, opened, asked)
    rows = [(s.category, s.language, s.complement) for s in samples]
    figures = fits(rows, list(read_jsonl(folder / "read.jsonl")), list(read_jsonl(folder / "pairs.jsonl")))
    reference = fits(
        [(p.category, p.language, p.complement) for p in asked], list(read_jsonl(folder / "read.jsonl")), []
    )
    figures["references"] = reference["sft"]
    result = {"fits_category": figures, "held_out": held_out.figures(samples)}
    (folder / "score.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "score.md").write_text(held_out.page(samples), encoding="utf-8")
    typer.echo(json.dumps(result, ensure_ascii=False, indent=1))


def fits(
    rows: Sequence[tuple[str, str, str]], read: Sequence[dict[str, Any]], learnt: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the share of complements that a classifier puts into their prompt's category, with 95 % intervals.

    `rows` are category, language and complement of each prompt. Beside it: the same complements dealt out anew within
    a language, exactly in the mean over all ways, and the commonest learnt complement of the language for every prompt.
    """
    guess = _classifier(read)
    found = guess([text for _, _, text in rows])
    own = np.array([bool(text) and name == want for (want, _, text), name in zip(rows, found, strict=True)], float)
    dealt = _dealt(rows, found)
    figures = {
        "n": len(rows),
        "sft": _interval(own),
        "shuffled": _interval(dealt),
        "sft-shuffled": _interval(own - dealt),
    }
    if learnt:
        common = _commonest(rows, learnt, guess)
        figures |= {"commonest": _interval(common), "sft-commonest": _interval(own - common)}
    return figures


def _classifier(read: Sequence[dict[str, Any]]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    # Characters, not words: Chinese has no spaces.
    model = make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 5), sublinear_tf=True),
        LogisticRegression(C=20, max_iter=2000, random_state=0),
    )
    model.fit([row["complement"] for row in read], [row["category"] for row in read])
    return model.predict


def _dealt(rows: Sequence[tuple[str, str, str]], found: Sequence[str]) -> np.ndarray:
    """Return for each prompt the share of all complements of its language that would fit it."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    totals: Counter[str] = Counter()
    for (_, language, text), name in zip(rows, found, strict=True):
        totals[language] += 1
        counts[language][name if text else ""] += 1
    return np.array([counts[language][want] / totals[language] for want, language, _ in rows])


def _commonest(rows: Sequence[tuple[str, str, str]], learnt: Sequence[dict[str, Any]], guess: Any) -> np.ndarray:
    names = {}
    for language in {language for _, language, _ in rows}:
        texts = Counter(row["complement"] for row in learnt if row["language"] == language and row["complement"])
        names[language] = guess([texts.most_common(1)[0][0]])[0]
    return np.array([float(names[language] == want) for want, language, _ in rows])


def _interval(values: np.ndarray) -> dict[str, float]:
    """Return the mean and its 95 % bootstrap interval over prompts."""
    draws = np.random.default_rng(0).integers(0, len(values), (_DRAWS, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return {"value": round(float(values.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


if __name__ == "__main__":
    app()
