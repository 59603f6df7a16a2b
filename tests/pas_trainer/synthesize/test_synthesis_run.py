"""The stage end to end against the scripted teacher, and everything that can go wrong on the way."""

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthesis import QUIET, endpoint, plan, read, write_rows

from pas_middleware.errors import ConfigError, InputError
from pas_trainer.llm import BudgetReached, EndpointError, Store, client
from pas_trainer.llm.pace import Pace
from pas_trainer.stages import Record
from pas_trainer.synthesize import synthesize
from pas_trainer.synthesize.prompts import read_prompts
from pas_trainer.synthesize.run import Unfinished, answers_file, estimate
from pas_trainer.testing import Faults, serve
from pas_trainer.testing.golden import golden, pairs


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """No waiting between attempts."""
    monkeypatch.setattr(client, "Pace", lambda: Pace(sleep=lambda seconds: None))


def judges_malformed(times):
    """Return a teacher whose first so many verdicts are no JSON."""
    left = [times]

    def answering(body):
        if "<complement>" in body["messages"][-1]["content"] or "cannot be read" in body["messages"][-1]["content"]:
            left[0] -= 1
            if left[0] >= 0:
                return "I would say that it is fine."
        return golden(body)

    return answering


def test_prompts_become_pairs_with_their_history(tmp_path, prompts):
    with serve(golden) as server:
        record = synthesize(plan(server.url), prompts, tmp_path / "out", QUIET)
    rows, asked = read(tmp_path / "out" / "pairs.jsonl"), read(prompts)
    assert [row["id"] for row in rows] == [row["id"] for row in asked]  # in the order of the prompts
    assert read(tmp_path / "out" / "rejected.jsonl") == []
    for row in rows:
        pair = pairs()[row["prompt"]]
        assert row["complement"] == pair["complement"]
        assert [each["complement"] for each in row["rejected"]] == (
            [pair["bad_complement"]] if pair.get("flaw") else []
        )
        assert row["rounds"] == 1 + len(row["rejected"])
    assert record.counts == {"prompts": 20, "kept": 20, "left_alone": 0}
    assert record.figures["rounds"] == {"1": 15, "2": 5}
    assert sum(record.figures["flaws"].values()) == 5
    assert record.figures["calls"] == len(server.calls)


def test_a_finished_folder_asks_nothing(tmp_path, prompts):
    with serve(golden) as server:
        first = synthesize(plan(server.url), prompts, tmp_path / "out", QUIET)
        calls = len(server.calls)
        assert synthesize(plan(server.url), prompts, tmp_path / "out", QUIET) == first
    assert len(server.calls) == calls


def test_other_settings_in_an_old_folder_are_refused_and_redo_does_not_pay_again(tmp_path, prompts):
    with serve(golden) as server:
        synthesize(plan(server.url), prompts, tmp_path / "out", QUIET)
        calls, before = len(server.calls), read(tmp_path / "out" / "pairs.jsonl")
        with pytest.raises(ConfigError, match="rounds 3, not 4"):
            synthesize(plan(server.url, rounds=4), prompts, tmp_path / "out", QUIET)
        assert read(tmp_path / "out" / "pairs.jsonl") == before
        synthesize(plan(server.url, rounds=4), prompts, tmp_path / "out", QUIET, redo=True)
    assert read(tmp_path / "out" / "pairs.jsonl") == before
    assert len(server.calls) == calls


def test_another_pace_or_price_is_the_same_run(tmp_path, prompts):
    with serve(golden) as server:
        made = plan(server.url)
        first = synthesize(made, prompts, tmp_path / "out", QUIET)
        faster = replace(made, generator=replace(made.generator, concurrency=9, usd_per_million_input=1.0))
        assert synthesize(faster, prompts, tmp_path / "out", QUIET) == first


def test_different_models_write_and_judge(tmp_path, prompts):
    with serve(golden, models=("writer", "judge")) as server:
        made = plan(server.url, critic=endpoint(server.url, model="judge"))
        synthesize(replace(made, generator=replace(made.generator, model="writer")), prompts, tmp_path / "out", QUIET)
    for call in server.calls:
        judging = "<complement>" in call.body["messages"][-1]["content"]
        assert call.body["model"] == ("judge" if judging else "writer")


