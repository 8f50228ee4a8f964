"""Every page of the desk and of the local page under axe-core: light and dark, English and Korean."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import Error, expect

from connectors.sqlite.history import SqliteHistory
from desk.rules.scope import EVERYTHING
from desk.web.page import PageServer
from desk.web.page.server import ThreadedServer
from tests.desk.web.page import two_days
from tests.desk.web.plant import NOW, PRESS, Plant

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.browser
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
RUN = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations.map(
    (one) => one.id + ': ' + one.nodes.map((node) => node.html.slice(0, 160)).slice(0, 3).join(' | '))"""
LOOKS = [("light", "en-GB"), ("dark", "ko-KR")]


def pages(plant: Plant) -> list[str]:
    """Every address without a name in it that somebody signed in can look at, and one of each other."""
    plain = [
        route.path
        for route in plant.web.app.routes
        if getattr(route, "name", "").startswith("page ") and "{" not in route.path
    ]
    data = {"/api/series", "/api/series.csv", "/api/usual", "/api/sisters"}
    named = [
        f"/machines/{quote(PRESS)}?span=0",
        f"/alarms/{plant.press.id}",
        "/?show=muted",
        "/?q=nothing-is-called-so",
        "/journal?who=nobody",
        "/advice/pump",
        "/advice/pump/new",
        "/training/first-alarm",
        "/nowhere",
    ]
    assert {"/", "/fleet", "/journal", "/people", "/me", "/training", "/labels", "/review", "/advice"} <= set(
        plain
    )
    return [*(path for path in plain if path not in data), *named]


def findings(page: Page, url: str, paths: list[str]) -> dict[str, list[str]]:
    found = {}
    for path in paths:
        page.goto(url.rstrip("/") + path)
        if page.locator("#charts").count():
            expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
        for details in page.locator("main details").all():
            details.evaluate("one => { one.open = true }")
        try:
            page.evaluate(AXE)
        except Error:  # what leads on to another page, as a lesson that begins
            page.wait_for_load_state()
            page.evaluate(AXE)
        if told := page.evaluate(RUN):
            found[path] = told
    return found


def context_of(browser: Browser, look: tuple[str, str]) -> BrowserContext:
    theme, locale = look
    context = browser.new_context(
        color_scheme="dark" if theme == "dark" else "light",
        locale=locale,
        viewport={"width": 390, "height": 844} if theme == "dark" else {"width": 1280, "height": 900},
    )
    context.set_default_timeout(20_000)
    return context


@pytest.fixture
def url(plant: Plant) -> Iterator[str]:
    server = ThreadedServer(plant.web.app, plant.web.live_updates, "127.0.0.1", 0, "desk")
    yield server.start()
    server.stop()


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look[0])
def test_the_desk(browser: Browser, plant: Plant, url: str, look: tuple[str, str]):
    plant.desk.shelve(EVERYTHING, plant.pump.id, by="kim", why="new die", until=NOW + 3_600_000)
    plant.desk.comment(EVERYTHING, plant.press.id, by="kim", text="smells of oil")
    context = context_of(browser, look)
    token = plant.web.sessions.begin(plant.account("root"))
    context.add_cookies([{"name": "yeji-desk", "value": token, "url": url}])
    found = findings(context.new_page(), url, pages(plant))
    context.close()
    assert found == {}


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look[0])
def test_what_is_seen_without_signing_in(browser: Browser, plant: Plant, url: str, look: tuple[str, str]):
    context = context_of(browser, look)
    link = plant.web.accounts.reset_link(plant.account("viewer")).rpartition("/")[2]
    paths = ["/sign-in", "/sign-in?back=/journal", "/offline", "/welcome/none"]
    found = findings(context.new_page(), url, [*paths, f"/welcome/{link}"])
    context.close()
    assert found == {}


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look[0])
def test_the_local_page(browser: Browser, tmp_path: Path, look: tuple[str, str]):
    sink = two_days.store(tmp_path)
    history = SqliteHistory(sink.path)
    server = PageServer(history, two_days.SETTINGS)
    context = context_of(browser, look)
    paths = ["/", f"/machines/{quote(two_days.PRESS)}?span=0", "/alarms", "/rejected", "/nowhere"]
    found = findings(context.new_page(), server.start(), paths)
    context.close()
    server.stop()
    history.close()
    sink.close()
    assert found == {}
