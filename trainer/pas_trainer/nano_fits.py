"""How well complements fit their prompts' categories, by a judge that read none of the texts that the model learnt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from .curate.embedding import Encoder

#: What says the category of each complement.
Judge = Callable[[Sequence[str]], Sequence[str]]
Floats = NDArray[np.float64]
_DRAWS = 2000


def judge_of(read: Sequence[dict[str, Any]]) -> Judge:
    """Return a judge trained on complements and their categories.

    Letters and sentence vectors together, with logistic regression: of those tried the best on complements of intents
    that it had read nothing of.
    """
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 5), sublinear_tf=True)
    encoder = Encoder()
    texts = [row["complement"] for row in read]
    letters.fit(texts)

    def features(complements: Sequence[str]) -> Any:
        vectors = csr_matrix(np.asarray(encoder.encode(complements), np.float32))
        return hstack([letters.transform(complements), vectors]).tocsr()

    model = LogisticRegression(C=10, max_iter=3000).fit(features(texts), [row["category"] for row in read])
    return lambda complements: list(model.predict(features(complements)))


def fits(wanted: Sequence[str], written: Sequence[str], common: str, judge: Judge) -> dict[str, Any]:
    """Return the share of complements that the judge puts into their prompt's category, with 95 % intervals.

    Beside it: the same complements dealt out anew, exactly in the mean over all ways, and `common` for every prompt.
    An empty complement fits nothing.
    """
    found = [name if text else "" for text, name in zip(written, judge(written), strict=True)]
    own = np.array([name == want for want, name in zip(wanted, found, strict=True)], float)
    counts = Counter(found)
    dealt = np.array([counts[want] / len(found) for want in wanted])
    everywhere = judge([common])[0]
    same = np.array([everywhere == want for want in wanted], float)
    return {
        "n": len(wanted),
        "sft": interval(own),
        "shuffled": interval(dealt),
        "sft-shuffled": interval(own - dealt),
        "commonest": interval(same),
        "sft-commonest": interval(own - same),
    }


def interval(values: Floats) -> dict[str, float]:
    """Return the mean and its 95 % bootstrap interval over prompts."""
    draws = np.random.default_rng(0).integers(0, len(values), (_DRAWS, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return {"value": round(float(values.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}