def test_fifty_malformed_verdicts_keep_nothing_unjudged(tmp_path, prompts):
    with serve(judges_malformed(50)) as server:
        record = synthesize(plan(server.url), prompts, tmp_path / "out", QUIET)
    kept, dropped = read(tmp_path / "out" / "pairs.jsonl"), read(tmp_path / "out" / "rejected.jsonl")
    assert len(kept) + len(dropped) == 20
    assert 1 <= len(dropped) <= 50 // 3
    assert {row["why"] for row in dropped} == {"critic_malformed"}
    assert all(row["rounds"][-1]["by"] == "nobody" for row in dropped)
    assert record.rejected == {"critic_malformed": len(dropped)}


@pytest.mark.parametrize("faults", ["timeout:5%", "rate_limit:200", "error:10%", "truncated:10%"])
def test_weather_changes_no_row(tmp_path, prompts, faults):
    with serve(golden, faults=[Faults.parse(faults)]) as server:
        synthesize(plan(server.url), prompts, tmp_path / "out", QUIET)
    rows = read(tmp_path / "out" / "pairs.jsonl")
    assert [row["complement"] for row in rows] == [pairs()[row["prompt"]]["complement"] for row in read(prompts)]
    fault = faults.partition(":")[0]
    assert server.stats()[fault] > 0


@pytest.mark.parametrize(("fault", "reason"), [("empty", "empty"), ("refusal", "refused"), ("length", "truncated")])
def test_answers_that_are_none_drop_their_row_alone(tmp_path, prompts, fault, reason):
    with serve(golden, faults=[Faults(fault, count=6)]) as server:
        made = plan(server.url, attempts=2)
        synthesize(replace(made, generator=replace(made.generator, concurrency=1)), prompts, tmp_path / "out", QUIET)
    kept, dropped = read(tmp_path / "out" / "pairs.jsonl"), read(tmp_path / "out" / "rejected.jsonl")
    assert {row["why"] for row in dropped} == {f"generator_{reason}"}
    assert all(row["complement"] == pairs()[row["prompt"]]["complement"] for row in kept)
    assert len(kept) + len(dropped) == 20


