"""Measure the curation: time, memory and growth by stage, and how well duplicates are told from what looks like them.

python benchmarks/curation.py scale FOLDER [--sizes 1000,10000,50000,70000]   every stage on a folder's prompts
python benchmarks/curation.py vectors [--sizes 10000,100000,1000000]          index and selection, synthetic vectors
python benchmarks/curation.py edits FOLDER                                    planted edits: recall, precision
python benchmarks/curation.py paraphrases                                     paraphrases, hard negatives: a curve
python benchmarks/curation.py semhash FOLDER                                  time beside semhash, same vectors
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import typer
from numpy.typing import NDArray

from pas_trainer.curate import cleaning, embedding, near, quality, reading, selection, semantic
from pas_trainer.curate.engine import Local
from pas_trainer.curate.pairs import remove_duplicates, same_details
from pas_trainer.curate.table import PROMPTS, Rejects, prompts_table, texts, with_column

app = typer.Typer(add_completion=False, no_args_is_help=True)
PARAPHRASES = Path(__file__).parent / "paraphrases.tsv"


def peak_mb() -> float:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Return how time grows with size: the slope of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(seconds, 1e-3)), 1)[0])


class Clock:
    """Times stages one after the other, in processor and in wall seconds."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, float]] = {}

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        """Do the work of a stage and note its times, and the peak of memory so far."""
        wall, processor = time.perf_counter(), time.process_time()
        found = work()
        # Beside other work the wall clock says little; processor seconds of all threads stay what they are.
        self.rows[name] = {
            "seconds": round(time.process_time() - processor, 2),
            "wall": round(time.perf_counter() - wall, 2),
            "peak_mb": round(peak_mb()),
        }
        return found


def in_process(*arguments: str) -> dict[str, Any]:
    """Run this script's command in a process of its own, so that memory is its own, too, and return its JSON."""
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.split("\n")[-2])
    return found


