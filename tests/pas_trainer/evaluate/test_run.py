"""Whole runs against the scripted server: what is asked, what is paid, what is reported."""

import json
from dataclasses import replace

import pytest

from pas_middleware.errors import ConfigError, InputError
from pas_trainer.evaluate.evaluation import evaluate
from pas_trainer.evaluate.layouts import read_answers, read_judgements
from pas_trainer.evaluate.plan import Plan
from pas_trainer.llm import BudgetReached, EndpointError
from pas_trainer.testing import serve
from scripted_eval import answering, config, jsonl


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def run(folder, url, **changes):
    return evaluate(Plan.parse(config(folder, url, **changes), folder), folder / "run", quiet=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eval")
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


SUFFIX = {"suffix": {"kind": "suffix"}}


def small(folder, url, kind="own", **changes):
    """Return a plan of one benchmark alone."""
    content = config(folder, url, **({"arms": SUFFIX} | changes))
    return Plan.parse(content | {"benchmarks": {kind: content["benchmarks"][kind]}}, folder)


def evaluated(folder, url, kind="own", *, plan=None, **how):
    return evaluate(plan or small(folder, url, kind), folder / "run", quiet=True, **how)


def test_a_rerun_asks_for_nothing(tmp_path):
    with serve(answering) as server:
        first = evaluated(tmp_path, server.url)
        asked = len(server.calls)
        again = evaluated(tmp_path, server.url)  # finished: read
        evaluated(tmp_path, server.url, redo=True)
        assert len(server.calls) == asked == 6 * 2 + 6 * 2
    assert first == again


def test_a_run_that_was_broken_off_goes_on_and_pays_for_no_answer_again(tmp_path):
    down = True

    def dying(body):
        if down and body["messages"][0]["role"] == "system":
            raise RuntimeError("the judge is down")
        return answering(body)

    with serve(dying) as server:
        plan = small(tmp_path, server.url)
        plan = replace(plan, judge=replace(plan.judge, retries=0))
        # What the client sees of a server that dies: an error of 500, or now and then a connection that is gone.
        with pytest.raises(EndpointError, match=r"10 rows in a row failed|cannot be reached"):
            evaluated(tmp_path, server.url, plan=plan)
        assert not (tmp_path / "run" / "scores.json").exists()
        down = False
        scores = evaluated(tmp_path, server.url, plan=plan)
        answers = [call for call in server.calls if call.body["messages"][0]["role"] == "user"]
    assert len(answers) == 12
    assert cell(scores, "own", "suffix")["won"] == 6
    assert cell(scores, "own", "suffix")["cost"]["seconds_change"] is not None  # noted before the end


def test_another_configuration_does_not_overwrite(tmp_path):
    with serve(answering) as server:
        evaluated(tmp_path, server.url)
        with pytest.raises(ConfigError, match="limit 0, not 2"):
            evaluated(tmp_path, server.url, plan=small(tmp_path, server.url).limited(2))


def test_the_budget_stops_before_the_first_call_that_could_break_it(tmp_path):
    with serve(answering) as server:
        with pytest.raises(BudgetReached, match="The budget of"):
            evaluated(tmp_path, server.url, max_usd=0.0001)
        assert len(server.calls) == 0
        assert evaluated(tmp_path, server.url, max_usd=1.0)["spend"]["calls"] == 24


def test_an_arm_without_answers_to_all_questions_is_refused_before_anything_is_paid(tmp_path):
    jsonl(tmp_path / "one.jsonl", [{"id": f"q{i}", "answer": "x"} for i in range(4)])
    with serve(answering) as server:
        plan = small(tmp_path, server.url, "arena", arms={"bpo": {"kind": "answers", "path": "{target}.jsonl"}})
        with pytest.raises(InputError, match=r"arm bpo.* no answer to 2 of 6 questions: q4, q5"):
            evaluated(tmp_path, server.url, plan=plan)
        assert server.calls == []


def test_answers_of_another_tool_are_judged_like_any_other(tmp_path):
    jsonl(tmp_path / "one.jsonl", [{"id": f"q{i}", "answer": "a better one"} for i in range(6)])
    with serve(answering) as server:
        plan = small(tmp_path, server.url, "arena", arms={"bpo": {"kind": "answers", "path": "{target}.jsonl"}})
        scores = evaluated(tmp_path, server.url, plan=plan)
    assert cell(scores, "arena", "bpo")["figures"][0]["value"] == 100
    assert cell(scores, "arena", "bpo")["cost"]["usd"] is None


def test_a_baseline_that_misses_questions_is_refused(tmp_path):
    with serve(answering) as server:
        plan = small(tmp_path, server.url, "arena")
        jsonl(tmp_path / "gpt-4-0314.jsonl", [{"id": "q0", "answer": "x"}])
        with pytest.raises(InputError, match=r"gpt-4-0314\.jsonl has no answer to 5 of 6 questions"):
            evaluated(tmp_path, server.url, plan=plan)


def test_questions_without_a_verdict_are_left_out_for_every_arm_and_named(tmp_path):
    def undecided(body):
        text = body["messages"][1]["content"] if len(body["messages"]) > 1 else ""
        return "Hard to say." if "haiku" in text and "better" in text else answering(body)

    with serve(undecided) as server:
        scores = evaluated(tmp_path, server.url, "arena")
    suffix, none = cell(scores, "arena", "suffix"), cell(scores, "arena", "none")
    assert suffix["unjudged"] == {"unparseable": 2, "refused": 0, "error": 0}
    assert suffix["missing"] == ["q1"]
    assert none["missing"] == []
    assert suffix["n"] == none["n"] == 5


def test_a_judge_that_answers_nothing_leaves_no_score_and_no_nan(tmp_path):
    def mute(body):
        return "…" if body["messages"][0]["role"] == "system" else answering(body)

    with serve(mute) as server:
        scores = evaluated(tmp_path, server.url, "arena")
    suffix = cell(scores, "arena", "suffix")
    assert (suffix["n"], suffix["figures"], suffix["effect"]) == (0, [], None)
    assert suffix["unjudged"]["unparseable"] == 12
    assert "NaN" not in (tmp_path / "run" / "scores.json").read_text()


def test_the_second_generation_leads_with_style_control(tmp_path):
    with serve(answering) as server:
        content = config(tmp_path, server.url, arms=SUFFIX)
        arena = content["benchmarks"]["arena"] | {"generation": "v2.0"}
        plan = Plan.parse(content | {"benchmarks": {"arena": arena}}, tmp_path)
        scores = evaluated(tmp_path, server.url, plan=plan)
    assert [f["key"] for f in cell(scores, "arena", "suffix")["figures"]] == ["style_controlled", "score"]
    folder = tmp_path / "run" / "upstream" / "arena"
    assert "uid" in rows(folder / "model_answer" / "one--suffix.jsonl")[0]
    assert rows(folder / "model_judgment" / "scripted" / "one--suffix.jsonl")[0]["baseline"] == "gpt-4-0314"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"targets": {}}, "targets is missing"),
        ({"arms": {"x": {"kind": "magic"}}}, "arms.x.kind is 'magic'"),
        ({"arms": {"x": {"kind": "pas", "modle": "m"}}}, "arms.x has no setting 'modle'"),
        ({"arms": {"x": {"kind": "answers"}}}, "arms.x has no path"),
        ({"arms": {"x": "pas"}}, "arms.x is 'pas'"),
        ({"arms": {"none": {"kind": "pas"}}}, "arms.none is of kind pas"),
        ({"limit": "all"}, "limit is 'all'"),
        ({"benchmarks": {"b": {"kind": "arena_hard", "questions": "q"}}}, "benchmarks.b has no baseline"),
        ({"benchmarks": {"b": {"kind": "own", "questions": "q", "generation": "v3"}}}, "generation is 'v3'"),
        ({"judging": {"attempts": 0}}, "attempts is 0"),
        ({"judge": {"model": "m", "base_url": "ftp://x"}}, "judge: base_url is 'ftp://x'"),
        ({"budget": 3}, "has no setting 'budget'"),
    ],
)
def test_a_configuration_that_does_not_fit_is_named(tmp_path, changes, said):
    with pytest.raises(ConfigError, match=said):
        Plan.parse(config(tmp_path, "http://127.0.0.1:1/v1", **changes), tmp_path)
