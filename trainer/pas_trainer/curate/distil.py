"""A small local scorer, distilled from an LLM's scores of a sample: a regression on vectors and signals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pas_middleware.errors import ConfigError

from .embedding import Embedded
from .quality import SIGNALS, Scores, rank_correlation

_STRENGTHS = tuple(10.0**power for power in range(-2, 4))
_FOLDS = 5
#: Fewer scores than this teach nothing.
LEAST = 20


def features(embedded: Embedded, found: pa.Table) -> NDArray[np.float32]:
    """Return one row a prompt; vectors of the encoder and of letters stand in different columns."""
    vectors = embedded.vectors.astype(np.float32)
    reads = embedded.reads[:, None]
    said = np.stack([np.asarray(found.column(name).to_numpy(), np.float32) for name in SIGNALS], 1)
    return np.hstack([vectors * reads, vectors * ~reads, said, said**2, reads.astype(np.float32)])


def distil(rows: NDArray[np.float32], scores: Scores, seed: int) -> tuple[Scores, dict[str, Any]]:
    """Return a score for every row, learnt from those that have one, and the agreement on rows held out in turn.

    Raises ConfigError where too few rows have a score.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold, cross_val_predict

    known = ~np.isnan(scores)
    if known.sum() < LEAST:
        raise ConfigError(
            f"Only {known.sum()} prompts of the sample were scored;",
            hint=f"at least {LEAST} are needed: --judge-sample.",
        )
    model = RidgeCV(alphas=_STRENGTHS)
    folds = KFold(_FOLDS, shuffle=True, random_state=seed)
    held = np.asarray(cross_val_predict(model, rows[known], scores[known], cv=folds), np.float32)
    model.fit(rows[known], scores[known])
    predicted = np.clip(np.asarray(model.predict(rows), np.float32), 1, 10)
    figures = {
        "sample": int(known.sum()),
        "rank_correlation_held_out": rank_correlation(held, scores[known]),
        "mean_error_held_out": round(float(np.abs(held - scores[known]).mean()), 3),
    }
    return np.where(known, scores, predicted).astype(np.float32), figures
