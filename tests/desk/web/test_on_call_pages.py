"""The on-call page: swaps on a phone, rotas and files by engineers, a calendar to subscribe to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from icalendar import Calendar
from playwright.sync_api import expect
from starlette.testclient import TestClient

from desk.access.on_call import OnCallAccess
from desk.access.roles import Role
from desk.rules.on_call import Rota
from desk.rules.scope import EVERYTHING, Scope
from desk.service.on_call import DAY, OnCallBook
from desk.web.page.server import ThreadedServer
from tests.desk.rules.test_on_call import ics
from tests.desk.web.plant import NOW, OURS, Plant

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext


@pytest.fixture
def book(plant: Plant) -> OnCallBook:
    plant.web.accounts.add("lee", "Lee", Role.CREW, [OURS])
    made = OnCallBook(plant.desk)
    rota = Rota(id="", place=OURS, name="days", people=("kim", "lee"), every="day", first="2025-10-06")
    made.put_rota(EVERYTHING, rota, by="our-engineer")
    return made


def sent(plant: Plant, client: TestClient, path: str, **form: str) -> None:
    answer = client.post(path, data=form | {"csrf": plant.csrf(client), "back": "/on-call"})
    assert answer.status_code == 303, answer.text


def test_an_engineer_makes_a_rota_and_takes_in_holidays(plant: Plant):
    client = plant.client("our-engineer")
    rota = {"place": OURS, "name": "nights", "people": "kim\nour-engineer", "hours": "22:00-06:00"}
    rota |= {"every": "day", "first": "2025-10-06", "holidays": "off"}
    sent(plant, client, "/on-call/rotas", **rota)
    book = OnCallBook(plant.desk)
    (made,) = [one for one in book.rotas(EVERYTHING) if one.name == "nights"]
    sent(plant, client, "/on-call/rotas", **(rota | {"people": "kim\ntheir-admin", "name": "bad"}))
    assert "their-admin is no account of these places" in client.get("/on-call").text
    file = {"file": ("h.ics", ics("DTSTART;VALUE=DATE:20251010\r\nSUMMARY:x"), "text/calendar")}
    form = {"csrf": plant.csrf(client), "place": OURS, "name": "Holidays", "kind": "holidays"}
    assert client.post("/on-call/import", data=form, files=file).status_code == 303
    assert [one.name for one in book.calendars(EVERYTHING)] == ["Holidays"]
    before = len(book.duties(Scope.of(OURS), NOW, NOW + 3 * DAY))
    assert before == 2, "not on the holiday"
    sent(plant, client, f"/on-call/rotas/{made.id}/remove")
    assert book.duties(Scope.of(OURS), NOW, NOW + 3 * DAY) == []
    assert plant.client("kim").post("/on-call/rotas", data=rota).status_code == 403


def test_a_calendar_is_subscribed_to_by_its_key_alone(plant: Plant, book: OnCallBook):
    client, anybody = plant.client("kim"), plant.client()
    sent(plant, client, "/on-call/key")
    mine, every = re.findall(r"<code[^>]*>([^<]+)</code>", client.get("/on-call").text)[::-1]
    paths = [address.removeprefix("http://127.0.0.1:8011") for address in (mine, every)]
    people = []
    for path in paths:
        answer = anybody.get(path)
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        events = Calendar.from_ical(answer.content).walk("VEVENT")
        people.append({str(one["SUMMARY"]).rpartition(" ")[2] for one in events})
        assert "zebra" not in answer.text
    assert people == [{"kim"}, {"kim", "lee"}]
    assert anybody.get(paths[0].replace("mine", "other")).status_code == 404
    sent(plant, client, "/on-call/key")
    assert anybody.get(paths[0]).status_code == 404, "a new key makes the old one useless"
    access = OnCallAccess(plant.store, plant.web.accounts)
    token = access.new_key(plant.account("kim"))
    kim = plant.account("kim")
    plant.web.accounts.change(kim.id, role=kim.role, places=kim.places, disabled=True, by="root")
    assert anybody.get(f"/on-call/{token}/mine.ics").status_code == 404
    assert token not in (plant.desk.settings.data / "desk-accounts.sqlite").read_bytes().decode("latin-1")


def test_everybody_says_where_they_are_told(plant: Plant):
    client = plant.client("kim")
    sent(plant, client, "/on-call/address", address="kim@plant.example")
    assert plant.desk.addresses(["kim", "lee"]) == {"kim": "kim@plant.example"}
    sent(plant, client, "/on-call/address", address="a@b\r\nBcc: all@x")
    assert "no e-mail address" in client.get("/on-call").text
    assert plant.desk.addresses(["kim"]) == {"kim": "kim@plant.example"}
    sent(plant, client, "/on-call/address", address="")
    assert plant.desk.addresses(["kim"]) == {}


def test_programs_ask_who_is_on_call(plant: Plant, book: OnCallBook):
    answer = plant.client("viewer").get("/api/v1/on-call?days=2").json()["items"]
    assert [one["now"] for one in answer] == [True, False, False]
    assert {one["person"] for one in answer} == {"kim", "lee"}
    assert plant.client("viewer").get("/api/v1/on-call?days=2&place=x").json()["items"] == []


# -- on a phone


@pytest.fixture
def served(plant: Plant) -> Iterator[str]:
    server = ThreadedServer(plant.web.app, plant.web.live_updates, "127.0.0.1", 0, "desk")
    yield server.start()
    server.stop()


def phone_of(browser: Browser, plant: Plant, url: str, who: str, language: str) -> BrowserContext:
    context = browser.new_context(viewport={"width": 360, "height": 780}, has_touch=True, base_url=url)
    context.set_default_timeout(15_000)
    token = plant.web.sessions.begin(plant.account(who))
    cookies = {"yeji-desk": token, "yeji-language": language}
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    return context


@pytest.mark.browser
def test_a_swap_is_asked_for_and_accepted_on_phones(
    browser: Browser, plant: Plant, book: OnCallBook, served: str
):
    first = book.duties(EVERYTHING, NOW, NOW + 14 * DAY, "kim")[0]
    asks = phone_of(browser, plant, served, "kim", "ko")
    page = asks.new_page()
    page.goto("/on-call")
    expect(page.get_by_role("heading", name="지금 당직")).to_be_visible()
    page.locator("#mine summary").first.tap()
    page.get_by_label("대신할 사람").first.select_option("lee")
    page.get_by_role("button", name="요청", exact=True).first.tap()
    expect(page.locator("#swaps")).to_contain_text("kim → lee")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off"
    asks.close()
    takes = phone_of(browser, plant, served, "lee", "en")
    page = takes.new_page()
    page.goto("/on-call")
    page.get_by_role("button", name="Accept").tap()
    expect(page.locator("#swaps")).to_contain_text("accepted")
    takes.close()
    taken = next(one for one in book.duties(EVERYTHING, NOW, NOW + 14 * DAY) if one.start == first.start)
    assert (taken.person, taken.swapped) == ("lee", "kim")
