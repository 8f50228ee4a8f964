"""A phone without a network, and the wall screen's sound, in a real chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error, expect

from desk.rules.journal import Action
from desk.rules.scope import EVERYTHING
from desk.web.page.server import ThreadedServer
from tests.desk.web.plant import OURS, PRESS, Plant, raised

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)


@pytest.fixture
def phone(browser: Browser, plant: Plant) -> Iterator[BrowserContext]:
    server = ThreadedServer(plant.web.app, plant.web.live_updates, "127.0.0.1", 0, "desk")
    url = server.start()
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, base_url=url)
    context.set_default_timeout(15_000)
    token = plant.web.sessions.begin(plant.account("kim"))
    context.add_cookies([{"name": "yeji-desk", "value": token, "url": url}])
    yield context
    context.close()
    server.stop()


def installed(page: Page, path: str = "") -> None:
    """Open the desk, and wait until its service worker serves it."""
    page.goto(path or "/")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()  # through the worker
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    page.reload()


def done(plant: Plant, action: Action) -> int:
    return sum(one.action is action for one in plant.desk.journal(EVERYTHING, machine=PRESS))


def test_acts_without_a_network_are_told_kept_and_sent_once(phone: BrowserContext, plant: Plant):
    page = phone.new_page()
    installed(page)
    card = page.get_by_role("article", name=re.compile("press-1"))
    phone.set_offline(True)
    card.get_by_role("button", name="Acknowledge").tap()
    expect(page.get_by_text("No network. It is kept on this device")).to_be_visible()
    card.get_by_text("More").tap()
    card.locator("summary", has_text="Comment").tap()
    card.get_by_label("Text").fill("Smells of oil.")
    card.get_by_role("button", name="Save").tap()
    expect(page.locator("#waiting-acts")).to_have_text("Waiting to be sent: 2")
    assert done(plant, Action.ACKNOWLEDGE) == done(plant, Action.COMMENT) == 0
    phone.set_offline(False)
    expect(page.locator("#waiting-acts")).to_be_hidden()
    assert done(plant, Action.ACKNOWLEDGE) == done(plant, Action.COMMENT) == 1
    page.reload()
    expect(page.locator("#waiting-acts")).to_be_hidden()
    assert done(plant, Action.ACKNOWLEDGE) == done(plant, Action.COMMENT) == 1


def test_what_waits_outlives_the_page_and_a_refusal_is_told(phone: BrowserContext, plant: Plant):
    page = phone.new_page()
    installed(page)
    phone.set_offline(True)
    page.get_by_role("article", name=re.compile("press-1")).get_by_role("button", name="Acknowledge").tap()
    expect(page.locator("#waiting-acts")).to_be_visible()
    page.reload()  # from the device
    expect(page.locator("#waiting-acts")).to_have_text("Waiting to be sent: 1")
    plant.desk.acknowledge(EVERYTHING, plant.press.id, by="lee")  # somebody else was quicker
    phone.set_offline(False)
    expect(page.locator("#notes .refused")).to_contain_text("Acknowledge press-1")
    expect(page.locator("#waiting-acts")).to_be_hidden()
    assert done(plant, Action.ACKNOWLEDGE) == 1


def test_pages_that_were_seen_are_there_without_a_network_and_gone_after_signing_out(
    phone: BrowserContext, plant: Plant
):
    page = phone.new_page()
    installed(page)
    phone.set_offline(True)
    page.goto("/")
    expect(page.get_by_role("article", name=re.compile("press-1"))).to_be_visible()
    page.goto("/kpis")
    expect(page.get_by_role("heading", name="No network")).to_be_visible()
    phone.set_offline(False)
    page.goto("/me")
    page.get_by_role("main").get_by_role("button", name="Sign out").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    phone.set_offline(True)
    with pytest.raises(Error, match="ERR_INTERNET_DISCONNECTED"):
        page.goto("/")  # nothing of the desk is left on the phone


def test_signing_out_does_not_drop_what_waits_unsaid(phone: BrowserContext, plant: Plant):
    page = phone.new_page()
    installed(page, "/me")
    waiting = [
        {"client": "c", "who": "kim", "path": "/alarms/x/comment", "fields": {}, "at": 0, "label": "Comment"}
    ]
    phone.set_offline(True)
    page.evaluate("acts => localStorage.setItem('yeji-waiting-acts', JSON.stringify(acts))", waiting)
    sign_out = page.get_by_role("main").get_by_role("button", name="Sign out", exact=True)
    sign_out.tap()
    expect(page.get_by_text("Acts still wait to be sent.")).to_be_visible()
    phone.set_offline(False)
    sign_out.tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert page.evaluate("localStorage.length") == 0


def test_the_wall_rings_once_for_a_new_urgent_alarm(phone: BrowserContext, plant: Plant):
    page = phone.new_page()
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto("/wall")
    page.get_by_role("button", name="Sound for urgent alarms").click()
    expect(page.locator("body")).to_have_attribute("data-rang", "1")  # to hear that it works
    plant.desk.receive([raised(f"{OURS}/body/line-1/press-8", severity=1)])
    expect(page.get_by_text("press-8")).to_be_visible()
    expect(page.locator("body")).to_have_attribute("data-rang", "1")
    plant.desk.receive([raised(f"{OURS}/body/line-1/press-9", severity=4)])
    expect(page.get_by_text("press-9")).to_be_visible()
    expect(page.locator("body")).to_have_attribute("data-rang", "2")
    size = page.locator(".wall-alarm h2").first.evaluate("one => parseFloat(getComputedStyle(one).fontSize)")
    assert size >= 80, "a letter is 4 cm high on a screen of 55 inches"
    assert page.evaluate("document.documentElement.scrollWidth") <= 1920
