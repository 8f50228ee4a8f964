"""The engineer's charts in a real chromium: pan, zoom, choose, compare, take away."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from connectors.sqlite.history import SqliteHistory
from desk.web.page import PageServer
from tests.desk.web.page.two_days import END, MINUTE, PRESS, SETTINGS, START, WORN, store

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)
OpenCharts = Callable[..., "Page"]
SCALE = "() => { const {x} = yeji.charts.charts.get('score').plot.scales; return [x.min, x.max]; }"


@pytest.fixture
def charts(browser: Browser, tmp_path: Path) -> Iterator[OpenCharts]:
    sink = store(tmp_path)
    history = SqliteHistory(sink.path)
    server = PageServer(history, SETTINGS)
    url = server.start()
    wrong: list[str] = []
    contexts = []

    def open_(query: str = "?span=0", *, touch: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": 390 if touch else 1280, "height": 900}, has_touch=touch, locale="en-GB"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.goto(f"{url}machines/{quote(PRESS)}{query}")
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
        return page

    yield open_
    for context in contexts:
        context.close()
    server.stop()
    history.close()
    sink.close()
    assert wrong == []


def until(page: Page, expression: str) -> None:
    """Wait until ``expression`` holds; what playwright has for it is what the page's policy forbids."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(expression)


def shown(page: Page) -> tuple[float, float]:
    low, high = page.evaluate(SCALE)
    return low, high


