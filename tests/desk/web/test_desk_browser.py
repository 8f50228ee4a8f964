"""The desk in a real chromium, on a phone and by keyboard: each path that a crew takes through it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import expect

from desk.rules.life import AlarmState
from desk.rules.scope import EVERYTHING
from desk.web.page.server import ThreadedServer
from pipeline.records import VerdictKind
from tests.desk.web.plant import NOW, OURS, PASSWORD, PRESS, PUMP, Plant, raised

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)  # a machine may be busy with other tests
OpenDesk = Callable[..., "Page"]


@pytest.fixture
def url(plant: Plant) -> Iterator[str]:
    server = ThreadedServer(plant.web.app, plant.web.live_updates, "127.0.0.1", 0, "desk")
    yield server.start()
    server.stop()


@pytest.fixture
def open_desk(browser: Browser, plant: Plant, url: str) -> Iterator[OpenDesk]:
    """Open the desk, signed in as somebody; nothing may go wrong meanwhile, or to another host."""
    contexts, hosts, wrong = [], set[str](), list[str]()

    def open_(
        path: str = "",
        who: str | None = "kim",
        *,
        width: int = 390,
        script: bool = True,
        zone: str = "Asia/Seoul",
    ) -> Page:
        context = browser.new_context(
            timezone_id=zone,
            viewport={"width": width, "height": 844},
            has_touch=width < 500,
            java_script_enabled=script,
        )
        contexts.append(context)
        context.set_default_timeout(15_000)
        if who:
            token = plant.web.sessions.begin(plant.account(who))
            context.add_cookies([{"name": "yeji-desk", "value": token, "url": url}])
        page = context.new_page()
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.goto(url + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert hosts == {urlsplit(url).netloc}
    assert wrong == []


def card(page: Page, machine: str = "press-1") -> Locator:
    return page.get_by_role("article", name=re.compile(machine))


def standing(plant: Plant):
    return plant.desk.alarm(EVERYTHING, plant.press.id)


def test_one_tap_acknowledges(open_desk: OpenDesk, plant: Plant):
    page = open_desk()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Waiting for you 2")
    names = page.locator(".desk-alarm .title a").all_inner_texts()
    assert names == ["press-1", "pump-1"]  # the urgent one first
    expect(card(page)).to_contain_text("Bearing runs rough: Vibration 9.5 mm/s, usual 2, for 5 min")
    expect(card(page)).to_contain_text("Check first: Listen at the housing")
    figures = card(page).get_by_text("Vibration 9.5 mm/s, expected 2 (+11.2 σ)")
    expect(figures).to_be_hidden()  # one tap away
    card(page).get_by_text("Figures").tap()
    expect(figures).to_be_visible()
    expect(card(page)).to_contain_text("Likely Bearing wear or pitting (72 %)")
    card(page).get_by_role("button", name="Acknowledge").tap()
    expect(page.get_by_role("status").filter(has_text="Acknowledged.")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Waiting for you 1")
    expect(card(page)).to_contain_text("Acknowledged by kim")
    assert standing(plant).acknowledged_by == "kim"


def test_take_and_comment(open_desk: OpenDesk, plant: Plant):
    page = open_desk()
    card(page).get_by_role("button", name="I'll take it").tap()
    expect(card(page)).to_contain_text("kim sees to it")
    card(page).get_by_text("More").tap()
    card(page).locator("summary", has_text="Comment").tap()
    card(page).get_by_label("Text").fill("Smells of oil.")
    card(page).get_by_role("button", name="Save").tap()
    expect(page.get_by_role("status").filter(has_text="Comment kept.")).to_be_visible()
    card(page).get_by_role("link", name="press-1").tap()
    expect(page.locator(".log").first).to_contain_text("Smells of oil.")


def test_shelve_with_a_reason_and_bring_back(open_desk: OpenDesk, plant: Plant):
    page = open_desk()
    card(page).get_by_text("More").tap()
    card(page).get_by_text("Shelve", exact=True).first.tap()
    card(page).get_by_label("2 h").check()
    shelve = card(page).get_by_role("button", name="Shelve")
    shelve.tap()
    assert standing(plant).state is AlarmState.UNACKNOWLEDGED  # the browser asks for the reason first
    card(page).get_by_label("Why").first.fill("new die at noon")
    shelve.tap()
    expect(page.get_by_role("status").filter(has_text="Shelved.")).to_be_visible()
    assert standing(plant).state is AlarmState.SHELVED_TIMED
    page.get_by_role("link", name="Muted 1").tap()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Shelved, suppressed, out of service")
    card(page).get_by_role("button", name="Bring it back").tap()
    page.get_by_role("link", name="Standing").tap()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Waiting for you 2")


@pytest.mark.parametrize("kind", list(VerdictKind))
def test_close_with_each_verdict(open_desk: OpenDesk, plant: Plant, kind: VerdictKind):
    page = open_desk(f"alarms/{plant.press.id}")
    page.get_by_text("Close with what was found", exact=True).first.tap()
    names = {
        VerdictKind.FAULT: "Confirmed fault",
        VerdictKind.FALSE_ALARM: "False alarm",
        VerdictKind.PLANNED_WORK: "Planned work",
        VerdictKind.SENSOR_FAULT: "Sensor fault",
    }
    page.get_by_role("radio", name=names[kind]).check()
    close = page.get_by_role("button", name="Close with what was found")
    if kind is VerdictKind.FAULT:
        close.tap()
        expect(page.locator(".note.refused")).to_contain_text("Name the failure mode")
        page.get_by_label("Failure mode").fill("bearing-wear")  # and what was chosen is still chosen
        page.get_by_label("Part").fill("6205")
    if kind is VerdictKind.SENSOR_FAULT:
        page.get_by_label("Faulty sensor").select_option("vibration")
    close.tap()
    expect(page.get_by_role("status").filter(has_text="Closed.")).to_be_visible()
    verdict = plant.desk.verdicts(EVERYTHING, machine=PRESS)[0]
    assert verdict.kind is kind
    if kind is VerdictKind.FAULT:
        assert (verdict.failure_mode, verdict.part) == ("bearing-wear", "6205")
    if kind is VerdictKind.SENSOR_FAULT:
        assert verdict.sensor == "vibration"


def test_a_new_alarm_appears_by_itself_and_disturbs_nobody(open_desk: OpenDesk, plant: Plant):
    page = open_desk()
    expect(page.locator("#live")).to_have_text("Live")
    card(page).get_by_text("More").tap()
    card(page).locator("summary", has_text="Comment").tap()
    card(page).get_by_label("Text").fill("half a wor")
    page.get_by_role("heading", level=1).tap()  # the field has no focus any more
    plant.desk.receive([raised(f"{OURS}/welding/robots/robot-7", severity=4)])
    expect(card(page, "robot-7")).to_be_visible()
    expect(page).to_have_title(re.compile(r"^\(3\)"))
    expect(card(page).get_by_label("Text")).to_have_value("half a wor")
    expect(card(page).get_by_label("Text")).to_be_visible()


def test_what_a_colleague_does_is_seen_at_once(open_desk: OpenDesk):
    mine, theirs = open_desk(), open_desk(who="our-engineer")
    expect(mine.locator("#live")).to_have_text("Live")
    card(theirs).get_by_role("button", name="I'll take it").tap()
    expect(card(mine)).to_contain_text("our-engineer sees to it")


def test_the_machines_page_shows_its_charts(open_desk: OpenDesk):
    page = open_desk(f"machines/{quote(PRESS)}?span=0", width=1280)
    expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#charts figure")).to_have_count(4)
    expect(page.locator(".alarm-list")).to_contain_text("Condition")


def test_the_alarms_page_shows_the_charts_around_it(open_desk: OpenDesk, plant: Plant):
    page = open_desk(f"alarms/{plant.press.id}", width=1280)
    expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
    expect(page.locator("figure.score canvas")).to_be_visible()
    expect(page.locator(".contributions")).to_contain_text("+11.2 σ")


def test_planned_work_is_entered_and_ended(open_desk: OpenDesk, plant: Plant):
    page = open_desk("windows", "our-engineer")
    expect(page.locator("tbody")).to_contain_text("lab › one › paint")
    page.get_by_label("Place").fill(f"{OURS}/body/line-1")
    page.get_by_label("Why").fill("die change")
    page.get_by_role("button", name="Plan work").tap()
    row = page.get_by_role("row").filter(has_text="line-1")
    expect(row).to_contain_text("under way")
    assert standing(plant).state is AlarmState.SUPPRESSED
    plant.clock.now += 60_000
    row.get_by_role("button", name="End it").tap()
    expect(page.get_by_role("status").filter(has_text="Ended.")).to_be_visible()
    assert standing(plant).state is AlarmState.UNACKNOWLEDGED


def test_the_shift_report_prints_without_its_frame(open_desk: OpenDesk):
    page = open_desk("report?hours=24", width=1280)
    expect(page.get_by_text("Handed on: what stands now (2)")).to_be_visible()
    page.evaluate("window.print = () => { document.body.dataset.printed = 'yes' }")
    page.get_by_role("button", name="Print").click()
    expect(page.locator("body")).to_have_attribute("data-printed", "yes")
    page.emulate_media(media="print")
    expect(page.locator(".bar")).to_be_hidden()
    expect(page.locator(".report-form")).to_be_hidden()
    expect(page.get_by_text("Handed over by / taken over by")).to_be_visible()


def test_the_kpis(open_desk: OpenDesk, plant: Plant):
    plant.clock.now += 60_000
    page = open_desk("kpis?days=1", width=1280)
    expect(page.locator(".facts")).to_contain_text("of 150 that a crew can handle")
    expect(page.get_by_role("row", name=re.compile("pump-1"))).to_contain_text("50 %")


def test_the_first_visit_makes_the_administrator_who_invites_a_crew(
    browser: Browser, plant: Plant, open_desk: OpenDesk, url: str
):
    with plant.store.writing() as db:
        db.execute("DELETE FROM accounts")
    token = plant.web.accounts.first_link()
    page = open_desk(f"welcome/{token}", None)
    page.get_by_label("Name", exact=True).fill("boss")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Save").tap()
    expect(page.get_by_text("The password is set")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").tap()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Waiting for you")
    page.goto(f"{url}people")
    form = page.locator("#new-account")
    form.get_by_label("Name", exact=True).fill("park")
    form.get_by_label("Places").fill(f"{OURS}/body")
    form.get_by_role("button", name="New account").tap()
    link = page.locator("code[id^=link-]").inner_text()
    assert link.startswith("http://127.0.0.1:8011/welcome/")
    page.get_by_role("link", name="boss").tap()
    page.get_by_role("main").get_by_role("button", name="Sign out").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.goto(url + link.removeprefix("http://127.0.0.1:8011/"))
    page.get_by_label("Password").fill("another sentence")
    page.get_by_role("button", name="Save").tap()
    page.get_by_label("Password").fill("another sentence")
    page.get_by_role("button", name="Sign in").tap()
    expect(card(page)).to_be_visible()
    expect(card(page, "pump-1")).to_have_count(0)  # not in the body shop


def test_by_keyboard_alone(open_desk: OpenDesk, plant: Plant):
    page = open_desk(width=1280)
    button = card(page).get_by_role("button", name="Acknowledge")
    for _ in range(40):
        page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Acknowledged.")).to_be_visible()
    assert standing(plant).acknowledged_by == "kim"


def test_without_script_it_works_all_the_same(open_desk: OpenDesk, plant: Plant):
    page = open_desk(script=False)
    card(page).get_by_role("button", name="Acknowledge").tap()
    expect(page.get_by_role("status").filter(has_text="Acknowledged.")).to_be_visible()
    assert standing(plant).acknowledged_by == "kim"


def test_in_korean(open_desk: OpenDesk):
    page = open_desk()
    page.get_by_role("button", name="한국어").tap()
    expect(page.get_by_role("heading", level=1)).to_contain_text("확인 대기")
    card(page).get_by_role("button", name="확인").tap()
    expect(page.get_by_role("status").filter(has_text="확인했습니다.")).to_be_visible()


def test_times_are_those_of_the_desk_wherever_its_screen_thinks_it_is(open_desk: OpenDesk, plant: Plant):
    path = f"alarms/{plant.press.id}"
    here, elsewhere = open_desk(path, width=1280), open_desk(path, width=1280, zone="America/New_York")
    for page in (here, elsewhere):
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
        expect(page.locator("time").first).not_to_contain_text("UTC")
    assert elsewhere.locator("time").all_inner_texts() == here.locator("time").all_inner_texts()
    page = open_desk("report", zone="America/New_York")
    expect(page.locator(".head")).to_contain_text(
        re.compile(r"2025-10-09 \d\d:\d\d – .* Times of Asia/Seoul")
    )


def test_why_an_act_is_refused_is_said_in_korean_too(open_desk: OpenDesk):
    page = open_desk()
    page.get_by_role("button", name="한국어").tap()
    card(page).get_by_text("더 보기").tap()
    card(page).get_by_text("점검 결과로 종결").first.tap()
    card(page).get_by_role("radio", name="고장 확인").check()
    card(page).get_by_role("button", name="점검 결과로 종결").tap()
    expect(page.locator(".note.refused")).to_contain_text("고장 유형을 적으십시오")


def test_a_viewer_sees_no_buttons(open_desk: OpenDesk):
    page = open_desk(who="viewer")
    expect(card(page)).to_be_visible()
    expect(card(page).get_by_role("button")).to_have_count(0)


@pytest.mark.parametrize("width", [360, 2560])
def test_no_page_is_wider_than_its_screen(open_desk: OpenDesk, plant: Plant, width: int, url: str):
    page = open_desk(who="root", width=width)
    places = ["", "fleet", "windows", "report?hours=24", "kpis", "journal", "people", "me"]
    for path in [*places, f"machines/{quote(PUMP)}", f"alarms/{plant.press.id}"]:
        page.goto(url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_session_that_is_over_leads_to_the_sign_in(open_desk: OpenDesk, plant: Plant):
    page = open_desk()
    expect(page.locator("#live")).to_have_text("Live")
    kim = plant.account("kim")
    plant.web.accounts.change(kim.id, role=kim.role, places=kim.places, disabled=False)
    plant.desk.receive([raised(f"{OURS}/welding/robots/robot-7")])
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert plant.clock() == NOW
