"""What is said of a machine and of an alarm is the same on every page, in the terminal and in Grafana."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import quote

import pytest

from connectors.grafana.annotate import tags
from connectors.grafana.annotate import text as annotation
from connectors.grafana.dashboards.panels import PRIORITY_LOOK, STATE_LOOK
from connectors.influx.schema import alarm_line
from desk.rules.scope import EVERYTHING
from desk.texts.catalogue import Texts
from pipeline.cause import Cause
from pipeline.priority import Priority
from pipeline.records import AlarmKind, State
from streams.cli.terminal import alarm_text
from tests.desk.web.plant import MINUTE, NOW, OURS, PUMP, Plant, cleared, raised


def badges(text: str) -> list[str]:
    """The priorities that a page shows."""
    return [
        re.sub(r"<[^>]+>|\W", "", one) for one in re.findall(r"badge priority.*?</span> (\w+)</span>", text)
    ]


@pytest.mark.parametrize("severity", [1, 2, 3, 4])
@pytest.mark.parametrize("criticality", [1, 4])
def test_an_alarm_has_one_priority_everywhere(plant: Plant, severity: int, criticality: int):
    machine = f"{OURS}/body/line-7/drill-1"
    plant.desk.settings.classes["press"].criticality = criticality
    event = replace(raised(machine, severity=severity), criticality=criticality)
    plant.desk.receive([event])
    word = event.priority.name.capitalize()
    client = plant.client("kim")
    assert badges(client.get("/?q=drill-1").text)[0] == word
    assert badges(client.get(f"/alarms/{event.id}").text)[0] == word
    assert set(badges(client.get(f"/machines/{quote(machine)}").text)) == {word}
    assert word.lower() in alarm_text(event, plant.desk.settings).plain
    assert f"priority:{word.lower()}" in tags(event)
    assert f"priority {word.lower()}" in annotation(event)
    assert f"priority={int(event.priority)}i".encode() in alarm_line(event)


def test_words_of_priorities_and_states_are_those_of_the_pages():
    t = Texts("en")
    assert {one: name for one, (name, _) in PRIORITY_LOOK.items()} == {
        one: t(f"priority.{one.name.lower()}").lower() for one in Priority
    }
    assert {one: name for one, (name, _) in STATE_LOOK.items()} == {
        one: t(f"state.{one.name.lower()}").lower() for one in State
    }


def test_no_page_speaks_of_severity(plant: Plant):
    client = plant.client("kim")
    for path in ("/", "/fleet", f"/alarms/{plant.press.id}", f"/machines/{quote(PUMP)}", "/report?hours=24"):
        assert "everity" not in client.get(path).text


def card(text: str, machine: str) -> str:
    return text.split(f'id="m-{machine}"')[1].split("</li>")[0]


def test_a_machine_over_its_limit_is_shown_as_in_alarm_though_its_readings_are_normal(plant: Plant):
    """The pump's readings are normal and its health is full; a fixed limit was crossed three hours ago."""
    plant.desk.acknowledge(EVERYTHING, plant.pump.id, by="kim")
    plant.desk.receive([cleared(plant.pump, NOW - MINUTE)])
    client = plant.client("kim")
    before = card(client.get("/fleet").text, PUMP)
    trip = replace(
        raised(PUMP, ago=180, severity=4),
        id="pump-trip",
        kind=AlarmKind.LIMIT,
        sensor="vibration",
        cause=Cause("trip", value=9.0, limit=4.0),
    )
    plant.desk.receive([trip])
    after = card(client.get("/fleet").text, PUMP)
    page = client.get(f"/machines/{quote(PUMP)}").text
    assert "badge alarm" not in before
    for shown in (after, page):
        assert "badge alarm" in shown
        assert "badge normal" not in shown
        assert badges(shown)[0] == "Urgent"
        assert "Limit Vibration · Since" in shown


def test_what_came_back_and_grew_is_said_on_the_card_when_nothing_is_open(plant: Plant):
    machine = PUMP
    for k in range(5):
        part = replace(plant.pump.contributions[0], deviation=5.0 + k, value=5.0 + k)
        event = replace(raised(machine, ago=60 * (30 - k)), contributions=(part,))
        plant.desk.receive([event, cleared(event, event.onset + MINUTE)])
    plant.desk.receive([cleared(plant.pump, NOW)])
    for one in plant.desk.points(EVERYTHING, machine):
        if one.waits:
            plant.desk.acknowledge(EVERYTHING, one.id, by="kim")
    shown = card(plant.client("kim").get("/fleet").text, machine)
    assert "badge suspect" in shown or "badge alarm" in shown
    assert "badge normal" not in shown
    assert re.search(r"[56] times", shown)
    assert "Vibration grew to" in shown
