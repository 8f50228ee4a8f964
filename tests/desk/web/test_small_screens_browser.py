"""Phones, enlarged pages and long names, in a real chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from desk.web.page.server import ThreadedServer
from tests.desk.web.plant import OURS, PRESS, Plant, raised

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)
OpenDesk = Callable[..., "Page"]
LONG = f"{OURS}/" + "/".join(
    ("thermo-mechanical-treatment-and-hardening", "conveyor_line_of_the_north_hall_0001", "UNIT" + "9" * 60)
)


@pytest.fixture
def open_desk(browser: Browser, plant: Plant) -> Iterator[OpenDesk]:
    server = ThreadedServer(plant.web.app, plant.web.live_updates, "127.0.0.1", 0, "desk")
    url = server.start()
    contexts = []

    def open_(path: str, who: str = "root", *, width: int, height: int, locale: str = "en-US") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, has_touch=width < 500, locale=locale
        )
        contexts.append(context)
        context.set_default_timeout(15_000)
        token = plant.web.sessions.begin(plant.account(who))
        context.add_cookies([{"name": "yeji-desk", "value": token, "url": url}])
        page = context.new_page()
        page.goto(url + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    server.stop()


@pytest.mark.parametrize(
    "path",
    ["", "fleet", "report?hours=24", "kpis", "review", "journal", "wall", "labels", "windows",
     f"machines/{quote(LONG)}", "alarm"],
)  # fmt: skip
def test_long_names_stay_on_a_narrow_screen(open_desk: OpenDesk, plant: Plant, path: str):
    event = raised(LONG, sensor="temperature_of_the_bearing_at_the_drive_end_" + "x" * 60)
    plant.desk.receive([event])
    page = open_desk(f"alarms/{event.id}" if path == "alarm" else path, width=360, height=740)
    wide = page.evaluate(
        "[...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right > 361"
        " && !one.closest('.scroll, .hidden')).map(one => one.outerHTML.slice(0, 200))"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 360, wide


@pytest.mark.parametrize(("width", "height"), [(640, 450), (360, 740)])
def test_the_bar_leaves_the_screen_to_what_is_read(open_desk: OpenDesk, width: int, height: int):
    page = open_desk("report?hours=72", width=width, height=height)
    page.evaluate("document.body.style.minHeight = '3000px'; scrollTo(0, 1000)")
    bar = page.locator(".bar").bounding_box()
    assert bar is not None
    assert bar["y"] + bar["height"] <= 0


def test_what_is_told_covers_no_button_that_sends(open_desk: OpenDesk, plant: Plant):
    page = open_desk(f"alarms/{plant.press.id}", "kim", width=360, height=640)
    page.get_by_role("button", name="Acknowledge").tap()
    note = page.locator("#notes .note")
    expect(note).to_be_visible()
    page.locator("summary", has_text="Close with what was found").tap()
    button = page.get_by_role("button", name="Close with what was found")
    button.evaluate("one => one.scrollIntoView({block: 'end'})")
    told, sends = note.bounding_box(), button.bounding_box()
    assert told
    assert sends
    assert told["y"] + told["height"] <= sends["y"] or told["y"] >= sends["y"] + sends["height"]


@pytest.mark.parametrize(("locale", "words"), [("ko-KR", "확인 대기"), ("de-DE", "Waiting for you")])
def test_a_browser_is_answered_in_its_language_if_there_is_one(open_desk: OpenDesk, locale: str, words: str):
    page = open_desk("", width=1280, height=800, locale=locale)
    expect(page.get_by_role("heading", level=1)).to_contain_text(words)


def test_the_journal_is_filtered(open_desk: OpenDesk, plant: Plant):
    plant.desk.comment(plant.account("kim").scope, plant.press.id, by="kim", text="smells of 50%_oil")
    plant.desk.comment(plant.account("root").scope, plant.pump.id, by="root", text="pump is loud")
    page = open_desk("journal", width=1280, height=800)
    rows = page.locator("tbody tr")
    page.locator("summary", has_text="Filter").click()
    page.get_by_label("Who").fill("kim")
    page.get_by_label("What").select_option("comment")
    page.get_by_role("button", name="Find").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("smells of 50%_oil")
    page.get_by_role("link", name="The whole journal").click()
    page.locator("summary", has_text="Filter").click()
    page.get_by_label("Text").fill("50%_oil")
    page.get_by_role("button", name="Find").click()
    expect(rows).to_have_count(1)
    page.get_by_label("Text").fill("50__oil")  # a sign of a pattern is a letter like others
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", name="No entry is like that")).to_be_visible()
    page.get_by_role("link", name="The whole journal").last.click()
    page.locator("summary", has_text="Filter").click()
    page.get_by_label("Where").fill(PRESS)
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_label("Where")).to_have_value(PRESS)
    assert {one.strip() for one in page.locator("tbody tr td:nth-child(4)").all_inner_texts()} == {PRESS}
