"""`pas eval` as it is typed."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pas_middleware import PAS, Record, Settings
from pas_middleware.cli.app import app as pas
from pas_middleware.errors import ConfigError, InputError
from pas_trainer.evaluate import command
from pas_trainer.evaluate.plan import Plan
from pas_trainer.testing import serve
from scripted_eval import PROMPTS, answering, config, jsonl

runner = CliRunner()


@pytest.fixture
def server():
    with serve(answering) as running:
        yield running


def own(tmp_path):
    return jsonl(tmp_path / "prompts.jsonl", [{"prompt": p} for p in PROMPTS])


def quick(server, *more):
    return ["--target", "scripted", "--judge", "scripted", "--base-url", server.url, *map(str, more)]


def test_own_prompts_from_the_command_line(server, tmp_path):
    shown = runner.invoke(command.app, quick(server, "--own", own(tmp_path), "--out", tmp_path / "run", "--json"))
    scores = json.loads(shown.stdout)
    assert [c["arm"] for c in scores["cells"]] == ["none", "suffix", "pas-mini"]
    assert scores["cells"][1]["won"] == 6


def test_tables_name_figures_costs_and_losses(server, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    shown = runner.invoke(command.app, quick(server, "--own", own(tmp_path), "--out", tmp_path / "run"))
    assert shown.exit_code == 0, shown.output
    for text in ("Length-controlled win rate", "Win rate 100.0", "questions needed", "already_constrained", "USD"):
        assert text in shown.output


def test_dry_run_asks_nothing_and_prices_all(server, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    content = config(folder, server.url)
    (folder / "c.yaml").write_text(yaml.safe_dump(content))
    shown = runner.invoke(command.app, ["--config", str(folder / "c.yaml"), "--dry-run", "--json"])
    found = json.loads(shown.stdout)
    # 3 arms × 18 questions; the judge compares 3, 3 and 2 arms with the baselines, twice each.
    assert found["one"]["calls"] == 54
    assert found["judge"]["calls"] == (3 + 3 + 2) * 6 * 2
    assert found["all"]["usd"] == pytest.approx(found["one"]["usd"] + found["judge"]["usd"])
    assert found["all"]["usd"] > 0
    assert server.calls == []


def test_limit_takes_the_first_questions(server, tmp_path):
    arguments = quick(server, "--own", own(tmp_path), "--out", tmp_path / "run", "--limit", 2, "--json")
    assert json.loads(runner.invoke(command.app, arguments).stdout)["benchmarks"][0]["questions"] == 2


def test_the_papers_table_runs_as_it_stands(server, tmp_path, monkeypatch):
    """Six LLMs, three figures, every arm: the ready configuration, its endpoints replaced by the scripted server."""
    config(tmp_path, server.url)
    for folder in ("arena-hard-v0.1", "alpaca-eval-2"):
        (tmp_path / folder).mkdir()
    (tmp_path / "question.jsonl").rename(tmp_path / "arena-hard-v0.1" / "question.jsonl")
    (tmp_path / "gpt-4-0314.jsonl").rename(tmp_path / "arena-hard-v0.1" / "gpt-4-0314.jsonl")
    (tmp_path / "gpt4_1106_preview.json").rename(tmp_path / "alpaca-eval-2" / "gpt4_1106_preview.json")
    gamed = "model,preference,index,std_delta_len,instruction_difficulty,not_gamed_baseline\n"
    gamed += "".join(f"{m},0.{3 + i},{i},{i - 3},{i / 10},False\n" for m in "ab" for i in range(6))
    (tmp_path / "alpaca-eval-2" / "df_gamed.csv").write_text(gamed)
    content = Plan.content(command.READY / "paper.yaml")
    priced = runner.invoke(command.app, ["--config", "paper", "--data", str(tmp_path), "--dry-run", "--json"])
    assert json.loads(priced.stdout)["all"]["usd"] > 0
    for endpoint in (*content["targets"].values(), content["judge"]):
        endpoint |= {"base_url": server.url, "model": "scripted"}
    (tmp_path / "paper.yaml").write_text(yaml.safe_dump(content))
    arguments = ["--config", str(tmp_path / "paper.yaml"), "--out", str(tmp_path / "run"), "--limit", "5", "--json"]
    monkeypatch.setattr("pas_trainer.evaluate.effects.ROUNDS", 20)
    shown = runner.invoke(command.app, arguments)
    scores = json.loads(shown.stdout)
    assert len(scores["targets"]) == 6
    assert {(c["benchmark"], c["arm"]) for c in scores["cells"]} == {
        (b, a) for b in ("arena-hard-v0.1", "alpaca-eval-2") for a in ("none", "suffix", "pas-mini", "rewrite")
    }
    keys = {f["key"] for c in scores["cells"] for f in c["figures"]}
    assert keys == {"score", "style_controlled", "lc", "win_rate", "discrete"}
    assert all(c["n"] == 5 for c in scores["cells"])


def test_from_log_evaluates_what_was_recorded(server, tmp_path):
    path = tmp_path / "pas.jsonl"
    with PAS.load(settings=Settings(shadow=True, deadline_ms=60_000), record=Record(path, texts=True)) as shadowed:
        for prompt in PROMPTS:
            shadowed.augment(prompt)
    shown = runner.invoke(command.app, quick(server, "--from-log", path, "--out", tmp_path / "run", "--json"))
    scores = json.loads(shown.stdout)
    recorded = next(c for c in scores["cells"] if c["arm"] == "recorded")
    # What was shadowed is what is sent now; where nothing was proposed nothing is.
    assert (recorded["won"], recorded["tied"]) == (5, 1)
    assert recorded["skipped"]["reasons"] == {"nothing_recorded": 1}
    assert [c["arm"] for c in scores["cells"]] == ["none", "suffix", "pas-mini", "recorded"]


def test_a_record_without_texts_is_refused(server, tmp_path):
    path = tmp_path / "pas.jsonl"
    with PAS.load(record=Record(path)) as pas_mini:
        pas_mini.augment(PROMPTS[0])
    with pytest.raises(ConfigError, match="holds no texts"):
        runner.invoke(command.app, quick(server, "--from-log", path), catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "No target or no judge"),
        (["--target", "a", "--judge", "b"], "There is no question"),
        (["--config", "nowhere.yaml"], "cannot be read"),
        (["--target", "a", "--judge", "b", "--own", "x", "--from-log", "y"], "Both --own and --from-log"),
    ],
)
def test_what_is_missing_is_said(arguments, said):
    with pytest.raises(ConfigError, match=said):
        runner.invoke(command.app, arguments, catch_exceptions=False)


def test_intrinsic_scores_of_a_file(tmp_path):
    rows = [
        {"prompt": PROMPTS[2], "complement": "Define each term before using it."},
        {"prompt": PROMPTS[1], "complement": ""},
        {"prompt": PROMPTS[0], "complement": "先逐字审题。"},
        {"prompt": PROMPTS[3], "complement": "Define each term before using it."},
    ]
    shown = runner.invoke(command.app, ["intrinsic", str(jsonl(tmp_path / "c.jsonl", rows))])
    found = json.loads(shown.stdout)
    assert (found["n"], found["applied"]) == (4, 0.75)
    assert found["valid"] == found["language"] == pytest.approx(2 / 3)
    assert found["distinct"] == pytest.approx(2 / 3)
    assert found["words"] == pytest.approx((6 + 6 + 2.5) / 3)
    assert found["rejected"] == {"guard_language": 1}


def test_intrinsic_scores_with_a_judge(tmp_path):
    def marks(body):
        text = body["messages"][1]["content"]
        return "[[3,1]]" if text.index("Define") < text.index("thoroughly") else "[[1,3]]"

    rows = [{"prompt": p, "complement": "Define each term before using it."} for p in PROMPTS]
    with serve(marks) as server:
        arguments = ["intrinsic", str(jsonl(tmp_path / "c.jsonl", rows)), "--judge", "scripted"]
        shown = runner.invoke(command.app, [*arguments, "--base-url", server.url, "--out", str(tmp_path / "out")])
    judged = json.loads(shown.stdout)["judged"]
    assert judged["complement"]["excellent"]["value"] == 100
    assert judged["suffix"]["neutral"]["value"] == 100
    assert judged["unread"] == 0


def test_a_set_without_complements_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="row 1: no prompt or no complement"):
        runner.invoke(
            command.app, ["intrinsic", str(jsonl(tmp_path / "c.jsonl", [{"prompt": "a"}]))], catch_exceptions=False
        )


def judged(path, model, *verdicts):
    rows = [
        {"uid": f"q{i}", "model": model, "games": [{"score": a}, {"score": b}]} for i, (a, b) in enumerate(verdicts)
    ]
    return jsonl(path, rows)


def test_judgements_made_elsewhere_are_scored(tmp_path):
    # Won decisively and tied: 3.5 of 4; lost and won: 1 of 2.
    file = judged(tmp_path / "m.jsonl", "m", ("B>>A", "A=B"), ("A>B", "A>B"), ("B>A", None))
    answers = [{"uid": f"q{i}", "messages": [{"content": {"answer": "one two"}}]} for i in range(3)]
    (tmp_path / "model_answer").mkdir()
    for name in ("m", "base"):
        jsonl(tmp_path / "model_answer" / f"{name}.jsonl", answers)
    arguments = ["score", str(file), "--answers", str(tmp_path / "model_answer"), "--baseline", "base"]
    found = json.loads(runner.invoke(command.app, arguments).stdout)["m"]
    assert found["score"]["value"] == pytest.approx(100 * (3.5 + 1 + 1) / (4 + 2 + 1))
    assert found["without_verdict"] == ["q2"]
    # At equal style the fit says the same.
    assert found["style_controlled"]["value"] == pytest.approx(found["score"]["value"], abs=0.01)
    jsonl(tmp_path / "model_answer" / "base.jsonl", answers[:1])
    with pytest.raises(InputError, match=r"base\.jsonl has no answer to 2 of 3 questions: q1, q2"):
        runner.invoke(command.app, arguments, catch_exceptions=False)
    with pytest.raises(ConfigError, match="No baseline"):
        runner.invoke(command.app, arguments[:4], catch_exceptions=False)


@pytest.mark.shared
def test_annotations_made_elsewhere_are_scored(published):
    folder = published / "alpaca_eval"
    file, controls = folder / "annotations_alpaca-7b.json", folder / "df_gamed_equivalent.csv"
    shown = runner.invoke(command.app, ["score", str(file), "--controls", str(controls)])
    found = json.loads(shown.stdout)[str(file)]
    assert found["win_rate"] == pytest.approx(2.591450540223603, abs=1e-6)
    assert found["length_controlled"] == pytest.approx(5.875487163278986, abs=0.2)


@pytest.mark.shared
def test_the_table_of_the_published_scores(published):
    shown = runner.invoke(command.app, ["check", str(published)])
    lines = shown.stdout.split("\n")
    assert sum(line.startswith("| ") and not line.startswith(("| model", "| **")) for line in lines) == 12 + 19
    assert sum(line.startswith("| **widest gap**") for line in lines) == 2


def test_the_table_says_what_is_not_there(tmp_path):
    with pytest.raises(InputError, match="df_gamed"):
        runner.invoke(command.app, ["check", str(tmp_path)], catch_exceptions=False)


def test_the_command_is_part_of_pas():
    assert "--from-log" in runner.invoke(pas, ["eval", "--help"], env={"COLUMNS": "120"}).output
    assert Path(command.READY / "paper.yaml").is_file()
