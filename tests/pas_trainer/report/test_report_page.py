"""Report pages: self-contained, escaped, the same for the same data, looked at in a browser."""

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from browser import Chromium
from pas_middleware.errors import ConfigError
from pas_trainer.report import Page, Sample, bars
from pas_trainer.report.command import page_of
from pas_trainer.report.page import shown

HOSTILE = '<script>alert(1)</script><img src="https://example.com/x.png" onerror="alert(2)">'


def page():
    figure = Figure(figsize=(4, 2))
    figure.subplots().bar(["raw", "kept"], [10, 4])
    made = Page(f"Run {HOSTILE}", "10 prompts")
    made.section("Funnel", f"Text {HOSTILE}")
    made.table(("stage", "kept", "share"), [(HOSTILE, 12345, 0.5), ("near", 4, None)], [("", 1), (HOSTILE, 2)])
    made.figure(figure, "bars")
    made.figure(figure, "dots", "A caption", form="png")
    made.samples("Rejected", [Sample(f"你好 \ud800 {HOSTILE}", HOSTILE)])
    return made


def test_bars_stand_in_order_with_their_counts():
    axes = bars({"raw": 12_000, "kept": 7}, "prompts").axes[0]
    assert [bar.get_width() for bar in axes.patches] == [12_000, 7]
    assert {"12,000", "7"} <= {text.get_text() for text in axes.texts}
    assert axes.yaxis_inverted()
    assert all(tick == int(tick) for tick in axes.get_xticks())


def test_a_page_shows_its_parts_and_nothing_in_it_acts(chromium: Chromium, tmp_path):
    page().write(tmp_path / "report.html")
    seen = chromium.open((tmp_path / "report.html").as_uri())
    seen.wait_for_load_state("networkidle")
    seen.screenshot(path=tmp_path / "page.png", full_page=True)
    assert (tmp_path / "page.png").stat().st_size > 5000
    assert chromium.problems == []
    assert seen.inner_text("h1") == f"Run {HOSTILE}"
    assert seen.locator("td.n").all_inner_texts() == ["12,345", "0.5", "4", ""]
    assert seen.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 100)")
    assert seen.locator("th[colspan='2']").inner_text() == HOSTILE
    assert seen.locator("script").count() == 0
    seen.locator("summary").click()
    assert "你好" in seen.inner_text("blockquote")


def test_a_page_is_the_same_for_the_same_data():
    assert page().html() == page().html()


@pytest.mark.parametrize(
    ("cell", "text"),
    [(17_123, "17,123"), (0.98765, "0.988"), (1234.56, "1,234.6"), (None, ""), ("a", "a"), (True, "True")],
)
def test_cells_are_written_for_people(cell, text):
    assert shown(cell) == text


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (None, r"no stage\.json"),
        ({"name": "train", "finished": True}, "'train' has no report"),
        ({"name": "curate", "finished": False}, "not finished"),
    ],
)
def test_a_folder_without_a_report_is_told_why(tmp_path: Path, record, message):
    if record:
        whole = {"inputs": {}, "settings": {}, "version": "1"} | record
        (tmp_path / "stage.json").write_text(json.dumps(whole))
    with pytest.raises(ConfigError, match=message):
        page_of(tmp_path)
