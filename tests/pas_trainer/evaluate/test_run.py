"""Whole runs against the scripted server: what is asked, what is paid, what is reported."""

import json

import pytest

from pas_trainer.evaluate.evaluation import evaluate
from pas_trainer.evaluate.layouts import read_answers, read_judgements
from pas_trainer.evaluate.plan import Plan
from pas_trainer.testing import serve
from scripted_eval import PROMPTS, answering, config, jsonl


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def run(folder, url, script=answering, **changes):
    return evaluate(Plan.parse(config(folder, url, **changes), folder), folder / "run", quiet=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eval")
    jsonl(folder / "other-arena.jsonl", [{"id": f"q{i}", "answer": "plain answer"} for i in range(6)])
    outputs = [{"instruction": p, "output": "a better answer"} for p in PROMPTS]
    (folder / "other-alpaca.json").write_text(json.dumps(outputs))
    jsonl(folder / "other-own.jsonl", [{"id": f"own-{i}", "answer": "plain answer"} for i in range(6)])
    arms = {"suffix": {"kind": "suffix"}, "pas-mini": {"kind": "pas"}, "rewrite": {"kind": "rewrite"}}
    with serve(answering) as server:
        yield folder / "run", run(folder, server.url, arms=arms), server


def cell(scores, benchmark, arm):
    return next(c for c in scores["cells"] if (c["benchmark"], c["arm"]) == (benchmark, arm))


def test_every_arm_is_scored_on_every_benchmark(finished):
    _, scores, _ = finished
    assert [(c["benchmark"], c["arm"]) for c in scores["cells"]] == [
        (benchmark, arm)
        for benchmark in ("arena", "alpaca", "own")
        for arm in ("none", "suffix", "pas-mini", "rewrite")
    ]


def test_an_arm_that_always_wins_scores_so(finished):
    _, scores, _ = finished
    # none against the baseline: both plain, ties in both games; a suffix: decisively better as B, better as A.
    assert cell(scores, "arena", "none")["figures"][0]["value"] == 50
    suffix = cell(scores, "arena", "suffix")
    assert suffix["figures"][0]["key"] == "score"
    assert suffix["figures"][0]["value"] == 100
    assert (suffix["effect"]["value"], suffix["effect"]["low"], suffix["effect"]["high"]) == (50, 50, 50)
    assert (suffix["won"], suffix["lost"], suffix["tied"]) == (6, 0, 0)


def test_length_controlled_leads_and_the_raw_rate_is_never_alone(finished):
    _, scores, _ = finished
    assert [f["key"] for f in cell(scores, "alpaca", "suffix")["figures"]] == ["lc", "win_rate", "discrete"]
    assert [f["key"] for f in cell(scores, "own", "suffix")["figures"]] == ["lc", "win_rate"]
    assert cell(scores, "own", "suffix")["effect"]["figure"] == "lc"


def test_own_questions_are_compared_with_none(finished):
    _, scores, _ = finished
    assert cell(scores, "own", "none")["figures"] == []
    own = cell(scores, "own", "suffix")
    assert own["figures"][1]["value"] == 100
    assert {c["category"] for c in own["by_category"]} == {"reasoning", "writing"}
    assert all(c["effect"]["value"] == 50 for c in own["by_category"])


def test_a_skipped_prompt_costs_no_second_answer_and_ties(finished):
    folder, scores, server = finished
    skipped = [r for r in rows(folder / "answers.jsonl") if r["arm"] == "pas-mini" and r["status"] == "skipped"]
    assert skipped  # a haiku needs nothing
    assert all(r["answer"] == "plain answer" for r in skipped)
    assert cell(scores, "own", "pas-mini")["skipped"]["share"] == pytest.approx(len(skipped) / 3 / 6)
    assert cell(scores, "own", "pas-mini")["tied"] == len(skipped) / 3
    asked = [str(body["messages"]) + str(body["model"]) for body in server.answered]
    assert max(asked.count(text) for text in asked) <= 3  # once for each benchmark that has the prompt


def test_hidden_costs_are_reported(finished):
    _, scores, _ = finished
    none, suffix = cell(scores, "own", "none")["cost"], cell(scores, "own", "suffix")["cost"]
    assert (none["added_tokens"], none["usd_change"]) == (0, 0)
    assert suffix["added_tokens"] > 10
    assert suffix["answer_chars_change"] == len("a better and somewhat longer answer") - len("plain answer")
    assert suffix["usd_change"] > 0
    # The rewriting is paid for as well: its instruction is longer than the suffix.
    assert cell(scores, "own", "rewrite")["cost"]["added_tokens"] > suffix["added_tokens"]
    assert cell(scores, "own", "pas-mini")["cost"]["added_seconds"] > 0


def test_differences_hold_both_answers(finished):
    folder, _, _ = finished
    found = rows(folder / "differences.jsonl")
    assert {r["outcome"] for r in found} == {"won", "tie"}
    won = next(r for r in found if r["outcome"] == "won" and r["benchmark"] == "own")
    assert (won["answer"], won["answer_none"]) == ("a better and somewhat longer answer", "plain answer")
    assert won["margin"] == 1


def test_both_orders_are_judged(finished):
    folder, _, _ = finished
    games = [r for r in rows(folder / "judgements.jsonl") if (r["benchmark"], r["arm"]) == ("arena", "suffix")]
    assert sorted({(r["game"], r["verdict"]) for r in games}) == [(1, "B>>A"), (2, "A>B")]
    assert all(r["preference"] == 1 for r in games)


def test_upstreams_layouts_are_written_and_read_again(finished):
    folder, _, _ = finished
    answers = read_answers(folder / "upstream" / "arena" / "model_answer" / "one--suffix.jsonl")
    assert answers["q0"] == "a better and somewhat longer answer"
    games = read_judgements(folder / "upstream" / "arena" / "model_judgment" / "scripted" / "one--suffix.jsonl")
    assert (games[0]["verdict"], games[1]["verdict"]) == ("B>>A", "A>B")
    annotations = json.loads((folder / "upstream" / "alpaca" / "one--suffix" / "annotations.json").read_text())
    assert {a["preference"] for a in annotations} == {2.0}


def test_intrinsic_scores_stand_beside(finished):
    _, scores, _ = finished
    found = {row["arm"]: row for row in scores["intrinsic"]}
    assert set(found) == {"suffix", "pas-mini"}
    assert found["pas-mini"]["valid"] == found["pas-mini"]["language"] == found["pas-mini"]["prefix"] == 1
    assert found["suffix"]["distinct"] == pytest.approx(1 / 6)


def small(folder, url, **changes):
    """Return a plan of one's own questions alone."""
    content = config(folder, url, **changes)
    content["benchmarks"] = {"own": content["benchmarks"]["own"]}
    return Plan.parse({"arms": {"suffix": {"kind": "suffix"}}, **content, **changes}, folder)


def test_a_rerun_asks_for_nothing(tmp_path):
    arms = {"suffix": {"kind": "suffix"}}
    with serve(answering) as server:
        first = evaluate(small(tmp_path, server.url, arms=arms), tmp_path / "run", quiet=True)
        asked = len(server.calls)
        again = evaluate(small(tmp_path, server.url, arms=arms), tmp_path / "run", quiet=True)  # finished: read
        evaluate(small(tmp_path, server.url, arms=arms), tmp_path / "run", quiet=True, redo=True)
        assert len(server.calls) == asked == 6 * 2 + 6 * 2
    assert first == again
