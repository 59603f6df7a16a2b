"""Measure the curation: time, memory and growth by stage, and how well duplicates are told from what looks like them.

python benchmarks/curation.py scale FOLDER [--sizes 1000,10000,50000,70000]   every stage on a folder's prompts
python benchmarks/curation.py encoders FOLDER [--sizes 1000,10000,50000,70000] both encoders in one pass over a folder
python benchmarks/curation.py vectors [--sizes 10000,100000,1000000]          index and selection, synthetic vectors
python benchmarks/curation.py recall FOLDER                                   neighbours found, beside comparing all
python benchmarks/curation.py edits FOLDER                                    planted edits: recall, precision
python benchmarks/curation.py paraphrases                                     paraphrases, hard negatives: a curve
python benchmarks/curation.py semhash FOLDER                                  time beside semhash, same vectors
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import typer
from curation_parts import UNLISTED, Clock, by_graph, compared, edits_of, growth, made_up, noise, print_recall
from numpy.typing import NDArray

from pas_trainer.curate import cleaning, embedding, near, quality, reading, selection, semantic
from pas_trainer.curate.engine import Local
from pas_trainer.curate.pairs import remove_crowded, remove_duplicates, same_details
from pas_trainer.curate.run import Thresholds
from pas_trainer.curate.table import Rejects, prompts_table, texts, with_column

app = typer.Typer(add_completion=False, no_args_is_help=True)
Kept = Annotated[Path | None, typer.Option(help="Where vectors are kept for the next time.")]
#: Prompts that the encoders are given at once.
_PART = 1_000
PARAPHRASES = Path(__file__).parent / "paraphrases.tsv"


def in_process(*arguments: str) -> dict[str, Any]:
    """Run this script's command in a process of its own, so that memory is its own, too, and return its JSON."""
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.split("\n")[-2])
    return found


@app.command()
def scale(
    folder: Path,
    sizes: Annotated[str, typer.Option(help="Counts of prompts, comma between them.")] = "1000,10000,50000,70000",
    skip: Annotated[str, typer.Option(help="Stages to leave out: embed, categories.")] = "",
) -> None:
    """Time every stage on so many prompts of a folder."""
    growth({int(size): in_process("stages", str(folder), size, "--skip", skip) for size in sizes.split(",")})


