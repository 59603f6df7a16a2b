"""The browser of the tests sees what a page does wrong, and leaves asyncio's loop to async tests."""

import asyncio
from pathlib import Path

from browser import Chromium


def test_a_sound_page_has_no_problems(chromium: Chromium, tmp_path: Path):
    (tmp_path / "page.html").write_text("<h1>Fine</h1><script>console.log('a remark')</script>", encoding="utf-8")
    page = chromium.open((tmp_path / "page.html").as_uri())
    assert page.inner_text("h1") == "Fine"
    assert chromium.problems == []


async def test_async_tests_run_beside_it():
    assert asyncio.get_running_loop().is_running()


def test_errors_and_requests_elsewhere_are_kept(chromium: Chromium, tmp_path: Path):
    html = "<script>console.error('said'); fetch('https://example.org/x').catch(() => 0); throw Error('bad')</script>"
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    chromium.open((tmp_path / "page.html").as_uri()).wait_for_load_state("networkidle")
    assert "said" in chromium.problems
    assert "bad" in chromium.problems
    assert "request to https://example.org/x" in chromium.problems
