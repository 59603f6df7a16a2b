"""Fine-tuning shown on a CPU: a nano base learns the prompts at hand, then `pas train` teaches it complements.

    runs/sft.sh

English alone, for the judge's sentence vectors know no Chinese. Every intent of the bank has three complements that
say the same in other words and weigh other things. The model learns the first of each; the judge, which says what
category a complement is of, reads the others and no text of the model's. Asked are prompts that nobody learnt.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .mini.examples import DATA, bank_examples, bank_rows, gate_examples, normalized, read_jsonl
from .nano import SMALL, pretrain
from .nano_fits import Judge, fits, judge_of
from .sft import base as bases
from .sft import held_out
from .sft.pairs import read_pairs
from .sft.settings import TrainSettings

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Show fine-tuning with a model made here.")
_LANGUAGE = "en"
#: Of the project's pairs, what the judge reads; the rest is asked.
_READ = 0.75
#: The files of prompts that are asked: held-out ones of the bank, whose intents were learnt, and the pairs', of others.
ASKED = ("ask-bank", "ask-pairs")

Row = dict[str, Any]


def _order(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)


def folds() -> tuple[list[Row], list[Row]]:
    """Return the project's pairs that have a complement in two parts: for the judge to read, and to ask."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in read_jsonl(DATA / "pairs.jsonl"):
        if row["complement"] and row["language"] == _LANGUAGE:
            groups[row["category"]].append(row)
    read, ask = [], []
    for group in groups.values():
        ranked = sorted(group, key=lambda row: _order(row["prompt"]))
        read += ranked[: round(len(ranked) * _READ)]
        ask += ranked[round(len(ranked) * _READ) :]
    return read, ask


def bank_pairs(split: str, kept_out: Iterable[str] = ()) -> list[Row]:
    """Return a split of the intent bank's prompts, each with the first of its intent's complements, none kept out."""
    bank, out = bank_rows(), {normalized(prompt) for prompt in kept_out}
    rows = []
    for example in bank_examples():
        if example.split == split and example.language == _LANGUAGE and normalized(example.prompt) not in out:
            texts = bank[example.intent]["complements"][_LANGUAGE]
            complement = texts[0]["text"] if texts else ""
            rows.append({"prompt": example.prompt, "complement": complement, "category": example.category})
    return rows


def judged_by() -> list[Row]:
    """Return the complements that the judge reads: the bank's that nobody learns, and those of the first pairs."""
    texts = (
        (row["category"], text["text"]) for row in bank_rows().values() for text in row["complements"][_LANGUAGE][1:]
    )
    return [*({"complement": text, "category": category} for category, text in texts), *folds()[0]]


@app.command()
def data(out: Annotated[Path, typer.Argument(help="The folder to write.")]) -> None:
    """Write what is learnt (pairs.jsonl), what else the base sees, what the judge reads, and what is asked."""
    read, pairs = folds()
    bank = [row for row in bank_pairs("report") if row["complement"]]
    learnt = bank_pairs("train", [row["prompt"] for row in (*read, *pairs, *bank)])
    asked = {normalized(row["prompt"]) for row in (*pairs, *bank)}
    others = (row.prompt for row in gate_examples() if row.split == "train" and row.language == _LANGUAGE)
    prompts = [text for text in (*others, *(row["prompt"] for row in read)) if normalized(text) not in asked]
    out.mkdir(parents=True, exist_ok=True)
    _write(out / "pairs.jsonl", random.Random(0).sample(learnt, len(learnt)))
    _write(out / "prompts.jsonl", [{"prompt": text} for text in prompts])
    _write(out / "judge.jsonl", judged_by())
    _write(out / f"{ASKED[0]}.jsonl", bank)
    _write(out / f"{ASKED[1]}.jsonl", pairs)


def _write(file: Path, rows: Sequence[Row]) -> None:
    kept = (
        {name: value for name, value in row.items() if name in ("prompt", "complement", "category")} for row in rows
    )
    text = "".join(json.dumps(row | {"language": _LANGUAGE}, ensure_ascii=False) + "\n" for row in kept)
    file.write_text(text, encoding="utf-8")
    typer.echo(f"{file}: {len(rows):,}")


@app.command()
def base(
    folder: Annotated[Path, typer.Argument(help="Where `data` wrote; its prompts alone are learnt.")],
    out: Annotated[Path, typer.Argument(help="The checkpoint to write.")],
    epochs: Annotated[int, typer.Option(min=1, help="How often it sees each prompt.")] = 6,
) -> None:
    """Make a base: a tokenizer and a language model of the prompts, from scratch."""
    rows = list(read_jsonl(folder / "pairs.jsonl"))
    prompts = [row["prompt"] for row in (*rows, *read_jsonl(folder / "prompts.jsonl"))]
    # The tokenizer has to spell complements as well; the weights see prompts only.
    loss = pretrain(out, prompts, [row["complement"] for row in rows], SMALL, epochs=epochs)
    typer.echo(f"{out}: {len(prompts):,} prompts, loss {loss:.3f}")


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="Where `data` wrote.")],
    checkpoint: Annotated[Path, typer.Argument(help="The fine-tuned checkpoint.")],
) -> None:
    """Print how well the complements for held-out prompts fit their category, and the same for what it must beat."""
    opened = bases.open_base(TrainSettings(base=str(checkpoint)))
    judge = judge_of(list(read_jsonl(folder / "judge.jsonl")))
    learnt = Counter(row["complement"] for row in read_jsonl(folder / "pairs.jsonl") if row["complement"])
    result, pages = {}, []
    for name in ASKED:
        samples = held_out.write_complements(checkpoint, opened, read_pairs(folder / f"{name}.jsonl"))
        result[name] = _score(samples, learnt, judge) | {"complements": held_out.figures(samples)}
        pages.append(held_out.page(samples).replace("# Complements", f"# {name}: complements", 1))
    (folder / "score.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "score.md").write_text("\n".join(pages), encoding="utf-8")
    typer.echo(json.dumps(result, ensure_ascii=False, indent=1))


def _score(samples: Sequence[held_out.Sample], learnt: Counter[str], judge: Judge) -> dict[str, Any]:
    wanted = [sample.category for sample in samples]
    common = learnt.most_common(1)[0][0]
    written = [sample.complement for sample in samples]
    return {
        "fits": fits(wanted, written, common, judge),
        "references": fits(wanted, [sample.reference for sample in samples], common, judge)["sft"],
        "learnt_word_for_word": round(sum(text in learnt for text in written) / len(written), 4),
        "the_very_reference": round(sum(s.complement == s.reference for s in samples) / len(written), 4),
    }


if __name__ == "__main__":
    app()