@app.command(hidden=True)
def stages(folder: Path, size: int, skip: str = "") -> None:
    """Time every stage on one size; the last line is JSON."""
    clock, local, leave = Clock(), Local(), skip.split(",")
    rules = cleaning.Cleaning()
    raw = clock("read", lambda: reading.read(reading.Reading((str(folder),))).kept)
    # A seeded order: the folder's files are each of one kind.
    table = raw.take(pa.array(np.random.default_rng(0).permutation(len(raw))[:size]))
    clock.rows["read"]["seconds"] = round(clock.rows["read"]["seconds"] * len(table) / len(raw), 2)
    table = clock("clean", lambda: cleaning.clean(table, rules, local).kept)
    table = clock("exact", lambda: cleaning.equal_ones(table, rules, local).kept)
    signed = clock("sign", lambda: near.signatures(table, near.words, local))
    clock("near", lambda: near.near_pairs(texts(table), signed, near.words, 0.9))
    with tempfile.TemporaryDirectory() as cache:
        if "embed" in leave:
            made = embedding.Embedded(noise(len(table)), np.ones(len(table), bool))
        else:
            made = clock("embed", lambda: embedding.embed(table, "", Path(cache), local))
        alike(clock, table, made)
        if "categories" not in leave:
            found = clock("categories", lambda: quality.signals(table, Path(cache), local))
            table = with_column(table, "category", found.column("category"))
            table = with_column(table, "quality", quality.by_rule(found))
        else:
            table = with_column(table, "quality", np.arange(len(table)) % 10)
    clock("select", lambda: selection.select(table, made.vectors, min(9000, max(1, size // 2)), 0))
    print(json.dumps(clock.rows))


def alike(clock: Clock, table: pa.Table, made: embedding.Embedded) -> None:
    """Time the parts of the semantic step."""
    blind, seen, limits = np.flatnonzero(~made.reads), np.flatnonzero(made.reads), Thresholds()
    unread = table.take(pa.array(blind))
    signed = clock("sign letters", lambda: near.signatures(unread, near.letters, Local()))
    clock("letters", lambda: near.near_pairs(texts(unread), signed, near.letters, limits.letters))
    pairs = clock("neighbours", lambda: semantic.neighbours(made.vectors[seen], seen))

    def remove() -> None:
        rejects = Rejects()
        remove_duplicates(rejects, pairs.at(limits.semantic), texts(table), "semantic_duplicate")
        remove_crowded(rejects, pairs.at(limits.crowd), limits.per_cluster)

    clock("remove", remove)


@app.command()
def encoders(
    folder: Path,
    sizes: Annotated[str, typer.Option(help="Counts at which the times are noted.")] = "1000,10000,50000,70000",
) -> None:
    """Time both encoders in one pass: they take each prompt by itself, so that its first n are a run on n.

    A line of JSON at each count, so that a pass that is stopped has told what it found.
    """
    raw = reading.read(reading.Reading((str(folder),))).kept
    table = raw.take(pa.array(np.random.default_rng(0).permutation(len(raw))))
    total: Counter[str] = Counter()
    done = 0
    for size in map(int, sizes.split(",")):
        while done < min(size, len(table)):
            part = table.slice(done, min(_PART, size - done))
            clock = Clock()
            with tempfile.TemporaryDirectory() as cache:
                clock("embed", partial(embedding.embed, part, "", Path(cache), Local()))
                clock("categories", partial(quality.signals, part, Path(cache), Local()))
            total.update({name: row["seconds"] for name, row in clock.rows.items()})
            done += len(part)
        print(json.dumps({"prompts": done, **total, "peak_mb": clock.rows["categories"]["peak_mb"]}), flush=True)


@app.command()
def vectors(sizes: Annotated[str, typer.Option(help="Counts of vectors.")] = "10000,100000,1000000") -> None:
    """Time index and selection on synthetic vectors."""
    growth({int(size): in_process("synthetic", size) for size in sizes.split(",")})


@app.command(hidden=True)
def synthetic(size: int) -> None:
    """Time index and selection on one size; the last line is JSON."""
    clock, made = Clock(), noise(size)
    clock("index", lambda: semantic.neighbours(made, np.arange(size)))
    table = made_up(size)
    clock("select", lambda: selection.select(table, made, 9000, 0))
    print(json.dumps(clock.rows))


@app.command()
def recall(
    folder: Path,
    count: Annotated[int, typer.Option(help="Prompts that are read by the encoder.")] = 10_000,
    asking: Annotated[int, typer.Option(help="So many of them are compared with all others.")] = 10_000,
    cache: Kept = None,
) -> None:
    """Count which of the true neighbours are found, by similarity; beside it those that an HNSW graph finds."""
    made = read_ones(folder, count, cache)[1]
    asked = np.sort(np.random.default_rng(0).permutation(len(made))[:asking])
    clock, ways = Clock(), {}
    truth = clock("all", lambda: compared(made, asked))
    ways["cells"] = clock("cells", lambda: semantic.neighbours(made, np.arange(len(made))))
    ways["HNSW"] = clock("HNSW", lambda: by_graph(made))
    print_recall(truth, ways)
    print(json.dumps({"vectors": len(made)} | {name: row["seconds"] for name, row in clock.rows.items()}))


def read_ones(folder: Path, count: int, cache: Path | None) -> tuple[list[str], embedding.Vectors]:
    """Return prompts of a folder in a seeded order, each once, and their vectors: those that the encoder can read."""
    rules, local = cleaning.Cleaning(languages=("en",)), Local()
    table = cleaning.clean(reading.read(reading.Reading((str(folder),))).kept, rules, local).kept
    table = cleaning.equal_ones(table, rules, local).kept
    table = table.take(pa.array(np.random.default_rng(0).permutation(len(table))[:count]))
    with tempfile.TemporaryDirectory() as scratch:
        made = embedding.embed(table, "", cache or Path(scratch), local)
    prompts = texts(table.filter(pa.array(made.reads)))
    return prompts, made.vectors[made.reads]


@app.command()
def edits(folder: Path, count: int = 500, seed: int = 0) -> None:
    """Plant edits of prompts that have no duplicates, and count what is found and what is found wrongly."""
    rng, local = random.Random(seed), Local()
    rules = cleaning.Cleaning(max_chars=600)
    table = cleaning.clean(reading.read(reading.Reading((str(folder),))).kept, rules, local).kept
    table = cleaning.equal_ones(table, rules, local).kept
    known = texts(table)
    pairs = near.near_pairs(known, near.signatures(table, near.words, local), near.words, 0.5)
    paired = set(pairs.later.tolist()) | set(pairs.earlier.tolist())
    # Alone at half the words: what is removed among these is removed wrongly.
    alone = [place for place in range(len(known)) if place not in paired]
    chosen = rng.sample(alone, min(count, len(alone)))
    languages = table.column("language").to_pylist()
    rows, origin = [known[place] for place in chosen], list(range(len(chosen)))
    kinds = [""] * len(rows)
    for place, index in enumerate(chosen):
        for kind, text in edits_of(known[index], languages[index] == "zh", rng).items():
            rows.append(text)
            origin.append(place)
            kinds.append(kind)
    _print_edits(rows, origin, kinds, local)


def _print_edits(rows: list[str], origin: list[int], kinds: list[str], local: Local) -> None:
    table = prompts_table({"id": str(i), "prompt": text} for i, text in enumerate(rows))
    first: dict[str, int] = {}
    same = [first.setdefault(cleaning.comparable(text), place) for place, text in enumerate(rows)]
    rejects = Rejects()
    found = near.near_pairs(rows, near.signatures(table, near.words, local), near.words, 0.9)
    remove_duplicates(rejects, found, rows, "near_duplicate")
    right = {place: origin[same[place]] == origin[place] for place in range(len(rows)) if same[place] != place}
    right |= {place: origin[twin] == origin[place] for place, (twin, _) in rejects.duplicates.items()}
    print("| edit | planted | found |\n|---|---|---|")
    for kind in sorted(set(kinds) - {""}):
        mine = [place for place, name in enumerate(kinds) if name == kind]
        print(f"| {kind} | {len(mine):,} | {sum(right.get(place, False) for place in mine) / len(mine):.4f} |")
    planted = [place for place, name in enumerate(kinds) if name not in ("", UNLISTED)]
    recall = sum(right.get(place, False) for place in planted) / len(planted)
    precision = sum(right.values()) / len(right)
    print(f"recall {recall:.4f}, precision {precision:.4f}, {len(planted):,} planted, without {UNLISTED}")


@app.command()
def paraphrases() -> None:
    """Print precision and recall on hand-written pairs at several thresholds, with and without names and numbers."""
    rows = [line.split("\t") for line in PARAPHRASES.read_text(encoding="utf-8").split("\n") if line]
    encoder = embedding.Encoder()
    for language in ("en", "zh"):
        mine = [row for row in rows if row[1] == language]
        same = np.array([row[0] == "same" for row in mine])
        left, right = [row[2] for row in mine], [row[3] for row in mine]
        details = np.array([same_details(a, b) for a, b in zip(left, right, strict=True)])
        if language == "en":
            close = (encoder.encode(left).astype(np.float32) * encoder.encode(right).astype(np.float32)).sum(1)
        else:
            close = np.array([near.jaccard(near.letters(a), near.letters(b)) for a, b in zip(left, right, strict=True)])
        print(f"\n{language}: {same.sum()} paraphrases, {(~same).sum()} hard negatives")
        _print_curve(close, same, details)


def _print_curve(close: NDArray[Any], same: NDArray[np.bool_], details: NDArray[np.bool_]) -> None:
    print("| threshold | recall | precision | recall, names and numbers equal | precision, so |\n|---|---|---|---|---|")
    for threshold in (0.3, 0.5, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95):
        cells = []
        for found in (close >= threshold, (close >= threshold) & details):
            good = int((found & same).sum())
            cells += [f"{good / same.sum():.3f}", f"{good / found.sum():.3f}" if found.any() else "–"]
        print(f"| {threshold} | " + " | ".join(cells) + " |")


@app.command(name="semhash")
def beside_semhash(folder: Path, count: int = 10_000, cache: Kept = None) -> None:
    """Time our neighbours and semhash's deduplication on the same vectors."""
    from semhash import SemHash

    prompts, made = read_ones(folder, count, cache)
    clock, lookup = Clock(), dict(zip(prompts, made.astype(np.float32), strict=True))

    class Known:
        def encode(self, inputs: Any, **_: Any) -> NDArray[Any]:
            return np.stack([lookup[text] for text in inputs])

    clock("ours", lambda: semantic.neighbours(made, np.arange(len(made))))
    clock("semhash", lambda: SemHash.from_records(prompts, model=Known()).self_deduplicate(threshold=0.93))
    print(json.dumps({"prompts": len(prompts)} | {name: row["seconds"] for name, row in clock.rows.items()}))


if __name__ == "__main__":
    app()
