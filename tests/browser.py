"""A headless Chromium for tests of pages; it reaches this machine only and keeps what its consoles complained of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
_HERE = ("http://127.0.0.1:", "http://localhost:", "file://", "data:", "blob:", "about:")


@dataclass
class Chromium:
    """Opens pages, each with its own storage; `problems` are console errors, uncaught errors and requests elsewhere."""

    browser: Browser
    problems: list[str] = field(default_factory=list)

    def open(self, url: str = "about:blank", *, width: int = 1280, height: int = 800) -> Page:
        page = self.browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(10_000)
        page.on("console", lambda message: self._note(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self._note(str(error)))
        page.on("request", self._request)
        page.goto(url)
        return page

    def _request(self, request: Request) -> None:
        if not request.url.startswith(_HERE):
            self._note(f"request to {request.url}")

    def _note(self, problem: str) -> None:
        self.problems.append(problem)


@pytest.fixture
def chromium() -> Iterator[Chromium]:
    """Start Chromium for one test that is not async; its loop would be in the way of another test's."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=path, args=_ARGUMENTS) as browser:
        yield Chromium(browser)