@pytest.mark.parametrize("reason", ["wrong_key", "unknown_model", "html"])
def test_an_endpoint_that_fails_midway_loses_nothing(tmp_path, prompts, reason, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    with serve(golden, key="right") as server:
        made = plan(server.url)
        synthesize(replace(made, limit=10), prompts, tmp_path / "out", QUIET)
        paid = len(server.calls)
        if reason == "wrong_key":
            monkeypatch.setenv("OPENAI_API_KEY", "wrong")
        if reason == "html":
            server.faults = [Faults("html", count=10_000)]
        if reason == "unknown_model":
            server.models = ("another",)
        broken = replace(made, generator=replace(made.generator, retries=0))
        with pytest.raises(EndpointError) as failed:
            synthesize(broken, prompts, tmp_path / "out", QUIET, redo=True)
        assert failed.value.reason == reason
        assert len(read(tmp_path / "out" / "pairs.jsonl")) == 10
        assert not Record.read(tmp_path / "out").finished
        monkeypatch.undo()
        monkeypatch.setenv("OPENAI_API_KEY", "right")
        server.faults, server.models = (), ("scripted",)
        before = len(server.answered)
        synthesize(made, prompts, tmp_path / "out", QUIET)
    assert len(read(tmp_path / "out" / "pairs.jsonl")) == 20
    assert len(server.answered) - before < 2 * paid


def test_rows_without_an_answer_are_named_and_asked_in_the_next_run(tmp_path, prompts):
    lost = read(prompts)[3]["prompt"]
    with serve(golden) as server:
        server.faults = lambda number, body: "error" if lost in body["messages"][-1]["content"] else None
        made = plan(server.url)
        made = replace(made, generator=replace(made.generator, retries=1))
        with pytest.raises(Unfinished, match=r"1 of 20 prompts .*server_error 1"):
            synthesize(made, prompts, tmp_path / "out", QUIET)
        done = read(tmp_path / "out" / "pairs.jsonl")
        assert [row["id"] for row in done] == [row["id"] for row in read(prompts) if row["prompt"] != lost]
        server.faults = ()
        before = len(server.calls)
        synthesize(made, prompts, tmp_path / "out", QUIET)
    assert len(server.calls) - before == 4  # it gets a wrong complement first: two rounds
    assert len(read(tmp_path / "out" / "pairs.jsonl")) == 20


def test_the_budget_stops_hard_and_a_higher_one_goes_on(tmp_path, prompts):
    with serve(golden) as server:
        made = plan(server.url)
        priced = {"usd_per_million_input": 1.0, "usd_per_million_output": 4.0}
        made = replace(made, generator=replace(made.generator, **priced), critic=replace(made.critic, **priced))
        with pytest.raises(BudgetReached):
            synthesize(made, prompts, tmp_path / "out", replace(QUIET, max_usd=0.06))
        paid = len(server.calls)
        assert paid > 4
        with Store(answers_file(tmp_path / "out")) as store:
            assert 0 < store.totals().usd <= 0.06
        record = synthesize(made, prompts, tmp_path / "out", replace(QUIET, max_usd=5))
    assert len(read(tmp_path / "out" / "pairs.jsonl")) == 20
    assert record.figures["calls"] == len(server.calls)  # none twice
    assert record.usd == pytest.approx(sum(cost(body) for body in server.answered), abs=1e-5)


def cost(body):
    from pas_trainer.testing.server import completion_of

    usage = completion_of(body, golden(body))["usage"]
    return (usage["prompt_tokens"] * 1.0 + usage["completion_tokens"] * 4.0) / 1e6


def test_a_full_disk_stops_before_paying_and_the_rest_is_kept(tmp_path, prompts, monkeypatch):
    with serve(golden) as server:
        made = plan(server.url)
        synthesize(replace(made, limit=5), prompts, tmp_path / "out", QUIET)
        paid = len(server.calls)
        with monkeypatch.context() as full:
            full.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
            with pytest.raises(InputError) as failed:
                synthesize(made, prompts, tmp_path / "out", QUIET, redo=True)
        assert failed.value.reason == "disk_full"
        assert len(server.calls) == paid
        synthesize(made, prompts, tmp_path / "out", QUIET)
    assert len(read(tmp_path / "out" / "pairs.jsonl")) == 20


def test_a_dry_run_asks_nothing_and_knows_what_is_left(tmp_path, prompts):
    with serve(golden) as server:
        made = plan(server.url)
        first = estimate(made, prompts, tmp_path / "out")
        assert server.calls == []
        assert (first["open"], first["least"].calls, first["most"].calls) == (20, 40, 120)
        synthesize(replace(made, limit=15), prompts, tmp_path / "out", QUIET)
        assert estimate(made, prompts, tmp_path / "out")["open"] == 5


def test_curated_parquet_is_read_by_its_folder(tmp_path, prompts):
    rows = [{**row, "source": "x", "quality": 7.0} for row in read(prompts)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "prompts.parquet")
    assert read_prompts(tmp_path) == read_prompts(prompts)
    assert len(read_prompts(tmp_path, limit=3)) == 3


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('{"prompt": "a b"}\nnot json', "line 2: not JSON"),
        ('{"prompt": "a b"}\n[1]', "line 2: not an object"),
        ('{"text": "a b"}', "line 1: prompt is None"),
        ('{"prompt": "  "}', "line 1: prompt is empty"),
        ('{"prompt": "a", "id": "1"}\n{"prompt": "b", "id": "1"}', "id '1' is also that of"),
        ("\n\n", "holds no prompt"),
    ],
)
def test_a_row_that_is_no_prompt_is_named(tmp_path, lines, message):
    (tmp_path / "p.jsonl").write_text(lines)
    with pytest.raises(InputError, match=message):
        read_prompts(tmp_path / "p.jsonl")


def test_of_equal_prompts_without_an_id_the_first_counts(tmp_path):
    write_rows(tmp_path / "p.jsonl", [{"prompt": "a b"}, {"prompt": "a c"}, {"prompt": "a b"}])
    assert [row.prompt for row in read_prompts(tmp_path / "p.jsonl")] == ["a b", "a c"]


def test_files_that_hold_no_prompts_are_named(tmp_path):
    with pytest.raises(InputError, match="no prompts at"):
        read_prompts(tmp_path / "nowhere.jsonl")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match="as Parquet"):
        read_prompts(tmp_path / "x.parquet")
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "y.parquet")
    with pytest.raises(InputError, match="no column 'prompt'"):
        read_prompts(tmp_path / "y.parquet")
    (tmp_path / "z.jsonl").write_bytes(b'{"prompt": "\xff"}')
    with pytest.raises(InputError, match="not UTF-8"):
        read_prompts(tmp_path / "z.jsonl")


def test_half_a_surrogate_pair_can_be_sent(tmp_path):
    write_rows(tmp_path / "p.jsonl", [])
    (tmp_path / "p.jsonl").write_text(json.dumps({"prompt": "What is \ud83d?"}))
    assert read_prompts(tmp_path / "p.jsonl")[0].prompt == "What is ??"
