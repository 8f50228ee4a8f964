"""What a crew can do on the desk's pages, without a browser: each act, its note, and what is refused."""

from __future__ import annotations

import re

import pytest

from desk.rules.journal import Action
from desk.rules.life import AlarmState
from desk.rules.scope import EVERYTHING
from desk.texts.catalogue import languages
from desk.web.pages.times import local_text, parse_local
from pipeline.records import VerdictKind
from tests.desk.web.page.test_page import Strict
from tests.desk.web.plant import MINUTE, NOW, OURS, PRESS, PUMP, Plant, cleared, raised

ZONE = "Asia/Seoul"


def do(plant: Plant, who: str, path: str, **form: str) -> str:
    """Send a form as ``who``; gives the note on the page that it leads to."""
    client = plant.client(who)
    answer = client.post(path, data={"csrf": plant.csrf(client), "back": "/", **form})
    assert answer.status_code == 303, answer.text
    page = client.get(answer.headers["location"])
    assert page.status_code == 200
    note = re.search(r'<p class="note[^>]*>([^<]*)</p>', page.text)
    assert note is not None
    assert '<p class="note' not in client.get("/").text, "a note is shown once"
    return note[1]


def act(plant: Plant, name: str, who: str = "kim", **form: str) -> str:
    return do(plant, who, f"/alarms/{plant.press.id}/{name}", **form)


def press(plant: Plant):
    return plant.desk.alarm(EVERYTHING, plant.press.id)


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize(
    "path",
    [
        *("/", "/fleet", "/windows", "/report?hours=24", "/kpis?days=30", "/journal", "/people", "/me"),
        *("/sign-in", f"/machines/{PRESS}", f"/machines/{PUMP}?span=0", "ALARM"),
    ],
)
def test_every_page_is_sound_in_every_language(plant: Plant, path: str, language: str):
    client = plant.client(None if path == "/sign-in" else "root")
    client.cookies.set("yeji-language", language)
    act(plant, "shelve", why="x", hours="2")
    answer = client.get(path.replace("ALARM", f"/alarms/{plant.press.id}"))
    assert answer.status_code == 200
    assert f'<html lang="{language}"' in answer.text
    Strict(answer.text)


def test_acknowledge_and_take(plant: Plant):
    assert act(plant, "acknowledge") == "Acknowledged."
    assert press(plant).acknowledged_by == "kim"
    assert "kim has acknowledged it already" in act(plant, "acknowledge")
    assert act(plant, "take") == "It is yours."
    assert press(plant).taken_by == "kim"


def test_acknowledge_a_whole_group(plant: Plant):
    other = raised(f"{OURS}/body/line-1/press-2")
    plant.desk.receive([other])
    lead = next(one for one in plant.desk.open_alarms(EVERYTHING) if one.members)
    assert sum(one.waits for one in (lead, *lead.members)) == 2
    page = plant.client("kim").get("/").text
    also = re.search(r'name="also" value="([^"]+)"', page)
    assert also is not None
    do(plant, "kim", f"/alarms/{lead.id}/acknowledge", also=also[1])
    assert not any(
        one.waits for one in plant.desk.open_alarms(EVERYTHING) if one.machine.startswith(OURS + "/body")
    )


def test_shelve_and_bring_back(plant: Plant):
    assert "Say why" in act(plant, "shelve", hours="2")
    assert "none of the times" in act(plant, "shelve", hours="9999", why="x")
    assert act(plant, "shelve", hours="2", why="new die at noon") == "Shelved."
    assert press(plant).state is AlarmState.SHELVED_TIMED
    assert press(plant).shelved_until == NOW + 120 * MINUTE
    assert act(plant, "unshelve") == "It is back on the desk."
    act(plant, "shelve", hours="", why="x")
    assert press(plant).state is AlarmState.SHELVED_ONE_SHOT


def test_comment(plant: Plant):
    assert "The comment is empty" in act(plant, "comment", text="  ")
    assert act(plant, "comment", text="smells of oil") == "Comment kept."
    assert "smells of oil" in plant.client("viewer").get(f"/alarms/{plant.press.id}").text


