"""A generator behind the query transform: retrieval still sees the original alone."""

import nano_models
from llama_index_pas import PASQueryTransform
from pas_middleware import PAS, Settings


def test_query_is_augmented_by_a_generator(toy_generator):
    row = nano_models.known_pairs(1)[0]
    with PAS.load(toy_generator, settings=Settings(deadline_ms=60_000)) as pas:
        bundle = PASQueryTransform(pas=pas).run(row["prompt"])
    assert bundle.query_str.startswith(row["prompt"])
    assert row["complement"] in bundle.query_str
    assert bundle.embedding_strs == [row["prompt"]]
