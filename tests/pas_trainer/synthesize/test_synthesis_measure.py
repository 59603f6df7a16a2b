"""The critic measured: the figures are those of the verdicts given."""

import json

import pytest
from synthesis import endpoint
from typer.testing import CliRunner

from pas_trainer.llm import Client, Store
from pas_trainer.synthesize import GoldenSet, measure
from pas_trainer.synthesize.command import app
from pas_trainer.synthesize.golden import Golden
from pas_trainer.synthesize.measure import Case, Judged
from pas_trainer.testing import serve
from pas_trainer.testing.golden import golden

OURS = GoldenSet.read()


def test_no_case_is_shown_to_the_critic_as_an_example():
    cases = measure.cases(OURS)
    shown = {example.prompt for example in OURS.examples}
    assert len(cases) == 2 * sum(bool(case.flaw) for case in cases) > 200
    assert all(case.golden.prompt not in shown for case in cases)


def judged(flaw, said, by="critic"):
    return Judged(Case("1", Golden("p", "c", "math", "en"), "c", flaw), said, by)


def test_figures_of_known_verdicts():
    found = measure.figures(
        [
            judged("answers", "answers"),
            judged("answers", "excessive"),
            judged("answers", ""),
            judged("wrong_language", "wrong_language", "guard"),
            judged("", ""),
            judged("", ""),
            judged("", "deviates"),
            judged("", measure.UNJUDGED, "nobody"),
        ]
    )
    assert (found["precision"]["share"], found["recall"]["share"]) == (0.6, 0.75)
    assert found["recall_by_flaw"]["answers"]["share"] == pytest.approx(0.667)
    assert found["flaw_named"] == {**found["flaw_named"], "share": 0.667, "of": 3}
    assert found["guard_share_of_catch"]["share"] == pytest.approx(0.333)
    assert found["kept_of_right"]["share"] == 0.5
    assert found["confusion"]["answers"] == {"answers": 1, "excessive": 1, "kept": 1}
    assert found["confusion"]["right"] == {"kept": 2, "deviates": 1, "unjudged": 1}
    assert found["unjudged"] == 1
    assert found["recall"]["low"] < 0.75 < found["recall"]["high"]
    assert "| precision | 60.0%" in measure.table(found)
    assert "| answers | 1 | 0 | 0 | 1 | 0 | 0 | 0 | 0 | 1 |" in measure.table(found)


def test_nothing_caught_is_no_division():
    assert measure.figures([judged("answers", ""), judged("", "")])["precision"]["share"] is None


def blind(body):
    return json.dumps({"reason": "x", "flaw": "", "verdict": "keep"})


@pytest.mark.parametrize(("critic", "recall"), [(golden, 1.0), (blind, None)])
def test_a_critic_is_told_from_a_blind_one(tmp_path, critic, recall):
    cases = measure.cases(OURS)[:60]
    languages = sum(case.flaw == "wrong_language" for case in cases)
    with serve(critic) as server, Store(tmp_path / "a.sqlite") as store:
        client = Client(endpoint(server.url), store)
        found = measure.figures(measure.judge(client, OURS, cases, shots=5, attempts=2))
        client.close()
    assert found["recall"]["share"] == (recall or round(languages / 30, 3))
    assert found["kept_of_right"]["share"] == 1.0
    assert len(server.calls) == 60 - languages  # what the guard sees is not paid for


def test_the_guard_alone_asks_nobody_and_is_measured_by_flaw():
    result = CliRunner().invoke(app, ["critic-report", "--guard-alone", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["wrong"] == found["right"] > 100
    assert found["recall_by_flaw"]["wrong_language"]["share"] == 1.0
    assert found["recall_by_flaw"]["deviates"]["share"] == 0.0  # what a complement says is for the critic
    assert found["guard_alarms"] == 0
    assert found["kept_of_right"]["share"] == 1.0
    table = CliRunner().invoke(app, ["critic-report", "--guard-alone"]).output
    assert table.startswith("the guard alone\n")
    assert "| recall: wrong_language | 100.0% |" in table
