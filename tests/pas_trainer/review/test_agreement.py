"""Agreement: against a published example, scikit-learn and NLTK, and where there is none."""

import numpy as np
import pytest
from nltk.metrics.agreement import AnnotationTask
from nltk.metrics.distance import binary_distance, interval_distance
from sklearn.metrics import cohen_kappa_score

from pas_trainer.review.agreement import agreement

_ = np.nan
#: Four observers, twelve units: the example of Krippendorff's "Computing Krippendorff's Alpha-Reliability" (2011).
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
).T


@pytest.mark.parametrize(("ordered", "published"), [(False, 0.743), (True, 0.849)])
def test_alpha_is_the_published_one(ordered, published):
    found = agreement(KRIPPENDORFF, range(12), ordered=ordered)
    assert found.value == pytest.approx(published, abs=5e-4)
    assert found.coefficient.startswith("Krippendorff's alpha")
    assert found.units == 11
    assert found.low < found.value < found.high


@pytest.mark.parametrize("ordered", [False, True])
def test_alpha_is_nltks(ordered):
    rng = np.random.default_rng(3)
    truth = rng.integers(1, 6, 60)
    marks = np.clip(truth[:, None] + rng.integers(-1, 2, (60, 4)), 1, 5).astype(float)
    marks[rng.random(marks.shape) < 0.3] = np.nan
    marks = marks[(~np.isnan(marks)).sum(axis=1) > 1]
    triples = [(r, u, int(v)) for u, row in enumerate(marks) for r, v in enumerate(row) if not np.isnan(v)]
    theirs = AnnotationTask(triples, distance=interval_distance if ordered else binary_distance).alpha()
    assert agreement(marks, range(len(marks)), ordered=ordered).value == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("ordered", [False, True])
def test_kappa_of_two_counts_what_both_marked(ordered):
    marks = np.array([[1, 1], [2, 2], [3, 2], [1, 3], [3, 3], [2, _], [_, 3]], dtype=float)
    both = marks[:5].astype(int)
    theirs = cohen_kappa_score(both[:, 0], both[:, 1], weights="quadratic" if ordered else None)
    found = agreement(marks, range(7), ordered=ordered)
    assert (found.value, found.units) == (pytest.approx(theirs), 5)
    assert found.coefficient.startswith("Cohen's kappa")


def test_answers_to_one_prompt_are_drawn_together():
    marks = np.repeat(np.array([[1, 1], [2, 2], [1, 2], [2, 1], [1, 1], [2, 2]], dtype=float), 50, axis=0)
    alone = agreement(marks, range(300), ordered=False)
    together = agreement(marks, [n // 50 for n in range(300)], ordered=False)
    assert together.value == alone.value
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_where_there_is_no_agreement_to_speak_of():
    apart = agreement(np.array([[1, _], [_, 2]]), range(2), ordered=True)
    assert (apart.value, apart.units, apart.note) == (None, 0, "no answer was marked by two reviewers")
    same = agreement(np.full((4, 2), 5.0), range(4), ordered=True)
    assert same.value is None
    assert "all marks are the same" in same.note
