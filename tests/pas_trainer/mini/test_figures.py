"""Thresholds and figures, on scores small enough to be worked out by hand."""

import numpy as np
import pytest

from pas_middleware.models.selector import Bank, Intent, Thresholds, Variant
from pas_trainer.mini import calibration, figures, judging, report
from pas_trainer.mini.examples import Example
from pas_trainer.mini.scoring import Scored

NAMES = ["math.general", "math.proof", "writing.general"]
LIMITS = Thresholds(gate=0.5, intent=0.8, pointed=0.95, category=0.6, skip=0.5, temperature=1.0)


def bank():
    intents = [
        Intent(n, n.split(".")[0], False, {"en": (Variant(f"Advice for {n}.", True, frozenset()),)}) for n in NAMES
    ]
    return Bank(["math", "writing"], intents, {"en": LIMITS, "zh": LIMITS})


def scored(*rows, gate=4.0):
    """Return rows of (label, also, logits of the three intents); the categories' logits say nothing."""
    found = tuple(
        Example(
            f"prompt {i}",
            "en",
            intent=label,
            also=also,
            category=label.split(".")[0],
            needs=True,
            kind="real",
            split="report",
        )
        for i, (label, also, _) in enumerate(rows)
    )
    logits = np.array([r[2] for r in rows], dtype=np.float32)
    return Scored(found, logits, np.zeros((len(rows), 2), np.float32), np.full(len(rows), gate, np.float32))


def test_threshold_is_the_lowest_that_keeps_the_precision_by_a_standard_error():
    confidence = np.linspace(1.0, 0.05, 20).astype(np.float32)
    right = np.array([True] * 12 + [False] * 8)
    # 12 of the first 13 are right: 92 % less 7; 12 of the first 14: 86 % less 9.
    assert calibration.threshold_for(confidence, right, 0.80) == pytest.approx(confidence[12])
    assert calibration.threshold_for(confidence, right, 0.76) == pytest.approx(confidence[13])
    assert calibration.threshold_for(confidence, right, 1.0) == pytest.approx(confidence[11])


def test_threshold_without_enough_right_decisions_is_out_of_reach():
    confidence = np.linspace(1.0, 0.05, 20).astype(np.float32)
    assert calibration.threshold_for(confidence, np.zeros(20, bool), 0.5) == 0.99
    assert calibration.threshold_for(confidence[:9], np.ones(9, bool), 0.5) == 0.99


def test_gate_threshold_loses_few_that_need_a_complement():
    rows = scored(*[("math.general", (), (0.0, 0.0, 0.0))] * 100)
    gate = np.linspace(-3, 3, 100).astype(np.float32)
    found = calibration.gate_threshold(Scored(rows.examples, rows.intents, rows.categories, gate))
    assert np.mean(1 / (1 + np.exp(-gate)) < found) == pytest.approx(calibration.GATE_LOSS, abs=0.005)


def test_calibration_error_is_the_weighted_gap():
    # Three at 0.95 of which two are right (gap 0.283), one at 0.55 that is wrong (gap 0.55).
    found = figures.calibration_error(
        np.array([0.95, 0.95, 0.95, 0.55], np.float32), np.array([True, True, False, False])
    )
    assert found == pytest.approx(0.75 * (0.95 - 2 / 3) + 0.25 * 0.55, abs=1e-6)


def test_risk_coverage_orders_by_confidence():
    coverage, risk = figures.risk_coverage(np.array([0.2, 0.9, 0.5], np.float32), np.array([False, True, True]))
    assert coverage == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert risk == pytest.approx([0.0, 0.0, 1 / 3])


def test_row_counts_what_is_applied_and_how_well():
    rows = scored(
        ("math.proof", (), (0.0, 9.0, 0.0)),  # right
        ("writing.general", ("math.proof",), (0.0, 9.0, 0.0)),  # another that fits
        ("math.general", (), (0.0, 9.0, 0.0)),  # wrong intent, right category
        ("math.general", (), (0.5, 0.0, 0.5)),  # unsure: not applied
    )
    row = figures.row_of("x", rows, bank(), rows.decisions(bank()))
    assert (row.n, row.applied, row.not_general) == (4, 0.75, 1.0)
    assert row.acceptable == pytest.approx(2 / 3)
    assert row.category == 1.0
    assert row.category_best == pytest.approx(2 / 3)


def test_a_closed_gate_applies_nothing():
    rows = scored(("math.proof", (), (0.0, 9.0, 0.0)), gate=-4.0)
    assert figures.row_of("x", rows, bank(), rows.decisions(bank())).applied == 0.0


def test_baselines():
    rows = scored(("math.proof", (), (0, 0, 0)), ("writing.general", (), (0, 0, 0)))
    assert figures.general_row(rows).acceptable == 0.5
    assert figures.suffix_row(rows).acceptable == 0.0


def test_recognition_counts_first_and_first_three():
    rows = scored(("math.proof", (), (0, 9, 0)), ("math.general", (), (1, 9, 5)))
    found = figures.recognition(rows, bank(), 1.0)
    assert (found["n"], found["top1"], found["top3"], found["category"]) == (2, 0.5, 1.0, 1.0)


def test_curves_are_drawn(tmp_path):
    target = tmp_path / "deep" / "curve.png"
    report.draw({"a": ([0.5, 1.0], [0.0, 0.5])}, target)
    assert target.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "complement",
    [
        "Read the wording literally before calculating.",
        "Check for a hidden trap.",
        "留意题目里的陷阱。",
        "先逐字审题。",
    ],
)
def test_a_pointer_at_the_trap_is_recognised(complement):
    assert figures.TRAP.search(complement)


@pytest.mark.parametrize(
    "complement", ["State the unit and round sensibly.", "说明单位并合理取整。", "Show each step."]
)
def test_other_advice_is_not(complement):
    assert not figures.TRAP.search(complement)


def test_judges_marks_are_assigned_to_their_arms(tmp_path):
    key = [
        {"item": 0, "language": "en", "status": "applied", "order": ["random", "pas", "suffix"]},
        {"item": 1, "language": "en", "status": "applied", "order": ["pas", "suffix", "random"]},
        {"item": 2, "language": "en", "status": "skipped", "reason": "unsure"},
        {"item": 3, "language": "zh", "status": "applied", "order": ["suffix", "random", "pas"]},
    ]
    marks = [
        {"item": 0, "marks": [0, 3, 1]},
        {"item": 1, "marks": [2, 1, 0]},
        {"item": 3, "marks": [1, 1, 0]},
    ]
    judging.write_jsonl(tmp_path / "key.jsonl", key)
    judging.write_jsonl(tmp_path / "marks.jsonl", marks)
    lines = judging.table(tmp_path / "key.jsonl", [tmp_path / "marks.jsonl"]).splitlines()
    cells = {tuple(line.split(" | ")[:2]): line.split(" | ")[2:] for line in lines[2:]}
    n, coverage, useful, excellent, neutral, harmful = cells["| en", "pas"]
    assert (n, coverage) == ("2", "0.67")
    assert (useful[:4], excellent[:3], neutral[:2], harmful[:2]) == ("100%", "50%", "0%", "0%")
    assert cells["| en", "random"][5].startswith("100%")
    assert cells["| zh", "pas"][5].startswith("100%")
