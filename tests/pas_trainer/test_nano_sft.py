"""How fine-tuning is shown: parts that share no prompt, and a measure that tells fitting complements from others."""

from pas_trainer import nano_sft
from pas_trainer.mini.examples import normalized


def test_parts_share_no_prompt():
    learn, read, ask = nano_sft.folds()
    bank = nano_sft.bank_pairs(row["prompt"] for row in [*read, *ask])
    parts = [{normalized(row["prompt"]) for row in rows} for rows in ([*learn, *bank], read, ask)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert len(bank) > 4_000
    assert len(ask) > 300


def test_classifier_reads_no_complement_that_is_learnt():
    learn, read, ask = nano_sft.folds()
    learnt = {row["complement"] for row in [*learn, *nano_sft.bank_pairs(())]}
    assert not learnt & {row["complement"] for row in [*read, *ask]}


def rows_of(rows, complements):
    return [(row["category"], row["language"], text) for row, text in zip(rows, complements, strict=True)]


def test_measure_tells_own_complements_from_anothers():
    learn, read, ask = nano_sft.folds()
    right = nano_sft.fits(rows_of(ask, [row["complement"] for row in ask]), read, learn)
    assert right["sft"]["value"] > 0.5
    assert right["sft-shuffled"]["low"] > 0.3
    assert right["sft-commonest"]["low"] > 0.3
    one = nano_sft.fits(rows_of(ask, [ask[0]["complement"]] * len(ask)), read, learn)
    assert one["sft-shuffled"]["value"] == 0
    none = nano_sft.fits(rows_of(ask, [""] * len(ask)), read, learn)
    assert none["sft"]["value"] == 0