def growth(rows: dict[int, dict[str, dict[str, float]]]) -> None:
    """Print a table of sizes and stages, the exponent of each stage, and that of all."""
    sizes = sorted(rows)
    stages = list(rows[sizes[0]])
    print("| stage | " + " | ".join(f"{size:,}: CPU s, MB" for size in sizes) + " | exponent |")
    print("|---" * (len(sizes) + 2) + "|")
    for stage in stages:
        cells = [f"{rows[s][stage]['seconds']:.1f}, {rows[s][stage]['peak_mb']:,.0f}" for s in sizes]
        slope = exponent(sizes, [rows[s][stage]["seconds"] for s in sizes])
        print(f"| {stage} | " + " | ".join(cells) + f" | {slope:.2f} |")
    sums = [sum(row["seconds"] for row in rows[size].values()) for size in sizes]
    print("| all | " + " | ".join(f"{s:.1f}" for s in sums) + f" | {exponent(sizes, sums):.2f} |", flush=True)


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
    # A seeded order: the folder's files are each of one kind. So many clean prompts, that sizes mean what they say.
    table = raw.take(pa.array(np.random.default_rng(0).permutation(len(raw))[:size]))
    clock.rows["read"]["seconds"] = round(clock.rows["read"]["seconds"] * len(table) / len(raw), 2)
    table = clock("clean", lambda: cleaning.clean(table, rules, local).kept)
    table = clock("exact", lambda: cleaning.equal_ones(table, rules).kept)
    prompts = texts(table)
    signed = clock("sign", lambda: near.signatures(table, near.words, local))
    clock("near", lambda: near.near_pairs(prompts, signed, near.words, 0.9))
    with tempfile.TemporaryDirectory() as cache:
        if "embed" in leave:
            vectors = noise(len(table))
        else:
            vectors = clock("embed", lambda: embedding.embed(table, "", Path(cache), local)).vectors
        clock("neighbours", lambda: semantic.neighbours(vectors, np.arange(len(vectors))))
        if "categories" not in leave:
            found = clock("categories", lambda: quality.signals(table, Path(cache), local))
            table = with_column(table, "category", found.column("category"))
            table = with_column(table, "quality", quality.by_rule(found))
        else:
            table = with_column(table, "quality", np.arange(len(table)) % 10)
    clock("select", lambda: selection.select(table, vectors, max(1, size // 2), 0))
    print(json.dumps(clock.rows))


def noise(count: int, width: int = 384) -> embedding.Vectors:
    """Return seeded unit vectors in clusters of about ten, made part by part."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(max(1, count // 10), width)).astype(np.float16)
    found = np.empty((count, width), np.float16)
    for start in range(0, count, 50_000):
        rows = found[start : start + 50_000]
        part = centres[rng.integers(0, len(centres), len(rows))] + 0.5 * rng.normal(size=rows.shape)
        rows[:] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return found


@app.command()
def vectors(sizes: Annotated[str, typer.Option(help="Counts of vectors.")] = "10000,100000,1000000") -> None:
    """Time index and selection on synthetic vectors."""
    growth({int(size): in_process("synthetic", size) for size in sizes.split(",")})


@app.command(hidden=True)
def synthetic(size: int) -> None:
    """Time index and selection on one size; the last line is JSON."""
    clock, made = Clock(), noise(size)
    clock("index", lambda: semantic.neighbours(made, np.arange(size)))
    rng = np.random.default_rng(1)
    names = pa.array([str(i) for i in range(size)])
    columns = {name: pa.nulls(size, PROMPTS.field(name).type) for name in PROMPTS.names} | {
        "id": names,
        "prompt": names,
    }
    columns["category"] = pa.array(np.char.add("c", rng.integers(0, 14, size).astype(str)))
    columns["language"] = pa.array(np.where(rng.random(size) < 0.5, "en", "zh"))
    columns["quality"] = pa.array(rng.random(size).astype(np.float32))
    table = pa.table(columns, schema=PROMPTS)
    clock("select", lambda: selection.select(table, made, 9000, 0))
    print(json.dumps(clock.rows))


_SUFFIXES = ("please", "Thanks!", "thank you very much", "Thanks in advance.")
_ENDINGS = ("谢谢", "谢谢！", "麻烦了")


def edits_of(text: str, chinese: bool, rng: random.Random) -> dict[str, str]:
    """Return a text edited in each way."""
    parts = [part for part in text.replace("。", ". ").replace("，", ", ").split(", ") if part]
    return {
        "case": text.swapcase() if not chinese else text.upper(),
        "punctuation": text.rstrip(".?!。？！") + rng.choice(("!!!", "...", "？！" if chinese else "?!")),
        "suffix": f"{text}{rng.choice(_ENDINGS) if chinese else ' ' + rng.choice(_SUFFIXES)}",
        "reordering": ", ".join([*parts[1:], parts[0]]) if len(parts) > 1 else f"  {text}  ",
    }


@app.command()
def edits(folder: Path, count: int = 500, seed: int = 0) -> None:
    """Plant edits of prompts that have no duplicates, and count what is found and what is found wrongly."""
    rng, local = random.Random(seed), Local()
    rules = cleaning.Cleaning(max_chars=600)
    table = cleaning.clean(reading.read(reading.Reading((str(folder),))).kept, rules, local).kept
    table = cleaning.equal_ones(table, rules).kept
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
    planted = [place for place, name in enumerate(kinds) if name]
    recall = sum(right.get(place, False) for place in planted) / len(planted)
    print(f"recall {recall:.4f}, precision {sum(right.values()) / len(right):.4f}, {len(planted):,} planted")


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
def beside_semhash(folder: Path, count: int = 10_000) -> None:
    """Time our neighbours and semhash's deduplication on the same vectors."""
    from semhash import SemHash

    table = reading.read(reading.Reading((str(folder),), limit=count)).kept
    with tempfile.TemporaryDirectory() as cache:
        made = embedding.embed(table, "", Path(cache), Local())
    places = np.flatnonzero(made.reads)
    vectors, prompts = made.vectors[places].astype(np.float32), [texts(table)[i] for i in places]
    clock, lookup = Clock(), dict(zip(prompts, vectors, strict=True))

    class Known:
        def encode(self, inputs: Any, **_: Any) -> NDArray[Any]:
            return np.stack([lookup[text] for text in inputs])

    clock("ours", lambda: semantic.neighbours(made.vectors[places], places))
    clock("semhash", lambda: SemHash.from_records(prompts, model=Known()).self_deduplicate(threshold=0.93))
    print(json.dumps({"prompts": len(prompts)} | {name: row["seconds"] for name, row in clock.rows.items()}))


if __name__ == "__main__":
    app()