@pytest.mark.parametrize(
    "form",
    [
        {"kind": "fault-confirmed", "failure_mode": "bearing-wear", "part": "6205", "comment": "greased"},
        {"kind": "false-alarm"},
        {"kind": "planned-work"},
        {"kind": "sensor-fault", "sensor": "vibration"},
    ],
)
def test_close_with_a_verdict(plant: Plant, form: dict[str, str]):
    assert act(plant, "close", **form) == "Closed. The models learn from it."
    verdict = plant.desk.verdicts(EVERYTHING, machine=PRESS)[0]
    assert verdict.kind == form["kind"]
    assert (verdict.failure_mode, verdict.part) == (form.get("failure_mode", ""), form.get("part", ""))
    assert (verdict.by, verdict.alarm) == ("kim", plant.press.id)


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"kind": "fault-confirmed"}, "Name the failure mode"),
        ({"kind": "sensor-fault"}, "Name the sensor"),
        ({"kind": "who knows"}, "choose one of the four"),
        ({}, "choose one of the four"),
    ],
)
def test_a_verdict_that_says_too_little_is_refused(plant: Plant, form: dict[str, str], why: str):
    assert why in act(plant, "close", **form)
    done = {entry.action for entry in plant.desk.journal(EVERYTHING, alarm=plant.press.id)}
    assert done == {Action.RAISE}


def test_the_next_alarm_says_what_was_found_last_time(plant: Plant):
    act(plant, "close", kind="fault-confirmed", failure_mode="worn-clutch", comment="new lining")
    plant.desk.receive([cleared(plant.press, NOW)])
    again = raised(PRESS, ago=1)
    plant.desk.receive([again])
    text = plant.client("kim").get(f"/alarms/{again.id}").text
    assert "Last time on this machine" in text
    assert "worn-clutch" in text
    assert "new lining" in text
    assert '<option value="worn-clutch">' in text  # offered while typing


def test_out_of_service_is_an_engineers_act(plant: Plant):
    assert act(plant, "out-of-service", "our-engineer", why="sensor on order") == "Out of service."
    assert press(plant).state is AlarmState.OUT_OF_SERVICE
    assert act(plant, "in-service", "our-engineer") == "Back in service."


def test_planned_work(plant: Plant):
    form = {"place": f"{OURS}/body", "start": "2025-10-09T10:00", "why": "die change"}
    assert "no time" in do(plant, "our-engineer", "/windows", end="noon", **form)
    assert "ends before" in do(plant, "our-engineer", "/windows", end="2025-10-09T09:00", **form)
    start, end = local_text(NOW, ZONE), local_text(NOW + 60 * MINUTE, ZONE)
    assert do(plant, "our-engineer", "/windows", **form | {"start": start}, end=end) == "Planned."
    nowhere = form | {"place": f"{OURS}/bodi", "start": start}
    assert "is the place right?" in do(plant, "our-engineer", "/windows", end=end, **nowhere)
    window = next(one for one in plant.desk.windows(EVERYTHING) if one.place == f"{OURS}/body")
    assert window.end - window.start == 60 * MINUTE
    assert press(plant).state is AlarmState.SUPPRESSED
    assert "die change" in plant.client("kim").get("/windows").text
    plant.clock.now += MINUTE
    assert do(plant, "our-engineer", f"/windows/{window.id}/end") == "Ended."
    assert press(plant).state is AlarmState.UNACKNOWLEDGED
    assert "ended already" in do(plant, "our-engineer", f"/windows/{window.id}/end")


def test_a_machine_is_down_and_runs_again(plant: Plant):
    assert do(plant, "our-engineer", f"/machines/{PRESS}/down", why="fuse") == "Marked as down."
    assert "Down since" in plant.client("kim").get(f"/machines/{PRESS}").text
    assert "down already" in do(plant, "our-engineer", f"/machines/{PRESS}/down", why="fuse")
    assert do(plant, "our-engineer", f"/machines/{PRESS}/up") == "Marked as running."


