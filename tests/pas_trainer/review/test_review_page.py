"""The page in a browser: every mark by keyboard, kept on the server, and blind."""

from pathlib import Path

from playwright.sync_api import Page, expect
from reviews import served, some_items, start

from browser import Chromium
from pas_trainer.review.items import Item
from pas_trainer.review.results import results
from pas_trainer.review.store import Store


def sign_in(chromium: Chromium, url: str, name: str = "Ada", **size: int) -> Page:
    page = chromium.open(url, **size)
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    return page


def press(page: Page, key: str, number: int) -> None:
    """Press a key once the screen of this number is there."""
    expect(page.locator("#count")).to_contain_text(f"No. {number},")
    page.keyboard.press(key)


def pas_is_first(store: Store, number: int, name: str = "Ada") -> bool:
    return store.shown(store.task(number), name)[0] == "pas"


def test_twenty_items_are_compared_by_keyboard_and_survive_a_reload(chromium: Chromium, tmp_path: Path):
    store = start(tmp_path, some_items(20))
    with served(store) as url:
        page = sign_in(chromium, url)
        for number in range(1, 21):  # pas wins 12, ties 4, loses 4
            better, worse = ("1", "2") if pas_is_first(store, number) else ("2", "1")
            press(page, better if number <= 12 else "0" if number <= 16 else worse, number)
            if number == 10:
                page.reload()
        expect(page.locator("#end")).to_be_visible()
        before = results(store)
        page.reload()
        expect(page.locator("#end")).to_be_visible()
    assert results(Store.open(tmp_path)) == before
    figures = before.rows[0].figures
    assert [before.rows[0].items, figures["win"].value, figures["tie"].value, figures["lose"].value] == [
        20,
        0.6,
        0.2,
        0.2,
    ]
    assert before.reviewers == {"Ada": 20}
    assert {pas_is_first(store, number) for number in range(1, 21)} == {True, False}
    assert chromium.problems == []


def test_twenty_items_are_graded_by_keyboard_and_survive_a_reload(chromium: Chromium, tmp_path: Path):
    store = start(tmp_path, some_items(20), mode="grade")
    with served(store) as url:
        page = sign_in(chromium, url)
        for number in range(1, 21):
            first = pas_is_first(store, number)
            press(page, "5" if first else "2", number)
            if number == 7:  # one of two grades is given
                expect(page.locator(".answer .mark").first).to_have_text("5 of 5" if first else "2 of 5")
                page.reload()
                expect(page.locator(".answer .mark").first).to_have_text("5 of 5" if first else "2 of 5")
            press(page, "2" if first else "5", number)
        expect(page.locator("#end")).to_be_visible()
    rows = {row.arm: row for row in results(store).rows if row.category == "all"}
    assert [rows["pas"].figures[name].value for name in ("full_marks", "mean", "available")] == [1, 5, 1]
    assert [rows["none"].figures[name].value for name in ("full_marks", "mean", "available")] == [0, 2, 0]
    assert chromium.problems == []


def test_marks_can_be_changed_and_items_passed_over(chromium: Chromium, tmp_path: Path):
    store = start(tmp_path, some_items(3))
    with served(store) as url:
        page = sign_in(chromium, url)
        press(page, "1", 1)
        press(page, "ArrowLeft", 2)
        expect(page.get_by_role("button", name="A is better")).to_have_attribute("aria-pressed", "true")
        press(page, "0", 1)
        press(page, "s", 2)
        press(page, "t", 3)
        expect(page.locator("#end")).to_be_visible()
    assert [mark.value for mark in store.marks()] == [0, None, 0]
    assert results(store).passed == 1


def test_a_server_that_dies_loses_no_mark(chromium: Chromium, tmp_path: Path):
    store = start(tmp_path, some_items(4))
    with served(store) as url:
        page = sign_in(chromium, url)
        press(page, "0", 1)
        expect(page.locator("#count")).to_contain_text("No. 2,")
        page.wait_for_load_state("networkidle")  # the next is fetched ahead
    press(page, "0", 2)
    expect(page.locator("#alert")).to_contain_text("1 mark is kept in this browser")
    assert [mark.value for mark in store.marks()] == [0]
    with served(store, port=int(url.rstrip("/").rpartition(":")[2])):
        page.reload()
        expect(page.locator("#count")).to_have_text("No. 3, 2 of 4 done")
    assert [mark.value for mark in store.marks()] == [0, 0]


def test_answers_are_shown_blind_and_harmless(chromium: Chromium, tmp_path: Path):
    bad = '<img src=x onerror="window.hit = 1"> <script>window.hit = 1</script> [link](javascript:hit) ![i](https://a.b/c)'
    store = start(
        tmp_path, [Item("pas-secret-id", "Say **hi**", "Chat", {"none": bad, "pas-secret": "| a |\n|---|\n| 1 |"})]
    )
    with served(store) as url:
        page = sign_in(chromium, url)
        expect(page.locator(".answer")).to_have_count(2)
        assert "secret" not in page.content()
        assert page.evaluate("window.hit") is None
        assert page.locator(".answer img, .answer script").count() == 0
        assert page.locator(".answer td").inner_text() == "1"
        page.keyboard.press("m")
        assert "| a |" in page.locator("#answers").inner_text()
    assert chromium.problems == []


def test_the_page_fits_a_narrow_screen(chromium: Chromium, tmp_path: Path):
    store = start(
        tmp_path, [Item("1", "x" * 500, "Long", {"none": "`" + "y" * 500 + "`", "pas": "z" * 500})], mode="grade"
    )
    with served(store) as url:
        page = sign_in(chromium, url, width=360, height=640)
        expect(page.locator(".answer")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        for button in page.locator("#choices button").all():
            assert button.bounding_box()["height"] >= 44
    assert chromium.problems == []


def test_a_token_is_asked_for_once(chromium: Chromium, tmp_path: Path):
    store = start(tmp_path, some_items(2))
    with served(store, token="right") as url:
        page = chromium.open(url)
        assert "token" not in page.url
        page.keyboard.type("Ada")
        page.keyboard.press("Enter")
        press(page, "0", 1)
        expect(page.locator("#count")).to_contain_text("No. 2,")
    assert len(store.marks()) == 1
    assert chromium.problems == []
