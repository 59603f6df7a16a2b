"""Answers that come later: by files, filled in by anybody, and through the Batch API."""

import json
import random
from dataclasses import replace

import pytest
from synthesis import QUIET, endpoint, plan, read, write_rows

from pas_trainer.llm import BudgetReached, EndpointError, Store
from pas_trainer.synthesize import synthesize
from pas_trainer.synthesize.run import Unfinished, answers_file
from pas_trainer.testing import Faults, serve
from pas_trainer.testing.golden import golden, pairs
from pas_trainer.testing.server import completion_of


@pytest.fixture
def few(tmp_path, prompts):
    return write_rows(tmp_path / "few.jsonl", read(prompts)[:8])


def right(out, prompts):
    rows = read(out / "pairs.jsonl")
    return [row["complement"] for row in rows] == [pairs()[row["prompt"]]["complement"] for row in read(prompts)]


def filled(folder, answer):
    """Answer every request in a folder, in another order, into one more file; take the requests away."""
    lines = [line for file in sorted(folder.glob("requests-*.jsonl")) for line in read(file)]
    for file in folder.glob("requests-*.jsonl"):
        file.unlink()
    random.Random(0).shuffle(lines)
    write_rows(folder / f"answers-{len(lines)}.jsonl", [answer(line) for line in lines])
    return lines


def by_hand(line):
    return {"custom_id": line["custom_id"], "answer": golden(line["body"])}


def by_openai(line):
    body = completion_of(line["body"], golden(line["body"]))
    return {"id": "x", "custom_id": line["custom_id"], "response": {"status_code": 200, "body": body}, "error": None}


@pytest.mark.parametrize("answer", [by_hand, by_openai])
def test_files_go_out_and_come_back_until_all_is_decided(tmp_path, few, answer):
    made, out, desk = plan("http://127.0.0.1:9/v1"), tmp_path / "out", tmp_path / "desk"
    means, rounds = replace(QUIET, batch_out=desk, batch_in=desk), 0
    for _ in range(9):
        try:
            synthesize(made, few, out, means)
            break
        except Unfinished as unfinished:
            assert "still to come" in str(unfinished)
            rounds += bool(filled(desk, answer))
    assert rounds == 4  # written, judged; and the two that were wrong again
    assert right(out, few)


def test_a_request_file_is_what_openai_takes(tmp_path, few):
    with pytest.raises(Unfinished, match="requests-scripted-"):
        synthesize(plan("http://127.0.0.1:9/v1"), few, tmp_path / "out", replace(QUIET, batch_out=tmp_path / "desk"))
    (file,) = (tmp_path / "desk").iterdir()
    lines = read(file)
    assert len({line["custom_id"] for line in lines}) == 8
    for line in lines:
        assert line.keys() == {"custom_id", "method", "url", "body"}
        assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
        assert line["body"]["model"] == "scripted"


def test_an_answer_may_be_the_object_itself(tmp_path, few):
    made, out, desk = plan("http://127.0.0.1:9/v1"), tmp_path / "out", tmp_path / "desk"
    means = replace(QUIET, batch_out=desk, batch_in=desk)
    with pytest.raises(Unfinished):
        synthesize(made, few, out, means)
    filled(desk, lambda line: {"custom_id": line["custom_id"], "answer": json.loads(golden(line["body"]))})
    with pytest.raises(Unfinished):
        synthesize(made, few, out, means)
    (file,) = desk.glob("requests-*.jsonl")
    assert "<complement>" in read(file)[0]["body"]["messages"][-1]["content"]


def test_broken_failed_and_foreign_lines_shift_no_row(tmp_path, few):
    made, out, desk, said = plan("http://127.0.0.1:9/v1"), tmp_path / "out", tmp_path / "desk", []
    with pytest.raises(Unfinished):
        synthesize(made, few, out, replace(QUIET, batch_out=desk))
    lines = filled(desk, by_openai)
    (file,) = desk.glob("answers-*.jsonl")
    rows = file.read_text().split("\n")
    rows[0] = rows[0][:50]
    rows[1] = json.dumps({"custom_id": lines[1]["custom_id"], "response": None, "error": {"code": "batch_expired"}})
    rows[2] = json.dumps({"custom_id": "of another run", "answer": "x"})
    file.write_text("\n".join([*rows, "[1]", "null"]))
    with pytest.raises(Unfinished, match="8 answers"):
        synthesize(made, few, out, replace(QUIET, batch_in=desk, batch_out=desk, say=said.append))
    assert said[0] == "5 answers read, 1 failed, 1 of another run"
    assert "answers-8.jsonl, line 1" in said[1]
    asked = [line["body"]["messages"][-1]["content"] for file in desk.glob("requests-*") for line in read(file)]
    assert sum("<complement>" in text for text in asked) == 5  # five are judged, three asked for again
    assert len(asked) == 8


