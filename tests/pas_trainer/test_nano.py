"""The small generator: what it was trained on comes back after export and decoding."""

import nano_models
from pas_trainer import nano


def test_training_pairs_come_back_after_export(toy_generator):
    assert nano.share_said_again(toy_generator, nano_models.known_pairs()) >= 0.95


def test_pairs_are_of_both_languages_and_have_a_complement():
    rows = nano.pairs(40)
    assert {row["language"] for row in rows} == {"en", "zh"}
    assert all(row["complement"] for row in rows)
    assert nano.pairs(20) == rows[:20]


def test_same_seed_gives_the_same_tokenizer():
    texts = [row["prompt"] for row in nano.pairs(20)]
    first, second = (nano.make_tokenizer(texts, 400).to_str() for _ in range(2))
    assert first == second
    assert nano.make_tokenizer(texts, 400).token_to_id("<|im_end|>") == 2
