"""The whole curation on real parts: what comes out, what it costs again, and its report in a browser."""

import errno
import json
import re
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import corpora
from browser import Chromium
from pas_middleware.cli.app import app
from pas_middleware.errors import ConfigError
from pas_trainer.batching import processors
from pas_trainer.curate import embedding, judge, quality, run, semantic, table
from pas_trainer.curate.engine import Ray
from pas_trainer.curate.reading import Reading
from pas_trainer.curate.run import Curation, Judging, Thresholds, curate
from pas_trainer.llm import BudgetReached, Endpoint
from pas_trainer.testing import serve


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpora")
    for name in ("lmsys", "wildchat"):
        pq.write_table(corpora.table(name, 70, seed=len(name)), folder / f"{name}.parquet")
    return folder


@pytest.fixture(scope="session")
def made(source, tmp_path_factory):
    """One curation that the tests only read."""
    out = tmp_path_factory.mktemp("out") / "curated"
    return out, curate(Curation(Reading((str(source),)), count=25), out)


def copied(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "curated")


@pytest.fixture
def out(made, tmp_path):
    """A folder to curate the same prompts in by other scores: vectors and categories are there already."""
    shutil.copytree(made[0] / "cache", tmp_path / "out" / "cache")
    return tmp_path / "out"


def test_every_prompt_is_kept_or_rejected_with_a_reason(made, source):
    out, record = made
    kept, gone = (pq.read_table(out / f"{name}.parquet") for name in ("prompts", "rejected"))
    assert len(kept) == 25
    assert len(kept) + len(gone) == 140
    assert len(set(kept.column("id").to_pylist() + gone.column("id").to_pylist())) == 140
    assert set(record.rejected) >= {"empty", "unsafe", "redacted", "language", "exact_duplicate", "not_selected"}
    assert all(re.fullmatch("[a-z_]+", reason) for reason in gone.column("reason").to_pylist())
    assert set(kept.column("category").to_pylist()) <= set(quality.bank().categories)
    assert min(kept.column("quality").to_pylist()) >= 4
    for row in gone.to_pylist():
        assert (row["duplicate_of"] is not None) == (row["reason"].endswith("duplicate") or row["reason"] == "crowded")
    assert list(record.counts) == [
        "read",
        "clean",
        "exact",
        "decontaminate",
        "near",
        "semantic",
        "quality",
        "select",
    ]
    assert record.inputs.keys() == {str(source)}


def test_the_same_again_does_nothing_and_gives_the_same(made, source, monkeypatch):
    out, record = made
    monkeypatch.setattr(run, "_Run", None)
    assert curate(Curation(Reading((str(source),)), count=25), out) == record


def test_the_same_elsewhere_gives_the_same(made, source, tmp_path):
    curate(Curation(Reading((str(source),)), count=25), tmp_path / "again")
    first, again = (pq.read_table(folder / "prompts.parquet") for folder in (made[0], tmp_path / "again"))
    assert first.equals(again)


def test_another_threshold_embeds_and_scores_nothing_again(made, source, tmp_path, monkeypatch):
    out = copied(made, tmp_path)
    other = Curation(Reading((str(source),)), count=25, thresholds=Thresholds(semantic=0.99), least=3.0)
    with pytest.raises(ConfigError, match=r"made with least 4\.0, not 3\.0"):
        curate(other, out)
    monkeypatch.setattr(embedding, "_encoded", lambda *_, **__: pytest.fail("embedded again"))
    monkeypatch.setattr(semantic, "neighbours", lambda *_: pytest.fail("searched again"))
    monkeypatch.setattr(run.cleaning, "clean", lambda *_: pytest.fail("cleaned again"))
    assert curate(other, out, redo=True).counts["select"] == 25


@pytest.mark.parametrize("step", ["_near", "_semantic", "_quality", "_finish"])
def test_a_killed_run_goes_on_from_its_last_step(made, source, tmp_path, monkeypatch, step):
    out = copied(made, tmp_path)
    number = {"_near": 5, "_semantic": 6, "_quality": 7, "_finish": 9}[step]
    (out / "stage.json").write_text(json.dumps(json.loads((out / "stage.json").read_text()) | {"finished": False}))
    for folder in (out / "steps").iterdir():
        if int(folder.name.split("-")[0]) >= number:
            (folder / "stage.json").unlink()
    monkeypatch.setattr(run.cleaning, "clean", lambda *_: pytest.fail("cleaned again"))
    record = curate(Curation(Reading((str(source),)), count=25), out)
    assert record.counts == made[1].counts
    assert pq.read_table(out / "prompts.parquet").equals(pq.read_table(made[0] / "prompts.parquet"))