def middle(page: Page) -> tuple[float, float, float]:
    over = page.locator("figure.score .u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["width"]


def test_the_wheel_zooms_about_the_pointer_and_all_charts_follow(charts: OpenCharts):
    page = charts()
    x, y, width = middle(page)
    before = shown(page)
    at = before[0] + (before[1] - before[0]) * 0.75
    page.mouse.move(x + width / 4, y)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Control")
    expect(page).to_have_url(re.compile(r"\?from=\d+&to=\d+$"))
    after = shown(page)
    assert after[1] - after[0] < 0.7 * (before[1] - before[0])
    assert (after[0] + (after[1] - after[0]) * 0.75) == pytest.approx(at, abs=0.02 * (after[1] - after[0]))
    scales = page.evaluate("[...yeji.charts.charts.values()].map(({plot}) => plot.scales.x.min)")
    assert max(scales) - min(scales) < 1
    expect(page.locator("#chosen")).to_contain_text("Chosen in a chart")
    page.locator("figure.score .u-over").dblclick()
    until(page, f"({SCALE})()[1] - ({SCALE})()[0] > {0.99 * (before[1] - before[0])}")
    assert "from=" not in page.url


def test_the_wheel_by_itself_scrolls_the_page(charts: OpenCharts):
    page = charts()
    x, y, _ = middle(page)
    before = shown(page)
    page.mouse.move(x, y)
    page.mouse.wheel(0, 300)
    until(page, "scrollY > 0")
    assert shown(page) == before


def test_buttons_move_and_zoom(charts: OpenCharts):
    page = charts(f"?from={END - 4 * 60 * MINUTE}&to={END}")
    page.get_by_role("button", name="Earlier").click()
    until(page, f"({SCALE})()[1] < {END / 1000 - 60 * 100}")
    page.get_by_role("button", name="Zoom in").click()
    until(page, f"({SCALE})()[1] - ({SCALE})()[0] < {2.1 * 3600}")
    page.get_by_role("button", name="As before").click()
    until(page, f"({SCALE})()[1] > {END / 1000 - 60}")


def test_one_finger_moves_and_two_zoom(charts: OpenCharts):
    page = charts(f"?from={START + 600 * MINUTE}&to={START + 1200 * MINUTE}", touch=True)
    x, y, _ = middle(page)
    send = page.context.new_cdp_session(page).send

    def touch(kind: str, *xs: float) -> None:
        points = [{"x": one, "y": y, "id": k} for k, one in enumerate(xs)]
        send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    before = shown(page)
    touch("touchStart", x)
    for k in range(1, 9):
        touch("touchMove", x + 10 * k)
    touch("touchEnd")
    until(page, f"({SCALE})()[0] < {before[0] - 60}")
    moved = shown(page)
    assert moved[1] - moved[0] == pytest.approx(before[1] - before[0], rel=0.02)
    touch("touchStart", x - 30, x + 30)
    for k in range(1, 9):
        touch("touchMove", x - 30 - 8 * k, x + 30 + 8 * k)
    touch("touchEnd")
    until(page, f"({SCALE})()[1] - ({SCALE})()[0] < {0.6 * (moved[1] - moved[0])}")


def test_sensors_are_chosen_and_stay_chosen(charts: OpenCharts):
    page = charts()
    expect(page.locator("figure.sensor")).to_have_count(3)
    page.get_by_text("Choose sensors").first.click()
    page.get_by_role("checkbox", name="Vibration").uncheck()
    expect(page.locator("figure.sensor")).to_have_count(2)
    expect(page.get_by_role("img", name=re.compile("^Vibration"))).to_have_count(0)
    page.reload()
    expect(page.locator("figure.sensor")).to_have_count(2)


def test_compared_with_the_day_before_and_with_a_sister(charts: OpenCharts):
    page = charts(f"?from={END - 3 * 60 * MINUTE}&to={END}")
    page.get_by_label("Compare with").select_option("86400")
    ghost = "yeji.charts.charts.get('sensor vibration').plot.data.at(-1).filter((y) => y !== null)"
    until(page, f"yeji.charts.view.ghost && {ghost}.length > 100")
    values = page.evaluate(ghost)
    assert max(values) < 2.6  # the day before it was well
    own = page.evaluate("yeji.charts.charts.get('sensor vibration').plot.data[1].at(-1)")
    assert own > 7
    page.get_by_label("Compare with").focus()
    expect(page.locator("#sisters option")).to_have_count(1)
    page.get_by_label("Compare with").select_option("machine:" + PRESS.replace("press-1", "press-2"))
    until(page, f"yeji.charts.view.ghost?.shift === 0 && {ghost}.length > 100")
    assert max(page.evaluate(ghost)) < 2.6
    page.get_by_label("Compare with").select_option("")
    until(page, "!yeji.charts.view.ghost")


def test_what_moved_first_is_said(charts: OpenCharts):
    page = charts(f"?from={START + (WORN - 60) * MINUTE}&to={END}")
    order = page.locator("#moved-order")
    expect(order).to_contain_text(re.compile(r"First: Vibration .* then temperature "))
    expect(page.locator("#heat canvas")).to_have_count(3)
    page.goto(page.url.replace(f"from={START + (WORN - 60) * MINUTE}", f"from={START + 600 * MINUTE}")
              .replace(f"to={END}", f"to={START + 900 * MINUTE}"))  # fmt: skip
    expect(order).to_have_text("Every sensor kept its usual range.")


def test_the_time_that_is_left_is_drawn_with_its_interval(charts: OpenCharts):
    page = charts()
    life = page.locator("figure.life")
    expect(life).to_contain_text("Time until health needs work")
    expect(life.locator(".now")).to_contain_text(re.compile(r"^1\.6\d+ d"))  # 40 h after the last
    expect(life.locator(".extent")).to_contain_text(re.compile(r"least 0\.8\d* · most 3\.7\d* d"))


def test_a_table_and_a_picture_are_taken_away(charts: OpenCharts, tmp_path: Path):
    page = charts(f"?from={END - 60 * MINUTE}&to={END}")
    with page.expect_download() as table:
        page.get_by_role("link", name="CSV").click()
    table.value.save_as(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 62
    with page.expect_download() as picture:
        page.get_by_role("button", name="PNG").click()
    picture.value.save_as(tmp_path / "picture.png")
    assert picture.value.suggested_filename.startswith("press-1 2025-10-11T")
    head = (tmp_path / "picture.png").read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(head[16:20], "big") > 500
    assert int.from_bytes(head[20:24], "big") > 600
