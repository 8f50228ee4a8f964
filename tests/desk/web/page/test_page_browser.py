"""The local page in a real chromium: what a person sees and does, and that no other host is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import expect

from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.store import SqliteSink
from desk.web.page import PageServer
from pipeline.records import AlarmPhase, Results, State
from tests.desk.web.page.plant import PRESS, PUMP, SETTINGS, alarm, readings, store

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)  # a machine may be busy with other tests
MACHINE = f"machines/{quote(PRESS)}"
OpenPage = Callable[..., "Page"]


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SqliteSink]:
    sink = store(tmp_path)
    yield sink
    sink.close()


@pytest.fixture
def url(sink: SqliteSink) -> Iterator[str]:
    history = SqliteHistory(sink.path)
    server = PageServer(history, SETTINGS)
    yield server.start()
    server.stop()
    history.close()


@pytest.fixture
def open_page(browser: Browser, url: str) -> Iterator[OpenPage]:
    """Open a page of ours; at the end nothing may have gone wrong, or to another host."""
    context = browser.new_context(
        locale="en-GB", timezone_id="Asia/Seoul", viewport={"width": 1280, "height": 900}
    )
    context.set_default_timeout(15_000)
    hosts: set[str] = set()
    wrong: list[str] = []

    def open_(path: str = "", *, width: int = 1280) -> Page:
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None
        )
        page.goto(url + path)
        return page

    yield open_
    context.close()
    assert hosts == {urlsplit(url).netloc}
    assert wrong == []


def test_from_the_fleet_to_a_machine_by_keyboard(open_page: OpenPage):
    page = open_page()
    expect(page.get_by_role("link", name="press-1")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.get_by_role("link", name="press-1").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("press-1")


def test_the_charts_are_drawn_and_described(open_page: OpenPage):
    page = open_page(f"{MACHINE}?span=0")
    expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#charts figure")).to_have_count(5)
    drawn = page.get_by_role("img", name="Vibration: latest")
    expect(drawn).to_have_attribute("aria-label", re.compile(r"latest \S+ mm/s, least 1 · most 3 mm/s$"))
    expect(page.locator("figure.score .now")).to_contain_text("0.9997")
    # Something was drawn: a canvas that was left empty has one colour.
    colours = page.evaluate(
        """() => { const c = document.querySelector('figure.score canvas');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; const seen = new Set();
        for (let i = 0; i < d.length; i += 4) seen.add(d.slice(i, i + 4).join()); return seen.size; }"""
    )
    assert colours > 10


def test_times_are_local_with_utc_to_be_found(open_page: OpenPage):
    page = open_page(MACHINE)
    last = page.locator(".facts time")
    expect(last).to_have_attribute("title", "2025-10-09 09:03:19 UTC")
    expect(last).to_contain_text("18:03:19")  # Seoul


def test_dragging_across_a_chart_looks_closer(open_page: OpenPage):
    page = open_page(f"{MACHINE}?span=0")
    expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
    over = page.locator("figure.score .u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, y, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"\?from=\d+&to=\d+$"))
    expect(page.locator(".range nav")).to_contain_text("Chosen in a chart")
    expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
    start, end = (int(n) for n in re.findall(r"\d{13}", page.url))
    assert 140_000 < end - start < 160_000


def test_news_come_by_themselves_and_leave_the_reader_alone(open_page: OpenPage, sink: SqliteSink):
    page = open_page()
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator(".counts")).to_contain_text("Machines3")
    page.get_by_label("Find a machine").fill("half a wo")
    page.get_by_label("Find a machine").focus()
    new = PUMP.replace("pump-1", "pump-2")
    sink.write(
        Results(
            scored=[readings(new, 0, 30, health=12, state=State.ALARM)],
            alarms=[alarm(new, 0, AlarmPhase.RAISED)],
        )
    )
    expect(page.get_by_role("link", name="pump-2")).to_be_visible()
    expect(page.locator(".counts")).to_contain_text("Machines4")
    assert page.locator(".card .name").first.inner_text() == "pump-2"
    expect(page.get_by_label("Find a machine")).to_have_value("half a wo")
    expect(page.get_by_label("Find a machine")).to_be_focused()


def test_a_machines_page_moves_on_with_its_readings(open_page: OpenPage, sink: SqliteSink):
    page = open_page(f"{MACHINE}?span=0")
    expect(page.locator("figure.health .now")).to_contain_text("31.4")
    page.locator("figure.health").evaluate("figure => { figure.dataset.same = 'yes' }")
    expect(page.locator("#live")).to_have_text("Live")
    sink.write(
        Results(scored=[readings(PRESS, 600, 60, health=77)], alarms=[alarm(PRESS, 490, AlarmPhase.CLEARED)])
    )
    expect(page.locator("figure.health .now")).to_contain_text("77")
    expect(page.locator("figure.health")).to_have_attribute("data-same", "yes")  # drawn on, not anew
    expect(page.locator(".facts")).to_contain_text("77")
    expect(page.locator(".alarm-box")).to_have_count(0)


def test_open_and_past_alarms(open_page: OpenPage):
    page = open_page("alarms")
    expect(page.locator("article")).to_have_count(2)
    condition = page.get_by_role("article", name=re.compile("press-1"))
    expect(condition.get_by_role("row", name=re.compile("Vibration"))).to_contain_text("+11.2 σ")
    expect(page.get_by_role("article", name=re.compile("pump-1"))).to_contain_text("<b>for 5 min</b>")
    page.locator(".list").get_by_role("link", name="pump-1").click()
    expect(page.locator(".range nav")).to_contain_text("Around the alarm")
    expect(page.locator(".alarm-box").first).to_contain_text("What raised it")


def test_what_a_reader_opened_stays_open(open_page: OpenPage, sink: SqliteSink):
    page = open_page("rejected")
    page.get_by_text("Original (26 bytes)").click()
    expect(page.locator("pre")).to_have_text("<script>alert(1)</script>�")
    expect(page.locator("#live")).to_have_text("Live")
    with page.expect_response(lambda response: response.url.endswith("/rejected")):
        sink.write(Results(scored=[readings(PUMP, 600, 1)]))
    expect(page.locator("pre")).to_be_visible()


def test_language_and_appearance_are_one_press_away(open_page: OpenPage):
    page = open_page("alarms?past=7")
    page.get_by_role("button", name="한국어").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("미해제 알람")
    assert page.url.endswith("/alarms?past=7")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="화면 모드: 어둡게").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Open alarms")


@pytest.mark.parametrize("path", ["", MACHINE, "alarms", "rejected"])
@pytest.mark.parametrize("width", [360, 2560])
def test_no_page_is_wider_than_its_screen(open_page: OpenPage, path: str, width: int):
    page = open_page(path, width=width)
    if path == MACHINE:
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_lost_connection_is_said_and_made_good(browser: Browser, sink: SqliteSink):
    history = SqliteHistory(sink.path)
    server = PageServer(history, SETTINGS)
    page = browser.new_page()
    page.goto(server.start())
    expect(page.locator("#live")).to_have_text("Live")
    server.stop()
    expect(page.get_by_role("alert")).to_contain_text("No connection to Yeji")
    again = PageServer(
        history,
        SETTINGS.model_copy(
            update={"page": SETTINGS.page.model_copy(update={"port": int(urlsplit(server.url).port or 0)})}
        ),
    )
    again.start()
    expect(page.locator("#live")).to_have_text("Live", timeout=15_000)
    expect(page.locator("#lost")).to_be_hidden()
    page.close()
    again.stop()
    history.close()
