"""How fine-tuning is shown: parts that share no prompt, and a measure that tells fitting complements from others."""

from pas_trainer import nano_sft
from pas_trainer.mini.examples import normalized


def test_parts_share_no_prompt_and_no_complement():
    read, ask = nano_sft.folds()
    bank = nano_sft.bank_pairs(row["prompt"] for row in [*read, *ask])
    for name in ("prompt", "complement"):
        learnt, judging, asked = ({normalized(row[name]) for row in rows if row[name]} for rows in (bank, read, ask))
        assert not learnt & judging
        assert not learnt & asked
        assert not judging & asked
    assert len(bank) > 3_000
    assert len(ask) > 300


def rows_of(rows, complements):
    return [(row["category"], row["language"], text) for row, text in zip(rows, complements, strict=True)]


def test_measure_tells_own_complements_from_anothers():
    read, ask = nano_sft.folds()
    right = nano_sft.fits(rows_of(ask, [row["complement"] for row in ask]), read, read)
    assert right["sft-shuffled"]["low"] > 0.1
    assert right["sft-commonest"]["low"] > 0.1
    one = nano_sft.fits(rows_of(ask, [ask[0]["complement"]] * len(ask)), read, read)
    assert one["sft-shuffled"]["value"] == 0
    none = nano_sft.fits(rows_of(ask, [""] * len(ask)), read, read)
    assert none["sft"]["value"] == 0
