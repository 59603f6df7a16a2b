"""The page on an evaluation shows what scores.json and differences.jsonl say, in a browser."""

import json

import pytest

from browser import Chromium
from pas_middleware.errors import ConfigError
from pas_trainer.evaluate.report import page
from pas_trainer.report.command import page_of
from pas_trainer.review.command import app as review
from pas_trainer.review.items import read_items
from pas_trainer.review.plan import make_plan
from pas_trainer.review.store import Store, beside
from pas_trainer.stages import Done, Stage

HOSTILE = "<script>alert(1)</script> $x$ \u2028"


def effect(value, half=1.0):
    return {"figure": "lc", "value": value, "low": value - half, "high": value + half, "n": 40, "n_needed": 123}


def figure(key, label, value, change):
    return {"key": key, "label": label, "value": value, "low": value - 2, "high": value + 2, "effect": change}


def cell(target, benchmark, arm, value, change):
    figures = [
        figure("lc", "Length-controlled win rate", value, change),
        figure("win_rate", "Win rate", value + 10, change),
        figure("discrete", "Discrete win rate", 99.9, change),
    ]
    cost = dict.fromkeys(("added_tokens", "seconds_change", "answer_tokens_change", "answer_chars_change"), 12.5)
    return {
        "target": target,
        "benchmark": benchmark,
        "arm": arm,
        "n": 40,
        "figures": figures if change or benchmark != "own" else [],
        "effect": change,
        "by_category": [{"category": c, "n": 20, "effect": change} for c in ("Maths", HOSTILE)] if change else [],
        "won": 9,
        "lost": 5,
        "tied": 26,
        "cost": cost | {"added_seconds": 0.004, "usd_change": None},
        "skipped": {"share": 0.25, "reasons": {"unsure": 10}},
        "unjudged": {"unparseable": 2, "refused": 0, "error": 0},
        "missing": ["q7"],
    }


def scores():
    changes = {"none": None, "suffix": effect(-3), "pas": effect(2)}
    cells = [
        cell(target, benchmark, arm, 40 + (change["value"] if change else 0), change)
        for target in ("llm-a", f"llm-b {HOSTILE}")
        for benchmark in ("AlpacaEval", "own")
        for arm, change in changes.items()
    ]
    cells[2]["effect"] = cells[2]["figures"][0]["effect"] = effect(0.5)
    kinds = {"AlpacaEval": "alpaca_eval", "own": "own"}
    return {
        "name": "june",
        "made": "2026-06-01T00:00:00",
        "version": "0.1.0",
        "judge": {"model": "judge-1", "prompt": "ours"},
        "decoding": {"temperature": 0.0},
        "targets": ["llm-a", f"llm-b {HOSTILE}"],
        "arms": [{"name": arm, "kind": arm} for arm in changes],
        "benchmarks": [{"name": n, "kind": k, "questions": 40, "baseline": "gpt-4"} for n, k in kinds.items()],
        "cells": cells,
        "intrinsic": [
            {
                "arm": "pas",
                "n": 40,
                "applied": 0.75,
                "valid": 1.0,
                "words": 21.0,
                "language": 1.0,
                "distinct": 0.9,
                "prefix": 1.0,
            }
        ],
        "spend": {"usd": 1.25},
    }


def difference(id, outcome, margin, arm="pas"):
    head = {
        "benchmark": "own",
        "id": id,
        "category": "c",
        "target": "llm-a",
        "arm": arm,
        "status": "applied",
        "reason": "",
    }
    texts = {
        "prompt": f"Prompt {id} {HOSTILE}",
        "complement": "Be exact.",
        "answer": f"with {id}",
        "answer_none": "without",
    }
    return head | texts | {"outcome": outcome, "margin": margin}


@pytest.fixture
def run(tmp_path):
    rows = [
        difference("q1", "won", 0.5),
        difference("q2", "lost", -0.5),
        difference("q3", "lost", -1.0),
        difference("q4", "tie", 0),
    ]
    folder = tmp_path / "june"

    def work(folder):
        (folder / "scores.json").write_text(json.dumps(scores()), encoding="utf-8")
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / "differences.jsonl").write_text(text, encoding="utf-8")
        return Done({})

    Stage("eval", {}, {}).run(folder, work)
    return folder


def test_the_page_shows_the_run(chromium: Chromium, run):
    page_of(run).write(run / "report.html")
    seen = chromium.open((run / "report.html").as_uri())
    seen.wait_for_load_state("networkidle")
    seen.screenshot(path=run / "page.png", full_page=True)
    assert chromium.problems == []
    tables = [[line.split("\t") for line in table.inner_text().split("\n")] for table in seen.locator("table").all()]
    # Of four places, pas helps on three, its interval around +0.5 holding zero; the suffix harms on all.
    assert tables[0][1:] == [["suffix", "0", "4", "0", "-3.0"], ["pas", "3", "0", "1", "+1.6"]]
    heads = seen.locator("table").nth(1).locator("th.g").all_inner_texts()
    assert heads == [
        "",
        "AlpacaEval: Length-controlled win rate",
        "AlpacaEval: Win rate",
        "own: Length-controlled win rate",
        "own: Win rate",
    ]
    first = seen.locator("table").nth(1).locator("tbody tr").first.locator("td").all_inner_texts()
    assert first[:4] == ["llm-a", "40.0", "37.0 (-3.0*)", "42.0 (+0.5)"]
    assert "99.9" not in seen.inner_text("body")
    assert "25%: unsure 10" in seen.inner_text("body")
    assert "unparseable 2; 1 questions left out" in seen.inner_text("body")
    assert seen.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 300)")
    assert seen.locator("img").count() == 4  # effects, categories of two benchmarks, costs
    titles = seen.locator("summary").all_inner_texts()
    assert [title.split(",")[0] for title in titles] == ["pas lost (-1.00)", "pas lost (-0.50)", "pas won (+0.50)"]
    seen.locator("summary").first.click()
    assert seen.locator("blockquote:visible").all_inner_texts()[1:] == ["Be exact.", "without", "with q3"]


def test_the_review_of_a_run_outlives_it_and_is_in_its_report(run):
    read = read_items(run)
    store = Store.create(beside(run), make_plan(list(read.items[0].arms), source=read.source), read.items)
    for number in range(1, store.total + 1):
        store.mark(store.task(number), "Ada", [("pas", 1)])
    html = page(run).html()
    assert "People&#x27;s judgement" in html
    assert "Reviewers: Ada 4 of 4" in html
    assert "an earlier run" not in html
    (run / "differences.jsonl").write_text(json.dumps(difference("q9", "won", 1)) + "\n", encoding="utf-8")
    assert "an earlier run" in page(run).html()


def test_a_run_without_scores_is_told(run):
    (run / "scores.json").unlink()
    with pytest.raises(ConfigError, match=r"scores\.json cannot be read"):
        page(run)


def test_the_review_of_a_run_is_started_beside_it(run):
    from typer.testing import CliRunner

    with pytest.raises(ConfigError, match="no review"):
        CliRunner().invoke(review, [str(run), "--results"], catch_exceptions=False)
    assert sorted(p.name for p in run.parent.iterdir()) == ["june"]
