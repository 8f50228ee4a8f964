"""In the hall: acts that waited for a network, labels, the wall, and what makes the desk installable."""

from __future__ import annotations

import re

import pytest

from desk.rules.journal import Action
from desk.rules.scope import EVERYTHING
from tests.desk.web.plant import MINUTE, NOW, PRESS, PUMP, Plant


def send(plant: Plant, name: str, act: str, **form: str) -> int:
    client = plant.client(name)
    data = {"csrf": plant.csrf(client), "back": "/"} | form
    return client.post(f"/alarms/{plant.press.id}/{act}", data=data).status_code


def entries(plant: Plant, action: Action):
    return [one for one in plant.desk.journal(EVERYTHING, machine=PRESS) if one.action is action]


@pytest.mark.parametrize(
    ("act", "action", "form"),
    [
        ("comment", Action.COMMENT, {"text": "oil on the floor"}),
        ("acknowledge", Action.ACKNOWLEDGE, {}),
    ],
)
def test_an_act_that_is_sent_twice_is_done_once(plant: Plant, act: str, action: Action, form: dict[str, str]):
    plant.clock.now += 10 * MINUTE
    waited = {"client": "a1b2", "at": str(NOW + 4 * MINUTE), **form}
    for _ in range(3):
        assert send(plant, "kim", act, **waited) == 303
    [entry] = entries(plant, action)
    assert (entry.by, entry.time, entry.at) == ("kim", NOW + 4 * MINUTE, NOW + 10 * MINUTE)
    plant.desk.store.rebuild()
    assert plant.desk.alarm(EVERYTHING, plant.press.id).comments == (act == "comment")


def test_nobody_can_use_up_anothers_id(plant: Plant):
    assert send(plant, "kim", "comment", text="mine", client="same") == 303
    assert send(plant, "our-engineer", "comment", text="and mine", client="same") == 303
    assert [one.why for one in entries(plant, Action.COMMENT)] == ["mine", "and mine"]


@pytest.mark.parametrize(
    "at", [str(NOW + 60 * MINUTE), str(NOW - 3 * 24 * 60 * MINUTE), "", "-5", "9" * 40, "soon"]
)
def test_a_devices_clock_that_cannot_be_right_is_not_believed(plant: Plant, at: str):
    assert send(plant, "kim", "comment", text="x", client="c", at=at) == 303
    assert entries(plant, Action.COMMENT)[0].time == NOW


def test_a_group_that_waited_is_acknowledged_once_each(plant: Plant):
    waited = {"client": "g1", "also": plant.pump.id}
    for _ in range(2):
        send(plant, "kim", "acknowledge", **waited)
    acknowledged = [one.machine for one in plant.desk.journal(EVERYTHING) if one.action is Action.ACKNOWLEDGE]
    assert sorted(acknowledged) == [PRESS, PUMP]


def test_labels_open_the_machines_of_ones_own_places(plant: Plant):
    page = plant.client("viewer").get("/labels").text
    assert page.count('class="qr"') == 2
    assert "style=" not in page, "the policy lets no style stand in a page"
    assert plant.client("viewer").get("/labels?place=lab/one/utility").text.count('class="qr"') == 1
    assert plant.client("body-crew").get("/labels").text.count('class="qr"') == 1


def test_the_wall_shows_the_worst_first_and_names_urgent_ones_that_wait(plant: Plant):
    page = plant.client("viewer").get("/wall").text
    assert page.index("press-1") < page.index("pump-1")
    assert f'data-urgent="{plant.press.id}"' in page
    plant.desk.acknowledge(EVERYTHING, plant.press.id, by="kim")
    page = plant.client("viewer").get("/wall").text
    assert 'data-urgent=""' in page
    assert "kim" in page


def test_what_a_phone_needs_to_install_it(plant: Plant):
    client = plant.client()
    manifest = client.get("/manifest.webmanifest")
    assert manifest.headers["content-type"] == "application/manifest+json"
    found = manifest.json()
    assert (found["start_url"], found["scope"], found["display"]) == ("/", "/", "standalone")
    for icon in found["icons"]:
        answer = client.get(icon["src"])
        assert answer.content[:4] == b"\x89PNG"
        assert int.from_bytes(answer.content[16:20], "big") == int(icon["sizes"].split("x")[0])
    worker = client.get("/sw.js")
    assert worker.headers["content-type"].startswith("text/javascript")
    policy = client.get("/sign-in").headers["content-security-policy"]
    assert "worker-src 'self'" in policy
    assert "manifest-src 'self'" in policy
    assert client.get("/offline").status_code == 200
    assert re.search(r'rel="manifest"', client.get("/sign-in").text)
