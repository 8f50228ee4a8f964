"""A work order on a phone, in Korean: from the alarm to the signature, in a real chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from desk.rules.scope import EVERYTHING
from desk.rules.work_orders import OrderState
from desk.service.work_orders import WorkOrders
from desk.store.orders import OrderChoice
from desk.web.page.server import ThreadedServer
from tests.desk.web.plant import OURS, Plant

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)


@pytest.fixture
def served(plant: Plant) -> Iterator[str]:
    server = ThreadedServer(plant.web.app, plant.web.live_updates, "127.0.0.1", 0, "desk")
    yield server.start()
    server.stop()


def phone_of(browser: Browser, plant: Plant, url: str, who: str, language: str) -> BrowserContext:
    context = browser.new_context(viewport={"width": 360, "height": 780}, has_touch=True, base_url=url)
    context.set_default_timeout(15_000)
    token = plant.web.sessions.begin(plant.account(who))
    context.add_cookies(
        [
            {"name": "yeji-desk", "value": token, "url": url},
            {"name": "yeji-language", "value": language, "url": url},
        ]
    )
    return context


def test_from_the_alarm_to_the_signature(browser: Browser, plant: Plant, served: str):
    context = phone_of(browser, plant, served, "kim", "ko")
    page = context.new_page()
    page.goto(f"/alarms/{plant.press.id}")
    page.locator("summary", has_text="작업 요청").tap()
    page.get_by_label("작업 내용").fill("베어링 교체")
    page.get_by_role("button", name="작업 요청").tap()
    expect(page.get_by_role("heading", level=1)).to_contain_text("#1 베어링 교체")
    page.get_by_role("button", name="작업 시작").tap()
    expect(page.locator(".life")).to_have_text("작업 중")
    page.get_by_label("작업 결과").fill("교체함")
    page.get_by_label("사용 부품").fill("2 x 6205 베어링")
    page.get_by_label("정지 시간(분)").fill("45")
    page.get_by_role("radio", name=re.compile("고장 확인")).first.check()
    page.get_by_label(re.compile("고장 유형")).first.fill("bearing-wear")
    page.get_by_role("button", name="작업 완료 보고").tap()
    expect(page.locator(".life")).to_have_text("작업 완료")
    expect(page.get_by_role("button", name="확인 서명")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off"
    context.close()
    (order,) = WorkOrders(plant.desk).listed(EVERYTHING, OrderChoice(place=OURS)).orders
    assert (order.parts[0].quantity, order.downtime, order.done_by) == (2.0, 45.0, "kim")
    assert plant.desk.verdicts(EVERYTHING, machine=order.machine)[0].failure_mode == "bearing-wear"
    context = phone_of(browser, plant, served, "our-engineer", "en")
    page = context.new_page()
    page.goto("/orders")
    page.get_by_role("link", name=re.compile("베어링 교체")).tap()
    page.wait_for_url(f"**/orders/{order.id}")
    page.get_by_role("button", name="Sign off").tap()
    expect(page.locator(".life")).to_have_text("Signed off")
    page.emulate_media(media="print")
    expect(page.get_by_text("2 × 6205 베어링")).to_be_visible()
    context.close()
    assert WorkOrders(plant.desk).order(EVERYTHING, order.id).state is OrderState.SIGNED_OFF


def test_the_list_fits_a_phone_and_is_filtered(browser: Browser, plant: Plant, served: str):
    orders = WorkOrders(plant.desk)
    for n in range(60):
        orders.request(EVERYTHING, f"{OURS}/body/line-1/press-1", f"work {n} with a long title", by="kim")
    context = phone_of(browser, plant, served, "kim", "en")
    page = context.new_page()
    page.goto("/orders")
    expect(page.get_by_text("60 in all")).to_be_visible()
    assert page.locator("tbody tr").count() == 50
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Machine, words or number").fill("#7")
    page.get_by_role("button", name="Show").tap()
    expect(page.locator("tbody tr")).to_have_count(1)
    assert "zebra" not in page.content()
    context.close()
