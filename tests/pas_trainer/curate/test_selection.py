"""Selection: even shares, the good ones first, far from each other, the same for the same seed."""

import numpy as np
import pytest

from pas_trainer.curate.selection import quotas, select, spread
from pas_trainer.curate.table import prompts_table


def unit(rows):
    rows = np.asarray(rows, np.float32)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def table(cells):
    rows = [(category, language, q) for (category, language), qualities in cells.items() for q in qualities]
    return prompts_table(
        {"id": str(i), "prompt": f"p{i}", "category": c, "language": la, "quality": q}
        for i, (c, la, q) in enumerate(rows)
    )


def test_what_one_cell_lacks_goes_evenly_to_the_others():
    found = quotas({("a", "en"): 100, ("b", "en"): 2, ("c", "en"): 100}, 32)
    assert found == {("a", "en"): 15, ("b", "en"): 2, ("c", "en"): 15}
    assert sum(quotas({("a", "en"): 3, ("b", "en"): 1}, 100).values()) == 4


def test_of_the_good_ones_those_far_apart_are_taken():
    vectors = unit([[1, 0], [1, 0.01], [0, 1], [1, 0.02], [1, 0.03], [1, 0.04], [-1, -1]])
    assert set(spread(vectors, np.array([9, 8, 7, 6, 5, 4, 1], np.float32), 2)) == {0, 2}


def test_equal_vectors_are_taken_once_each():
    assert sorted(spread(unit([[1, 0]] * 6), np.arange(6, dtype=np.float32), 6)) == list(range(6))


def test_selection_is_balanced_and_says_what_ran_short():
    rows = table({("writing", "en"): range(30), ("math", "en"): range(30), ("math", "zh"): [5, 6]})
    vectors = unit(np.random.default_rng(0).normal(size=(62, 8)))
    outcome = select(rows, vectors, 20, seed=1)
    kept = [(r["category"], r["language"]) for r in outcome.kept.to_pylist()]
    assert {cell: kept.count(cell) for cell in set(kept)} == {
        ("writing", "en"): 9,
        ("math", "en"): 9,
        ("math", "zh"): 2,
    }
    assert outcome.figures["short"] == {"math/zh": 2}
    assert set(outcome.rejected.column("reason").to_pylist()) == {"not_selected"}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_seed_decides_ties_alone(seed):
    rows, vectors = table({("a", "en"): [5] * 40}), unit(np.random.default_rng(0).normal(size=(40, 8)))
    same = [select(rows, vectors, 5, seed).kept.column("id").to_pylist() for _ in range(2)]
    other = select(rows, vectors, 5, seed + 10).kept.column("id").to_pylist()
    assert same[0] == same[1] != other
