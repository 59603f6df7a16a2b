"""The web page in headless Chromium: what a person sees, by mouse and keyboard, on wide and narrow screens."""

import json
import re
import threading
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

import pas_middleware.proxy.page
from pas_middleware import REASONS
from pas_middleware.proxy.config import Secret

COMPLEMENT = "Check every step before you answer."
PROMPT = "10 birds in a tree, one is shot dead, how many are on the ground?"
WORDS = 'Which <b>birds</b> "sing" & why?'


@pytest.fixture
def page_url(start):
    return start(page=True)


@pytest.fixture
def page(chromium, page_url):
    return chromium.open(page_url)


def shows(page, selector, text):
    expect(page.locator(selector)).to_contain_text(text, timeout=20_000)


def ask(page, prompt, keys="Control+Enter"):
    page.fill("#prompt", prompt)
    page.press("#prompt", keys)


def test_without_the_option_the_paths_go_to_the_upstream(start, upstream):
    for path in ("/", "/pas-page/page.js"):
        httpx.get(start() + path, trust_env=False)
    assert [got.target for got in upstream.requests] == [b"/", b"/pas-page/page.js"]


def test_its_files_let_a_browser_talk_to_this_proxy_alone(page_url, upstream):
    with httpx.Client(base_url=page_url, trust_env=False) as client:
        answer = client.get("/")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        refused = client.post("/", content=b"x")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert upstream.requests == []


def test_every_reason_has_a_sentence():
    script = (Path(pas_middleware.proxy.page.__file__).parent / "reasons.js").read_text(encoding="utf-8")
    assert set(re.findall(r'^  (\w+|""): "', script, re.MULTILINE)) == {reason or '""' for reason in REASONS}


def test_the_complement_and_the_decision(page, chromium):
    shows(page, "#model-state", "scripted")
    ask(page, WORDS)
    shows(page, "#status", "applied")
    assert page.locator(".reads").text_content() == f"{WORDS}\n\n{COMPLEMENT}"
    assert page.locator("#insertion").text_content() == f"\n\n{COMPLEMENT}"
    assert page.inner_text("#reason") == "The complement is put behind the prompt."
    assert re.search(r"\d ms · scripted", page.inner_text("#facts"))
    assert page.is_hidden("#answers")
    assert chromium.problems == []


def test_a_prompt_that_is_left_alone_says_why(page):
    ask(page, "Reply with JSON only: which birds fly south?")
    shows(page, "#status", "skipped")
    assert page.inner_text("#reason") == "The prompt fixes the form of its answer already."
    assert page.inner_text("#facts").startswith("already_constrained · ")
    assert page.locator("#insertion").text_content() == ""


def test_an_example_is_asked_by_a_click(page):
    page.click("text=Plan a weekend")
    shows(page, "#status", "applied")
    assert page.input_value("#prompt") == "Plan a weekend in Lisbon with two kids"


def test_pieces_come_one_by_one_and_may_be_taken_back(page, chromium):
    sent = {
        "text": PROMPT,
        "status": "skipped",
        "reason": "guard_url",
        "elapsed_ms": 1,
        "model": "m",
        "proposed": "Bad",
    }
    stream = [("piece", {"text": "Look"}), ("piece", {"text": " it up."}), ("done", sent)]
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in stream)
    page.evaluate("window.seen = []")
    page.evaluate(
        "new MutationObserver(() => seen.push(document.querySelector('#insertion').textContent))"
        ".observe(document.querySelector('#insertion'), {childList: true})"
    )
    page.route("**/v1/complement", lambda route: route.fulfill(body=body, content_type="text/event-stream"))
    ask(page, PROMPT)
    shows(page, "#status", "skipped")
    assert page.inner_text("#reason") == "The proposed complement held an address."
    assert "It proposed: “Bad”" in page.inner_text("#facts")
    assert page.locator("#insertion").text_content() == ""
    assert chromium.problems == []


def test_with_and_without_side_by_side(page, chromium, upstream):
    page.click("#access summary")
    page.fill("#model", "scripted")
    page.fill("#key", "sk-1")
    ask(page, PROMPT, "Control+Shift+Enter")
    shows(page, "[data-side=with] .facts", "words")
    shows(page, "[data-side=without] .facts", "words")
    assert page.inner_text("[data-side=without] .answer") == "None at all."
    assert page.inner_text("[data-side=with] .facts").startswith("applied · 3 words")
    asked = {json.loads(got.body)["messages"][0]["content"]: got for got in upstream.requests}
    assert set(asked) == {PROMPT, f"{PROMPT}\n\n{COMPLEMENT}"}
    assert {got.header("authorization") for got in asked.values()} == {"Bearer sk-1"}
    assert page.is_hidden("#stop")
    assert chromium.problems == []


def test_answers_need_a_model_and_say_so(page, upstream):
    page.fill("#prompt", PROMPT)
    page.click("#compare")
    assert page.inner_text("#problem") == "Name a model of the upstream first."
    assert page.evaluate("document.activeElement.id") == "model"
    assert upstream.requests == []


def test_what_the_upstream_refuses_is_shown(page, upstream):
    error = b'{"error": {"message": "No <such> model."}}'
    upstream.answer = lambda got: (404, {"content-type": "application/json"}, error)
    page.click("#access summary")
    page.fill("#model", "nothing")
    ask(page, PROMPT, "Control+Shift+Enter")
    shows(page, "[data-side=with] .answer", "The upstream did not answer. 404: No <such> model.")
    shows(page, "#status", "applied")


def test_escape_stops_the_answers(page, upstream):
    upstream.hold = threading.Event()
    page.click("#access summary")
    page.fill("#model", "scripted")
    ask(page, PROMPT, "Control+Shift+Enter")
    page.wait_for_selector("#stop", state="visible")
    page.keyboard.press("Escape")
    shows(page, "[data-side=with] .facts", "stopped")
    shows(page, "[data-side=without] .facts", "stopped")
    upstream.hold.set()
    page.wait_for_selector("#stop", state="hidden")


def test_a_proxy_with_keys_asks_for_one(start, chromium):
    page = chromium.open(start(page=True, client_keys=(Secret("one"),)))
    ask(page, PROMPT)
    shows(page, "#problem", "401: pas proxy: present a key that this proxy knows.")
    page.click("#access summary")
    page.fill("#key", "one")
    ask(page, PROMPT)
    shows(page, "#status", "applied")
    assert page.is_hidden("#problem")


def test_by_keyboard_alone_everything_is_reached_in_order(page):
    assert page.evaluate("document.activeElement.id") == "prompt"
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert reached == ["BUTTON", "BUTTON", "BUTTON", "show", "compare", "SUMMARY"]
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "model"


def test_what_is_said_is_announced_and_named(page):
    unnamed = page.evaluate(
        "[...document.querySelectorAll('textarea, input')].filter((e) => !e.labels.length).map((e) => e.id)"
    )
    assert unnamed == []
    assert page.get_attribute("#decision", "role") == "status"
    assert page.get_attribute("#problem", "role") == "alert"
    assert page.get_attribute("html", "lang") == "en"


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_it_fits_the_screen(chromium, page_url, width):
    page = chromium.open(page_url, width=width, height=700)
    page.click("#access summary")
    page.fill("#model", "scripted")
    ask(page, "word" * 60, "Control+Shift+Enter")
    shows(page, "[data-side=with] .facts", "words")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [page.locator(f"[data-side={side}]").bounding_box() for side in ("without", "with")]
    assert (boxes[0]["y"] == boxes[1]["y"]) == (width > 700)
