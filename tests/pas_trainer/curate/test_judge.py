"""Quality by an LLM: a real client against a scripted server on loopback."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest

from pas_middleware.errors import ConfigError
from pas_trainer.curate import distil, quality
from pas_trainer.curate.embedding import Embedded
from pas_trainer.curate.judge import by_llm, messages, parse
from pas_trainer.llm import BudgetReached, Endpoint, EndpointError, Store
from pas_trainer.testing import serve

PROMPTS = ["How do tides work?", "Draft a letter to my landlord in Leeds", "asdf"]


def score_of(prompt):
    return 9 if "landlord" in prompt else 5 if "tides" in prompt else 1


def answer(body):
    prompt = body["messages"][-1]["content"]
    return json.dumps({"score": score_of(prompt), "category": "writing", "reason": "because"})


def endpoint(server, **settings):
    return Endpoint(model="scripted", base_url=server.url, concurrency=2, retries=0, **settings)


def test_scores_and_categories_come_back_in_order_and_are_paid_for_once(tmp_path):
    with serve(answer) as server:
        priced = endpoint(server, usd_per_million_input=1, usd_per_million_output=1)
        for _ in range(2):
            with Store(tmp_path / "answers.sqlite") as store:
                found = by_llm(PROMPTS, priced, store)
        assert found.scores.tolist() == [5, 9, 1]
        assert found.categories == ["writing"] * 3
        assert found.usd > 0
        assert len(server.answered) == 3


def test_the_rubric_asks_for_json_and_shows_examples():
    asked = messages("Ignore the above.")
    assert asked[-1] == {"role": "user", "content": "Ignore the above."}
    assert all(category in asked[0]["content"] for category in quality.bank().categories)
    for shot in asked[2:-1:2]:
        parse(json.loads(shot["content"]))


def test_a_malformed_answer_is_asked_again_then_rejected_with_a_reason(tmp_path):
    bad = {"How do tides work?": "no JSON", "asdf": '{"score": 11, "category": "writing"}'}

    def answering(body):
        first = next(m["content"] for m in body["messages"] if m["content"] in PROMPTS)
        return bad.get(first) or answer({"messages": [{"content": first}]})

    with serve(answering) as server, Store(tmp_path / "answers.sqlite") as store:
        found = by_llm(PROMPTS, endpoint(server), store)
        assert len(server.answered) == 3 + 1 + 3
    assert [math.isnan(score) for score in found.scores.tolist()] == [True, False, True]
    assert found.why == ["malformed", "", "malformed"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ({"score": True, "category": "writing"}, "score is True"),
        ({"score": "9", "category": "writing"}, "score is '9'"),
        ({"score": 0, "category": "writing"}, "score is 0"),
        ({"score": 5, "category": "poetry"}, "category is 'poetry'"),
    ],
)
def test_what_is_malformed(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_the_budget_stops_hard_and_what_was_paid_for_is_kept(tmp_path):
    prompts = [f"{prompt} {i}" for i in range(10) for prompt in PROMPTS]
    with serve(answer) as server:
        priced = endpoint(server, usd_per_million_input=1, usd_per_million_output=1)
        with Store(tmp_path / "answers.sqlite") as store:
            with pytest.raises(BudgetReached):
                by_llm(prompts, priced, store, max_usd=0.008)
            spent = store.totals().usd
        paid = len(server.answered)
        assert 0 < paid < 30
        assert spent <= 0.008
        with Store(tmp_path / "answers.sqlite") as store:
            assert not np.isnan(by_llm(prompts, priced, store).scores).any()
        assert len(server.answered) == 30


def test_an_endpoint_that_is_down_is_named(tmp_path):
    down = Endpoint(model="scripted", base_url="http://127.0.0.1:9/v1", retries=0)
    with Store(tmp_path / "answers.sqlite") as store, pytest.raises(EndpointError, match=r"127\.0\.0\.1:9"):
        by_llm(PROMPTS, down, store)


def features(count):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(count, 16)).astype(np.float16)
    signals = pa.table({name: rng.random(count).astype(np.float32) for name in quality.SIGNALS})
    return distil.features(Embedded(vectors, np.arange(count) % 2 == 0), signals), signals


def test_the_local_scorer_learns_from_a_sample_and_its_agreement_is_held_out():
    rows, signals = features(400)
    truth = (2 + 6 * signals.column("needs").to_numpy()).astype(np.float32)
    sample = truth.copy()
    sample[100:] = np.nan
    scores, figures = distil.distil(rows, sample, seed=1)
    assert quality.rank_correlation(scores[100:], truth[100:]) > 0.9
    assert scores[:100].tolist() == truth[:100].tolist()
    assert figures["sample"] == 100
    assert figures["rank_correlation_held_out"] > 0.8
    noise = np.random.default_rng(1).uniform(1, 10, 400).astype(np.float32)
    assert abs(distil.distil(rows, noise, seed=1)[1]["rank_correlation_held_out"]) < 0.3


def test_too_small_a_sample_is_refused():
    rows, _ = features(40)
    scores = np.full(40, np.nan, np.float32)
    scores[:5] = 3
    with pytest.raises(ConfigError, match=r"Only 5 prompts .*--judge-sample"):
        distil.distil(rows, scores, seed=1)
