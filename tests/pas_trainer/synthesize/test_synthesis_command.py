"""`pas synthesize` as typed."""

import json

import pytest
from synthesis import read
from typer.testing import CliRunner

from pas_middleware.errors import ConfigError
from pas_trainer.synthesize.command import app, plan_of
from pas_trainer.testing import serve
from pas_trainer.testing.golden import golden


def run(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)


def test_prompts_in_pairs_out(tmp_path, prompts):
    with serve(golden) as server:
        args = (prompts, "--out", tmp_path / "out", "--model", "scripted", "--base-url", server.url, "--limit", 6)
        dry = run(*args, "--dry-run")
        assert "6 prompts, 6 open" in dry.stdout
        assert server.calls == []
        done = run(*args)
        assert "6 of 6 prompts kept" in done.stdout
        again = run("run", *args, "--json")
    assert json.loads(again.stdout)["counts"] == {"prompts": 6, "kept": 6, "left_alone": 0}
    assert len(read(tmp_path / "out" / "pairs.jsonl")) == 6


def test_the_critic_is_reported(tmp_path):
    labelled = tmp_path / "labelled.jsonl"
    row = {
        "prompt": "why is the sky blue",
        "complement": "Start from scattering.",
        "category": "open_qa",
        "language": "en",
    }
    bad = {"bad_complement": "用中文回答。", "flaw": "wrong_language", "reason": "It is Chinese."}
    labelled.write_text(json.dumps(row | bad))
    with serve(golden) as server:
        args = ("critic-report", "--model", "scripted", "--base-url", server.url, "--labelled", labelled)
        shown = run(*args, "--answers", tmp_path / "a.sqlite")
        found = json.loads(run(*args, "--answers", tmp_path / "a.sqlite", "--json").stdout)
    assert "caught by the guard, unpaid | 100.0%" in shown.stdout
    assert (found["recall"]["share"], found["guard_share_of_catch"]["share"]) == (1.0, 1.0)
    assert len(server.calls) == 1


def test_a_configuration_file_names_both_models_and_options_go_before_it(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(
        "generator: {model: writer, base_url: 'http://127.0.0.1:1/v1', temperature: 0.7}\n"
        "critic: {model: judge, base_url: 'http://127.0.0.1:2/v1'}\nrounds: 2\n"
    )
    plan = plan_of(file)
    assert (plan.generator.model, plan.critic.model, plan.rounds) == ("writer", "judge", 2)
    plan = plan_of(file, "strict", 5, model="other", concurrency=3)
    assert (plan.generator.model, plan.critic.model, plan.rounds) == ("other", "strict", 5)
    assert (plan.generator.concurrency, plan.critic.concurrency) == (3, 3)
    assert plan.critic.base_url == "http://127.0.0.1:2/v1"


def test_one_model_writes_with_its_temperature_and_judges_without():
    plan = plan_of(None, model="m", temperature=0.7)
    assert (plan.critic.model, plan.generator.temperature, plan.critic.temperature) == ("m", 0.7, 0.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("generator: [", "cannot be read"),
        ("- a", "holds no settings"),
        ("rounds: 3", "No model is named"),
        ("generator: {model: m, speed: 3}", "no setting 'speed'"),
        ("generator: {model: m}\nround: 3", "no setting 'round'"),
        ("generator: {model: m}\nrounds: 0", "rounds is 0"),
        ("generator: {model: m}\nlimit: -1", "limit is -1"),
        ("generator: {model: m}\ncritic: 3", "An endpoint is 3"),
        ("generator: m", "An endpoint is 'm'"),
        ("generator: {model: m}\nrounds: many", "rounds is 'many'"),
        ("generator: {model: m, timeout_s: soon}", "settings do not fit"),
    ],
)
def test_settings_that_do_not_fit_are_named(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        plan_of(tmp_path / "c.yaml")
