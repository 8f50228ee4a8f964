"""Advice on the desk: a sentence leads, figures are one tap away, engineers change the catalogue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from desk.rules.scope import EVERYTHING
from tests.desk.web.plant import MINUTE, OURS, PRESS, Plant, raised

if TYPE_CHECKING:
    from starlette.testclient import TestClient

FORM = {
    "place": OURS,
    "title_en": "Broken tie rod",
    "title_ko": "타이로드 파손",
    "sentence_en": "A tie rod{where} may be broken",
    "sentence_ko": "타이로드 파손이 의심됩니다",
    "checks_en": "Look at the nuts\nMeasure the preload",
    "checks_ko": "너트를 본다\n예하중을 잰다",
    "safety_en": "Slide down",
    "parts_en": "",
    "symptoms": "vibration up 0.95\nforce down 0.9",
    "iso14224": "brd, vib",
    "prior": "5",
    "minutes": "40",
    "skill": "mechanic",
    "why": "two broke in spring",
    "back": "/advice",
}


def post(plant: Plant, client: TestClient, path: str, **changed: str) -> str:
    """Send the form; gives what the next page notes of it."""
    answer = client.post(path, data=FORM | {"csrf": plant.csrf(client)} | changed)
    assert answer.status_code == 303, answer.text
    page = client.get(answer.headers["location"]).text
    note = re.search(r'class="note(?: refused)?"[^>]*>(.*?)</p>', page, re.DOTALL)
    return note[1].strip() if note else ""


def test_an_alarm_leads_with_the_sentence_then_the_check_and_hides_the_figures(plant: Plant):
    page = plant.client("kim").get("/").text
    card = page[page.index(f'id="a-{plant.press.id}"') :]
    sentence = card.index("Bearing runs rough: Vibration 9.5 mm/s, usual 2, for 5 min")
    check = card.index("Listen at the housing")
    figures = card.index('<details class="figures"')
    assert sentence < check < figures < card.index("σ")


def test_the_alarms_page_says_what_to_do_in_order(plant: Plant):
    client = plant.client("kim")
    page = client.get(f"/alarms/{plant.press.id}").text
    order = [
        "Bearing runs rough",
        "Check first",
        "Listen at",
        "Lock out",
        "Who and how long",
        "Bearing wear or pitting 72 %",
    ]
    places = [page.index(one) for one in order]
    assert places == sorted(places)
    assert page.index('<details class="figures"') < page.index("+11.2 σ")
    link = re.search(r'href="(/advice/[^"]*)"', page)
    assert link is not None
    assert client.get(link[1]).status_code == 200


def test_in_korean(plant: Plant):
    client = plant.client("kim")
    client.cookies.set("yeji-language", "ko")
    page = client.get(f"/alarms/{plant.press.id}").text
    assert "베어링이 거칠게 돌고 있습니다: 진동 9.5 mm/s, 평소 2" in page
    assert "먼저 확인할 것" in page
    assert "청음봉" in page


def test_a_value_that_rises_is_said_to(plant: Plant):
    rising = raised(PRESS, ago=4, sensor="temperature", severity=4)
    plant.desk.modes = lambda _: ()
    plant.desk.receive([rising])
    assert "rising for 4 min" in plant.client("kim").get(f"/alarms/{rising.id}").text


def test_an_engineer_adds_a_mode_and_the_next_alarm_may_name_it(plant: Plant):
    client = plant.client("our-engineer")
    assert "Kept." in post(plant, client, "/advice/press/new", key="tie-rod")
    page = client.get("/advice/press/tie-rod").text
    for words in ("Broken tie rod", "Measure the preload", "two broke in spring", "our-engineer", "BRD"):
        assert words in page
    assert "Broken tie rod" in client.get("/advice").text
    plant.desk.modes = lambda _: ()
    plant.clock.now += MINUTE
    event = raised(f"{OURS}/body/line-1/press-9", severity=4)
    plant.desk.receive([event])
    likely = plant.desk.advice.advisor.likely(event)
    assert likely["tie-rod"] == max(likely.values())


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"symptoms": "smell up 0.5"}, "no quantity is called"),
        ({"symptoms": "vibration sideways 0.5"}, "Write a symptom as"),
        ({"symptoms": "vibration up"}, "Write a symptom as"),
        ({"checks_en": "", "checks_ko": ""}, "at least one check"),
        ({"prior": "often"}, "are numbers"),
        ({"skill": "wizard"}, "Choose who"),
        ({"why": ""}, "Say why"),
        ({"key": "two words"}, "letters, digits and hyphens"),
        ({"iso14224": "QQQ"}, "no failure mode of ISO 14224"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_changes(plant: Plant, changed: dict[str, str], why: str):
    client, head = plant.client("our-engineer"), plant.desk.head()
    assert why in post(plant, client, "/advice/press/new", **({"key": "tie-rod"} | changed))
    assert plant.desk.head() == head


def test_a_mode_is_taken_out_and_an_earlier_version_put_back(plant: Plant):
    client = plant.client("our-engineer")
    post(plant, client, "/advice/press/new", key="tie-rod")
    [first] = plant.desk.advice.versions(EVERYTHING, "press", "tie-rod")
    post(plant, client, "/advice/press/tie-rod/remove")
    assert "tie-rod" not in plant.desk.advice.advisor.titles("press", PRESS, "en")
    assert "taken out" in client.get("/advice/press/tie-rod").text
    post(plant, client, "/advice/press/tie-rod/restore", seq=str(first.seq))
    assert plant.desk.advice.advisor.titles("press", PRESS, "ko")["tie-rod"] == "타이로드 파손"


def test_crews_look_and_do_not_change(plant: Plant):
    client = plant.client("kim")
    page = client.get("/advice/bearing/bearing-wear").text
    assert "<form" not in page[page.index("<main") :]
    answer = client.post("/advice/bearing/bearing-wear", data=FORM | {"csrf": plant.csrf(client)})
    assert answer.status_code == 403


def test_the_api_gives_the_same_in_both_languages(plant: Plant):
    found = plant.client("kim").get(f"/api/v1/alarms/{plant.press.id}").json()["advice"]
    assert found["mode"] == "bearing-wear"
    assert found["sentence"]["en"].startswith("Bearing runs rough")
    assert found["sentence"]["ko"].startswith("베어링이 거칠게")
    assert found["checks"][0]["en"].startswith("Listen")
    assert found["checks"][0]["ko"].startswith("청음봉")
    assert found["skill"] == "vibration"


def test_the_verdicts_form_offers_the_modes_of_the_machine_by_name(plant: Plant):
    page = plant.client("kim").get(f"/alarms/{plant.press.id}").text
    assert '<option value="clutch-brake-wear">Clutch or brake worn</option>' in page


def test_the_review_lists_cause_consequence_response_and_time_of_ones_own_places(plant: Plant):
    page = plant.client("viewer").get("/review?days=30").text
    row = page[page.index("Rationalisation list") :]
    for words in (
        "press-1",
        "Bearing wear or pitting",
        "The line stands",
        "Listen at the housing",
        "about 30 min",
    ):
        assert words in row
    assert "pump-1" not in plant.client("body-crew").get("/review").text
    assert "hush" not in page
    client = plant.client("viewer")
    client.cookies.set("yeji-language", "ko")
    assert "알람 합리화 목록" in client.get("/review").text