def test_the_batch_api_does_it_alone(tmp_path, few):
    with serve(golden, polls=2) as server:
        record = synthesize(plan(server.url), few, tmp_path / "out", replace(QUIET, batch=True, poll_s=0))
    assert right(tmp_path / "out", few)
    assert len(server.batches.made) == 4
    assert record.figures["calls"] == len(server.calls)


def test_two_models_get_a_file_each(tmp_path, few):
    made = plan("http://127.0.0.1:9/v1", critic=endpoint("http://127.0.0.1:9/v1", model="judge"))
    desk = tmp_path / "desk"
    means = replace(QUIET, batch_in=desk, batch_out=desk)
    with pytest.raises(Unfinished):
        synthesize(made, few, tmp_path / "out", means)
    lines = filled(desk, by_hand)
    (file,) = desk.glob("answers-*.jsonl")
    write_rows(file, read(file)[:-1])  # one is not written yet, the others are to be judged
    with pytest.raises(Unfinished):
        synthesize(made, few, tmp_path / "out", means)
    models = {file.name.split("-")[1]: {line["body"]["model"] for line in read(file)} for file in desk.glob("req*")}
    assert models == {"scripted": {"scripted"}, "judge": {"judge"}}
    assert len(lines) == 8


def test_requests_that_a_batch_failed_are_asked_again(tmp_path, few):
    with serve(golden, faults=[Faults("error", count=3)]) as server:
        synthesize(plan(server.url), few, tmp_path / "out", replace(QUIET, batch=True, poll_s=0))
    assert right(tmp_path / "out", few)
    assert server.stats()["error"] == 3


def test_a_batch_without_any_answer_ends_the_run(tmp_path, few):
    with (
        serve(golden, faults=[Faults("error", count=10_000)]) as server,
        pytest.raises(EndpointError, match="no answer"),
    ):
        synthesize(plan(server.url), few, tmp_path / "out", replace(QUIET, batch=True, poll_s=0))
    assert len(server.batches.made) == 1


class Stop(BaseException):
    """Stands for the end of the process."""


def test_a_batch_is_found_again_after_a_crash(tmp_path, few, monkeypatch):
    means = replace(QUIET, batch=True, poll_s=0)
    with serve(golden) as server:
        with monkeypatch.context() as crash:  # between making the batch and noting it
            crash.setattr(Store, "note_batch", stop)
            with pytest.raises(Stop):
                synthesize(plan(server.url), few, tmp_path / "out", means)
        with monkeypatch.context() as crash:  # while it is under way
            crash.setattr("pas_trainer.llm.batch_api.BatchApi._wait", stop)
            with pytest.raises(Stop):
                synthesize(plan(server.url), few, tmp_path / "out", means)
        assert len(server.batches.made) == 1
        synthesize(plan(server.url), few, tmp_path / "out", means)
    assert right(tmp_path / "out", few)
    assert len(server.batches.made) == 4
    assert len(server.calls) == len({json.dumps(call.body) for call in server.calls})


def stop(*_, **__):
    raise Stop


def test_an_endpoint_without_batches_is_named(tmp_path, few):
    with serve(golden) as server, pytest.raises(EndpointError, match="--batch-out"):
        made = plan(server.url.replace("/v1", "/v2"))
        synthesize(made, few, tmp_path / "out", replace(QUIET, batch=True, poll_s=0))


def test_a_batch_keeps_within_the_budget_at_its_own_price(tmp_path, few):
    means = replace(QUIET, batch=True, poll_s=0)
    with serve(golden) as server:
        made = plan(server.url)
        priced = {"usd_per_million_input": 1.0, "usd_per_million_output": 4.0, "batch_price": 0.5}
        made = replace(made, generator=replace(made.generator, **priced), critic=replace(made.critic, **priced))
        with pytest.raises(BudgetReached):
            synthesize(made, few, tmp_path / "out", replace(means, max_usd=0.008))
        with Store(answers_file(tmp_path / "out")) as store:
            assert 0 < store.totals().usd <= 0.008
        record = synthesize(made, few, tmp_path / "out", replace(means, max_usd=1.0))
    assert record.usd == pytest.approx(
        (record.figures["input_tokens"] + 4 * record.figures["output_tokens"]) / 2e6, abs=1e-5
    )
