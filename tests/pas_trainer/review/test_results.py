"""Results worked out by hand, as figures, JSON and Markdown."""

import json

import pytest
from reviews import some_items, start

from pas_middleware.errors import ConfigError, InputError
from pas_trainer.review.plan import make_plan
from pas_trainer.review.results import results
from pas_trainer.review.store import Store
from pas_trainer.review.table import markdown


def give(store, reviewer, marks):
    """Mark tasks by the id of their item: {id: {arm: value}}."""
    for number in range(1, store.total + 1):
        task = store.task(number)
        wanted = {arm: value for arm, value in marks.get(task.item.id, {}).items() if arm in task.arms}
        if wanted:
            store.mark(task, reviewer, wanted.items())


def row(found, category, arm):
    return next(row for row in found.rows if (row.category, row.arm) == (category, arm))


def test_grades_by_category(tmp_path):
    store = start(tmp_path, some_items(4), mode="grade")
    grades = {"q1": (1, 5), "q2": (3, 3), "q3": (2, 5), "q4": (4, 4)}
    give(store, "Ada", {id: {"none": none, "pas": pas} for id, (none, pas) in grades.items()})
    found = results(store)
    figures = {arm: row(found, "all", arm).figures for arm in ("none", "pas")}
    assert [figures["pas"][name].value for name in ("full_marks", "mean", "available")] == [0.5, 4.25, 1.0]
    assert [figures["none"][name].value for name in ("full_marks", "mean", "available")] == [0.0, 2.5, 0.5]
    assert row(found, "all", "pas").change["mean"].value == 1.75
    assert row(found, "Advice", "pas").figures["full_marks"].value == 1
    assert row(found, "Analysis", "pas").change["mean"].value == 0
    assert row(found, "all", "pas").change["mean"].low >= 0
    # Every answer of the arm is available: drawing items anew says nothing of how sure that is.
    assert (figures["pas"]["available"].low, figures["pas"]["available"].high) == (None, None)


def test_comparisons_with_several_arms_and_reviewers(tmp_path):
    store = start(tmp_path, some_items(2, ("none", "suffix", "pas")))
    assert store.total == 4
    give(store, "Ada", {"q1": {"pas": 1, "suffix": 0}, "q2": {"pas": 1, "suffix": -1}})
    give(store, "Bo", {"q1": {"pas": 0}})
    give(store, "Cy", {"q1": {"pas": None}})
    found = results(store)
    pas = row(found, "all", "pas")
    assert pas.items == 2
    # Two reviewers of one item are one observation, of half a win and half a tie.
    assert {name: figure.value for name, figure in pas.figures.items()} == {
        "win": 0.75, "tie": 0.25, "lose": 0, "win_rate": 0.875,
    }  # fmt: skip
    assert row(found, "all", "suffix").figures["win_rate"].value == 0.25
    assert found.reviewers == {"Ada": 4, "Bo": 1, "Cy": 1}
    assert found.passed == 1
    assert found.agreement.units == 1


def test_the_preference_for_what_is_shown_first_is_told(tmp_path):
    store = start(tmp_path, some_items(12))
    for number in range(1, 13):  # always the first
        task = store.task(number)
        store.mark(task, "Ada", [("pas", 1 if store.shown(task, "Ada")[0] == "pas" else -1)])
    assert results(store).first.value == 1


def test_json_and_markdown_tell_the_same(tmp_path):
    store = start(tmp_path, some_items(4), mode="grade", identical=2)
    assert "No marks yet." in markdown(results(store))
    give(store, "Ada", {f"q{n}": {"none": n, "pas": 5} for n in range(1, 5)})
    give(store, "Bo", {f"q{n}": {"none": n, "pas": 4} for n in range(1, 5)})
    found = json.loads(json.dumps(results(store).as_json(), allow_nan=False))
    assert "token" not in found["plan"]
    assert found["agreement"]["coefficient"] == "Cohen's kappa (quadratic weights)"
    text = markdown(results(store))
    assert "| all | pas | 4 | 50% | 4.50 | 100% | +2.00 (+1.00 to +3.00) |" in text
    assert "Reviewers: Ada 4 of 4, Bo 4 of 4; passed over: 0." in text
    assert "2 with the same answer in all arms" in text
    assert f"Cohen's kappa (quadratic weights) {found['agreement']['value']:.2f}" in text


def test_every_reviewer_has_an_order_of_their_own_and_keeps_it(tmp_path):
    store = start(tmp_path, some_items(40))
    orders = {
        name: [store.shown(store.task(number), name)[0] for number in range(1, 41)] for name in ("Ada", "Bo", "Cy")
    }
    assert len({tuple(order) for order in orders.values()}) == 3
    assert all(10 < order.count("pas") < 30 for order in orders.values())
    again = Store.open(tmp_path)
    assert [again.shown(again.task(number), "Ada")[0] for number in range(1, 41)] == orders["Ada"]
    assert [store.task(number).item.id for number in range(1, 41)] != [f"q{n}" for n in range(1, 41)]


def test_an_arm_that_answers_as_the_baseline_is_not_asked_about(tmp_path):
    items = some_items(2, ("none", "suffix", "pas"))
    items[0].arms["suffix"] = items[0].arms["none"]
    assert start(tmp_path, items).total == 3


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"mode": "rank"}, ConfigError, "mode is 'rank'"),
        ({"scale": 10}, ConfigError, "scale is 10"),
        ({"usable": 6}, ConfigError, "usable is 6"),
        ({"baseline": "bpo"}, ConfigError, "baseline is 'bpo'; use one of the arms: none, pas"),
    ],
)
def test_plans_are_checked(changes, error, said):
    with pytest.raises(error, match=said):
        make_plan(["none", "pas"], **changes)


def test_one_arm_can_be_graded_but_not_compared():
    assert make_plan(["pas"], mode="grade").baseline == "pas"
    with pytest.raises(InputError, match="one arm only, 'pas'"):
        make_plan(["pas"])