def test_a_full_disk_stops_with_a_word_and_the_same_again_goes_on(source, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    curation = Curation(Reading((str(source),), limit=30), count=5)
    with monkeypatch.context() as patch:
        patch.setattr(table.pq, "write_table", full)
        with pytest.raises(ConfigError, match="No room is left"):
            curate(curation, tmp_path / "out")
    assert curate(curation, tmp_path / "out").counts["read"] == 30


def answering(body):
    prompt = body["messages"][-1]["content"]
    return json.dumps({"score": 4 + len(prompt) % 7, "category": "writing", "reason": "length"})


def test_an_llm_scores_all_and_a_stopped_run_pays_for_nothing_twice(source, out):
    with serve(answering) as server:
        endpoint = Endpoint("scripted", server.url, usd_per_million_input=1, usd_per_million_output=1)
        judged = Curation(Reading((str(source),)), count=20, judging=Judging(endpoint), categories="llm", least=5)
        with pytest.raises(BudgetReached):
            curate(judged, out, max_usd=0.02)
        paid = len(server.answered)
        record = curate(judged, out, max_usd=5)
        assert 0 < paid < len(server.answered) == record.figures["quality"]["asked"] == record.counts["semantic"]
        assert record.usd > 0.02
    kept = pq.read_table(out / "prompts.parquet")
    assert set(kept.column("category").to_pylist()) == {"writing"}
    assert min(kept.column("quality").to_pylist()) >= 5
    assert 0 < record.figures["quality"]["same_category"] < 1


def test_a_sample_of_scores_teaches_the_local_scorer(source, out):
    with serve(answering) as server:
        judging = Judging(Endpoint("scripted", server.url), sample=30)
        record = curate(Curation(Reading((str(source),)), count=20, judging=judging), out)
        assert len(server.answered) == 30
    figures = record.figures["quality"]
    assert (figures["sample"], figures["asked"]) == (30, 30)
    assert figures["mean_error_held_out"] > 0
    assert record.counts["select"] == 20


def test_a_cluster_that_does_not_answer_is_named():
    pytest.importorskip("ray").shutdown()  # one that runs would be used
    with pytest.raises(ConfigError, match=r"No Ray cluster answers at '127\.0\.0\.1:9'"):
        Ray("127.0.0.1:9")


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000)
    yield Ray()
    ray.shutdown()


def test_a_cluster_gives_what_this_process_gives(made, source, tmp_path, cluster):
    record = curate(Curation(Reading((str(source),)), count=25), tmp_path / "out", engine=cluster)
    assert (record.counts, record.rejected, record.figures) == (made[1].counts, made[1].rejected, made[1].figures)
    for name in ("prompts", "rejected"):
        here, there = (pq.read_table(folder / f"{name}.parquet") for folder in (made[0], tmp_path / "out"))
        rounded = [column for column in ("quality", "similarity") if column in here.column_names]
        assert there.drop_columns(rounded).equals(here.drop_columns(rounded))
        for column in rounded:  # with other numbers of threads, sums are taken in another order
            assert there.column(column).to_pylist() == pytest.approx(here.column(column).to_pylist(), abs=1e-3)
    here, there = (np.load(folder / run.VECTORS) for folder in (made[0], tmp_path / "out"))
    assert there == pytest.approx(here, abs=1e-3)


def test_a_task_uses_the_processors_that_it_was_given(cluster):
    rows = pa.table({"row": range(3)})
    found = cluster.map(rows, lambda part: pa.table({"count": [processors()] * len(part)}))
    assert found.column("count").to_pylist() == [1, 1, 1]


def test_the_report_is_a_page_without_a_fault(made, chromium: Chromium, tmp_path):
    result = CliRunner().invoke(app, ["report", str(made[0]), "--out", str(tmp_path / "report.html")])
    assert result.exit_code == 0, result.output
    page = chromium.open((tmp_path / "report.html").as_uri())
    page.wait_for_load_state("networkidle")
    page.screenshot(path=tmp_path / "report.png", full_page=True)
    assert chromium.problems == []
    headings = page.locator("h2").all_inner_texts()
    assert headings == ["Funnel", "Categories and languages", "Length and quality", "Map", "Samples", "Settings"]
    assert page.evaluate("[...document.images].map(i => i.naturalWidth > 300)") == [True] * 4
    assert "140 rows read, 25 prompts selected" in page.inner_text(".lead")
    titles = page.locator("summary").all_inner_texts()
    assert titles[0] == "Kept (25)"
    assert any(title.startswith("exact_duplicate (") for title in titles)
    page.locator("summary", has_text="exact_duplicate").click()
    assert corpora.TEMPLATE in page.locator("details[open] blockquote").first.inner_text()


def test_a_dry_run_counts_prices_and_writes_nothing(source, tmp_path):
    arguments = ["curate", str(source), "--out", str(tmp_path / "out"), "--dry-run", "--judge", "m", "--usd-input", "1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    counted = json.loads(result.output)
    assert (counted["read"], counted["calls_at_most"]) == (140, counted["distinct"])
    assert counted["read"] > counted["clean"] > counted["distinct"] > 50
    assert counted["usd_at_most"] > 0
    assert not (tmp_path / "out").exists()
    assert judge.estimate([], Endpoint("m")).calls == 0


def test_the_command_shows_the_steps_and_benchmarks(source, tmp_path):
    guarded = tmp_path / "bench.jsonl"
    guarded.write_text(json.dumps({"prompt": corpora.TEMPLATE}))
    arguments = [str(source), "--out", str(tmp_path / "out"), "--limit", "60", "--count", "500", "--benchmark"]
    result = CliRunner().invoke(app, ["curate", *arguments, str(guarded)])
    assert result.exit_code == 0, result.output
    shown = " ".join(result.output.split())
    assert "benchmarks: 1 prompts equal or near one of 1 questions" in shown
    assert "less than an even share; filled from the others" in shown
    again = CliRunner().invoke(app, ["curate", *arguments, str(guarded), "--count", "400"])
    assert isinstance(again.exception, ConfigError)
    assert "count 500, not 400" in str(again.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to curate"),
        (["x.jsonl", "--demo"], "nothing to curate"),
        (["x.jsonl"], r"no x\.jsonl"),
        (["x.jsonl", "--categories", "llm"], "verdict on every prompt"),
    ],
)
def test_unusable_commands_are_refused_before_anything_is_written(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["curate", *arguments])
    assert isinstance(result.exception, ConfigError)
    assert re.search(message, str(result.exception))
    assert list(tmp_path.iterdir()) == []