def test_a_verdict_on_a_time_without_an_alarm(plant: Plant):
    form = {"start": "2025-10-09T10:00", "end": "2025-10-09T11:30", "kind": "fault-confirmed"}
    do(plant, "kim", f"/machines/{PRESS}/verdict", failure_mode="leak", **form)
    verdict = plant.desk.verdicts(EVERYTHING, machine=PRESS)[0]
    assert (verdict.kind, verdict.alarm) == (VerdictKind.FAULT, None)
    assert verdict.end - verdict.start == 90 * MINUTE
    assert verdict.start == parse_local("2025-10-09T10:00", ZONE)


@pytest.mark.parametrize("path", ["/machines/x/verdict", "/machines/a/b/c/d/e/f/down", "/machines/x"])
def test_a_name_that_is_no_machine_is_not_found(plant: Plant, path: str):
    client = plant.client("root")
    csrf = plant.csrf(client)
    answer = client.get(path) if path == "/machines/x" else client.post(path, data={"csrf": csrf, "why": "x"})
    assert answer.status_code == 404


def test_the_shift_report(plant: Plant):
    act(plant, "acknowledge")
    act(plant, "shelve", hours="2", why="new die at noon")
    plant.clock.now += MINUTE
    text = plant.client("viewer").get("/report?hours=8").text
    for words in ("Handed on: what stands now (1)", "new die at noon", "Acknowledged", "Journal seal"):
        assert words in text
    start, end = local_text(NOW - 600 * MINUTE, ZONE), local_text(NOW - 500 * MINUTE, ZONE)
    assert "Alarms that began (0)" in plant.client("viewer").get(f"/report?start={start}&end={end}").text
    assert plant.client("viewer").get("/report?start=x").status_code == 303


def test_the_kpis(plant: Plant):
    plant.clock.now += 5 * MINUTE
    act(plant, "acknowledge")
    act(plant, "close", kind="false-alarm")
    plant.clock.now += MINUTE
    text = plant.client("viewer").get("/kpis?days=1").text
    assert "5 min" in text
    assert "100 %" in text
    assert "of 150 that a crew can handle" in text


def test_the_journal_names_who_did_what(plant: Plant):
    act(plant, "comment", text="smells of oil")
    text = plant.client("our-engineer").get(f"/journal?machine={PRESS}").text
    assert "smells of oil" in text
    assert "kim" in text
    assert "pump-1" not in text


def test_a_desk_without_a_store_of_readings(plant: Plant):
    from starlette.testclient import TestClient

    from desk.web.app import make_web

    web = make_web(plant.desk, plant.store, None)
    client = TestClient(web.app, base_url="http://127.0.0.1")
    client.cookies.set("yeji-desk", web.sessions.begin(plant.account("kim")))
    assert "No store of readings" in client.get(f"/machines/{PRESS}").text
    assert client.get("/fleet").status_code == 200
    assert client.get("/api/series", params={"machine": PRESS}).status_code == 404


def test_the_shift_report_tells_a_window_once_however_many_machines_it_covers(plant: Plant):
    plant.desk.receive([raised(f"{OURS}/body/line-1/press-2")])
    form = {
        "place": f"{OURS}/body",
        "start": local_text(NOW, ZONE),
        "end": local_text(NOW + 60 * MINUTE, ZONE),
    }
    do(plant, "our-engineer", "/windows", why="new die", **form)
    act(plant, "close", kind="planned-work", comment="as planned")
    assert len(plant.desk.verdicts(EVERYTHING, machine=f"{OURS}/body/line-1/press-2")) == 1
    plant.clock.now += MINUTE
    text = plant.client("viewer").get("/report?hours=8").text
    assert text.count("new die") == 2, "as planned work, and as what somebody did"
    assert "What was found (1)" in text
    assert "as planned" in text


def test_health_tells_strangers_nothing(plant: Plant):
    assert plant.client().get("/healthz").json() == {"status": "ok"}
