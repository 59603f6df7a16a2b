"""What the curation benchmark is made of: a clock, tables, made-up vectors, planted edits and known neighbours."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pas_trainer.curate.embedding import Vectors
from pas_trainer.curate.pairs import Pairs
from pas_trainer.curate.semantic import COUNT, FLOOR
from pas_trainer.curate.table import PROMPTS

Rows = dict[str, dict[str, float]]
_BANDS = (0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 1.01)
_PART = 1000


class Clock:
    """Times stages one after the other, in processor and in wall seconds."""

    def __init__(self) -> None:
        self.rows: Rows = {}

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        """Do the work of a stage and note its times, and the peak of memory so far."""
        wall, processor = time.perf_counter(), time.process_time()
        found = work()
        # Beside other work the wall clock says little; processor seconds of all threads stay what they are.
        self.rows[name] = {
            "seconds": round(time.process_time() - processor, 2),
            "wall": round(time.perf_counter() - wall, 2),
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
        return found


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Return how time grows with size: the slope of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(seconds, 1e-2)), 1)[0])


def growth(rows: dict[int, Rows]) -> None:
    """Print a table of sizes and stages, the exponent of each stage, and that of all."""
    sizes = sorted(rows)
    print("| stage | " + " | ".join(f"{size:,}: CPU s, MB" for size in sizes) + " | exponent |")
    print("|---" * (len(sizes) + 2) + "|")
    for stage in rows[sizes[0]]:
        cells = [f"{rows[s][stage]['seconds']:.1f}, {rows[s][stage]['peak_mb']:,.0f}" for s in sizes]
        slope = exponent(sizes, [rows[s][stage]["seconds"] for s in sizes])
        print(f"| {stage} | " + " | ".join(cells) + f" | {slope:.2f} |")
    sums = [sum(row["seconds"] for row in rows[size].values()) for size in sizes]
    print("| all | " + " | ".join(f"{s:.1f}" for s in sums) + f" | {exponent(sizes, sums):.2f} |", flush=True)


def noise(count: int, width: int = 384) -> Vectors:
    """Return seeded unit vectors in clusters of about ten, made part by part."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(max(1, count // 10), width)).astype(np.float16)
    found = np.empty((count, width), np.float16)
    for start in range(0, count, 50_000):
        rows = found[start : start + 50_000]
        part = centres[rng.integers(0, len(centres), len(rows))] + 0.5 * rng.normal(size=rows.shape)
        rows[:] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return found


def made_up(size: int) -> pa.Table:
    """Return so many prompts of seeded categories, languages and qualities."""
    rng = np.random.default_rng(1)
    names = pa.array([str(i) for i in range(size)])
    columns = {name: pa.nulls(size, PROMPTS.field(name).type) for name in PROMPTS.names}
    columns |= {"id": names, "prompt": names}
    columns["category"] = pa.array(np.char.add("c", rng.integers(0, 14, size).astype(str)))
    columns["language"] = pa.array(np.where(rng.random(size) < 0.5, "en", "zh"))
    columns["quality"] = pa.array(rng.random(size).astype(np.float32))
    return pa.table(columns, schema=PROMPTS)


def compared(vectors: Vectors, asking: NDArray[np.int64]) -> Pairs:
    """Return the nearest ones of some rows by comparing each of them with all rows."""
    everything, parts = vectors.astype(np.float32), []
    for start in range(0, len(asking), _PART):
        rows = asking[start : start + _PART]
        close = everything[rows] @ everything.T
        close[np.arange(len(rows)), rows] = -1
        nearest = np.argpartition(-close, COUNT, axis=1)[:, :COUNT]
        near = np.take_along_axis(close, nearest, 1)
        left, place = np.nonzero(near >= FLOOR)
        parts.append((rows[left], nearest[left, place], near[left, place]))
    left, right, similarity = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Pairs.sorted(left, right, similarity)


def by_graph(vectors: Vectors) -> Pairs:
    """Return the near pairs by an HNSW graph of usearch, for comparison."""
    from usearch.index import Index

    index = Index(ndim=vectors.shape[1], metric="ip", dtype="f16", expansion_add=64, expansion_search=64)
    keys = np.arange(len(vectors), dtype=np.uint64)
    index.add(keys, vectors, threads=1)
    found = index.search(vectors, COUNT)
    right, near = found.keys.astype(np.int64), 1 - found.distances.astype(np.float32)
    left = np.broadcast_to(keys.astype(np.int64)[:, None], right.shape)
    good = (near >= FLOOR) & (left != right)
    return Pairs.sorted(left[good], right[good], near[good])


def print_recall(truth: Pairs, ways: dict[str, Pairs]) -> None:
    """Print which share of the true pairs of each band of similarity each way has found."""
    found = {name: set(zip(p.later.tolist(), p.earlier.tolist(), strict=True)) for name, p in ways.items()}
    pairs = np.array(list(zip(truth.later.tolist(), truth.earlier.tolist(), strict=True)))
    print("| similarity | pairs | " + " | ".join(ways) + " |\n|---|---" + "|---" * len(ways) + "|")
    for low, high in pairwise(_BANDS):
        mine = pairs[(truth.similarity >= low) & (truth.similarity < high)].tolist()
        shares = [sum(tuple(pair) in known for pair in mine) / max(1, len(mine)) for known in found.values()]
        print(f"| {low} to {high:.2f} | {len(mine):,} | " + " | ".join(f"{share:.4f}" for share in shares) + " |")


_SUFFIXES = ("please", "Thanks!", "thank you very much", "Thanks in advance.")
_ENDINGS = ("谢谢", "谢谢！", "麻烦了")
#: An edit by words that the near step does not take for courtesies: what it does beyond its list.
UNLISTED = "unlisted suffix"
_OTHER_SUFFIXES = ("Cheers!", "Much appreciated.", "Take your time.", "Looking forward to it!")
_OTHER_ENDINGS = ("辛苦了", "拜托！", "多谢啦")


def edits_of(text: str, chinese: bool, rng: random.Random) -> dict[str, str]:
    """Return a text edited in each way."""
    parts = [part for part in text.replace("。", ". ").replace("，", ", ").split(", ") if part]
    return {
        "case": text.swapcase() if not chinese else text.upper(),
        "punctuation": text.rstrip(".?!。？！") + rng.choice(("!!!", "...", "？！" if chinese else "?!")),
        "suffix": f"{text}{rng.choice(_ENDINGS) if chinese else ' ' + rng.choice(_SUFFIXES)}",
        UNLISTED: f"{text}{rng.choice(_OTHER_ENDINGS) if chinese else ' ' + rng.choice(_OTHER_SUFFIXES)}",
        "reordering": ", ".join([*parts[1:], parts[0]]) if len(parts) > 1 else f"  {text}  ",
    }
