"""`pas bench` measures real augmentations; what it measures is not asserted, which belongs on a quiet machine."""

import json
import statistics

from typer.testing import CliRunner

from pas_middleware import PAS, ScriptedModel
from pas_middleware.cli import bench
from pas_middleware.cli.app import app
from pas_middleware.cli.inputs import UNHURRIED


def test_prompts_have_their_length_and_are_all_different():
    for words in bench.LENGTHS:
        prompts = [bench.prompt_of(words, number) for number in range(50)]
        assert {len(p.split()) for p in prompts} == {words}
        assert len(set(prompts)) == 50


def test_every_action_is_timed_on_prompts_of_its_own():
    asked = {"a": [], "b": []}
    found = bench.side_by_side({name: seen.append for name, seen in asked.items()}, 20, 30)
    assert found.keys() == asked.keys()
    assert not set(asked["a"]) & set(asked["b"])
    assert len(asked["a"]) == len(set(asked["a"])) >= 30


def test_timing_sums_up():
    values = [float(v) for v in range(101)]
    timing = bench.Timing.of(values)
    assert (timing.q1, timing.p50, timing.q3, timing.p99) == (25.0, statistics.median(values), 75.0, 99.0)


def test_batches_are_asked_at_once_and_one_by_one():
    model = ScriptedModel()
    with PAS(model, UNHURRIED) as pas:
        bench.batch_of_32(pas, 3)
    assert sorted({len(call) for call in model.calls}) == [1, 32]


def test_command_prints_each_length_and_names_the_machine():
    result = CliRunner().invoke(app, ["bench", "--rounds", "20", "--json"])
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["model"].startswith("pas-mini@")
    assert record["ms"].keys() == {str(words) for words in bench.LENGTHS}
    assert all(0 < t["q1"] <= t["p50"] <= t["q3"] <= t["p99"] for t in record["ms"].values())
    assert "Python" in record["machine"]
