"""The report of a synthesis in a browser: outcomes, flaws, spend, and samples in which nothing acts."""

import json

import pytest
from synthesis import QUIET, endpoint, plan, write_rows
from typer.testing import CliRunner

from browser import Chromium
from pas_middleware.cli.app import app
from pas_trainer.synthesize import synthesize
from pas_trainer.testing import serve
from pas_trainer.testing.golden import golden, pairs

HOSTILE = '<script>alert(1)</script><img src="https://example.com/x.png" onerror="alert(2)"> how do I bake bread?'
STUBBORN = "how do I repair a bicycle tyre?"


def teacher(body):
    """Answer as the golden teacher does, but write for one prompt what its critic never keeps."""
    asked = "".join(message["content"] for message in body["messages"][-3:])
    if STUBBORN not in asked:
        return golden(body)
    if "<complement>" in body["messages"][-1]["content"]:
        return json.dumps({"reason": "It repairs nothing.", "flaw": "superfluous", "verdict": "reject"})
    return json.dumps({"complement": f"Say it in {len(body['messages'])} steps and name the tools."})


@pytest.fixture
def made(tmp_path):
    known = list(pairs().values())
    chosen = [
        *[pair for pair in known if pair["complement"] and not pair.get("flaw")][:6],
        *[pair for pair in known if pair["complement"] and pair.get("flaw") and pair["flaw"] != "wrong_language"][:3],
        *[pair for pair in known if not pair["complement"]][:1],
        {"prompt": HOSTILE, "category": "advice", "language": "en"},
        {"prompt": STUBBORN, "category": "advice", "language": "en"},
    ]
    rows = [{key: pair[key] for key in ("prompt", "category", "language")} for pair in chosen]
    prompts = write_rows(tmp_path / "prompts.jsonl", rows)
    with serve(teacher) as server:
        priced = endpoint(server.url, usd_per_million_input=1000, usd_per_million_output=1000)
        synthesize(plan(server.url, critic=priced, rounds=2), prompts, tmp_path / "out", QUIET)
    return tmp_path / "out"


def test_the_page_shows_rounds_flaws_spend_and_samples(made, chromium: Chromium):
    result = CliRunner().invoke(app, ["report", str(made)])
    assert result.exit_code == 0, result.output
    seen = chromium.open((made / "report.html").as_uri())
    seen.wait_for_load_state("networkidle")
    seen.screenshot(path=made / "page.png", full_page=True)
    assert chromium.problems == []
    assert seen.locator("script").count() == 0
    assert seen.inner_text("h1") == "Synthesis of complements"
    headings = seen.locator("h2").all_inner_texts()
    assert headings == ["Rounds", "Flaws", "Spend", "Categories and languages", "Samples", "Settings"]
    assert seen.evaluate("[...document.images].map(i => i.naturalWidth > 300)") == [True] * 2
    tables = [[line.split("\t") for line in table.inner_text().split("\n")] for table in seen.locator("table").all()]
    assert ["kept in round 2", "3", "25"] in tables[0]
    assert ["dropped: rejected", "1", "8.33"] in tables[0]
    assert ["critic: superfluous", "3"] in [row[:2] for row in tables[1]]
    spend = dict(row for row in tables[2][1:])
    record = json.loads((made / "stage.json").read_text())
    assert record["usd"] > 0
    assert f"{record['usd']:.4f} USD" in seen.inner_text("body")
    assert spend["calls"] == str(record["figures"]["calls"])


def test_samples_tell_what_was_rejected_why_and_what_was_kept(made, chromium: Chromium):
    CliRunner().invoke(app, ["report", str(made)])
    seen = chromium.open((made / "report.html").as_uri())
    titles = seen.locator("summary").all_inner_texts()
    assert {"Kept (7)", "Kept after rejections (3)", "Left alone (1)", "Dropped: rejected (1)"} <= set(titles)
    for title in seen.locator("summary").all():
        title.click()
    quotes = seen.locator("blockquote").all_inner_texts()
    dropped = next(text for text in quotes if STUBBORN in text)
    assert dropped.count("✗") == 2
    assert "[critic: superfluous: It repairs nothing.]" in dropped
    assert "✓" not in dropped
    hostile = next(text for text in quotes if "bake bread" in text)
    assert hostile.startswith(HOSTILE)
    assert chromium.problems == []
