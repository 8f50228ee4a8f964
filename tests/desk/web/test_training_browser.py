"""A newcomer's walk through the whole training on a phone, in Korean, by taps alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from desk.training.lesson import Goal, lessons
from desk.web.page.server import ThreadedServer
from tests.desk.web.plant import Plant

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)

VERDICTS = {"fault-confirmed": "고장 확인", "false-alarm": "오경보", "sensor-fault": "센서 고장"}


@pytest.fixture
def page(browser: Browser, plant: Plant) -> Iterator[Page]:
    server = ThreadedServer(plant.web.app, plant.web.live_updates, "127.0.0.1", 0, "desk")
    url = server.start()
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, base_url=url, timezone_id="Asia/Seoul"
    )
    context.set_default_timeout(15_000)
    token = plant.web.sessions.begin(plant.account("viewer"))
    context.add_cookies(
        [
            {"name": "yeji-desk", "value": token, "url": url},
            {"name": "yeji-language", "value": "ko", "url": url},
        ]
    )
    wrong: list[str] = []
    made = context.new_page()
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    yield made
    context.close()
    server.stop()
    assert wrong == []


def card(page: Page, key: str, goal: Goal) -> Locator:
    unit = lessons()[key].alarm(goal.alarm).name.rpartition("/")[2]
    return page.get_by_role("article", name=re.compile(unit))


def do(page: Page, key: str, goal: Goal) -> None:
    """What a newcomer taps to reach ``goal``."""
    if goal.kind == "answer":
        page.get_by_role("radio", name="유압").check()
        page.get_by_role("button", name="답하기").tap()
        return
    if goal.kind == "window":
        page.get_by_label("위치").select_option(lessons()[key].alarm(goal.alarm).name)
        page.get_by_label("이유").fill("냉각기 청소")
        page.get_by_role("button", name="정비 계획 추가").tap()
        return
    one = card(page, key, goal)
    if goal.kind in ("acknowledge", "first"):
        one.get_by_role("button", name="확인", exact=True).tap()
        expect(one.get_by_role("button", name="확인", exact=True)).to_have_count(0)
    elif goal.kind == "take":
        one.get_by_role("button", name="제가 맡겠습니다").tap()
    elif goal.kind == "look":
        one.get_by_role("button", name="가서 확인").tap()
        expect(one.get_by_text("현장에서 본 것")).to_be_visible()
    else:
        one.get_by_text("더 보기").tap()
    if goal.kind == "comment":
        one.locator("summary", has_text="의견").tap()
        one.get_by_label("내용").fill("냉각기에 먼지")
        one.get_by_role("button", name="저장").tap()
    if goal.kind == "shelve":
        one.locator("summary", has_text="보류").tap()
        one.get_by_label("2시간").check()
        one.get_by_label("이유").fill("정오에 그리퍼 교체")
        one.get_by_role("button", name="보류").tap()
    if goal.kind == "verdict":
        one.locator("summary", has_text="점검 결과로 종결").tap()
        one.get_by_role("radio", name=VERDICTS[str(goal.verdict)]).check()
        if goal.mode:
            one.get_by_label("고장 유형").fill(goal.mode)
        if goal.sensor:
            one.get_by_label("고장 센서").select_option(goal.sensor)
        one.get_by_role("button", name="점검 결과로 종결").tap()


def test_the_whole_training_on_a_phone_in_korean(page: Page, plant: Plant):
    head = plant.desk.head()
    page.goto("training")
    expect(page.locator(".lessons li")).to_have_count(12)
    page.get_by_role("link", name="첫 알람").tap()
    for number, (key, lesson) in enumerate(lessons().items(), start=1):
        expect(page.get_by_role("heading", level=1)).to_have_text(lesson.title.ko)
        page.get_by_role("button", name="시작", exact=True).tap()
        expect(page.locator(".goals")).to_be_visible()
        if lesson.goals[0].kind != "window":
            plant.clock.now += 5_000  # its alarms come by themselves
            expect(page.get_by_role("article")).to_have_count(len(lesson.alarms))
        for goal in lesson.goals:
            do(page, key, goal)
        expect(page.locator(".goals .met")).to_have_count(len(lesson.goals))
        expect(page.get_by_text(lesson.after.ko)).to_be_visible()
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, f"{key} is {wide} pixels wide"
        if number < 12:
            page.get_by_role("link", name="다음 교육").tap()
    page.get_by_role("main").get_by_role("link", name="교육").last.tap()
    page.get_by_role("link", name="수료증").tap()
    expect(page.locator(".certificate li")).to_have_count(12)
    assert plant.desk.head() == head, "practice is not in the real journal"
    assert plant.web.training.done("viewer")
