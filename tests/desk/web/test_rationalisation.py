"""The rationalisation list: what is agreed on for an alarm, by whom, and where it is shown."""

from __future__ import annotations

import pytest

from desk.rules.desk import RefusedError
from desk.rules.rationalisation import ByPlace, Rationalisation, find_rationalisation
from desk.rules.scope import EVERYTHING, Scope
from desk.service.desk import NotFoundError
from desk.service.rationalisation import RationalisationList
from desk.store.store import check_journal
from pipeline.priority import Priority
from pipeline.records import AlarmKind
from tests.desk.rules.plant import PRESS as FIRST
from tests.desk.rules.plant import raised
from tests.desk.web.plant import OURS, PRESS, THEIRS, Plant


def record(place: str, cause: str = "wear", **more: object) -> Rationalisation:
    given = {"consequence": "stop", "response": "look", "minutes": 30.0, "priority": Priority.HIGH} | more
    return Rationalisation(id="", place=place, cause=cause, **given)


def test_the_narrowest_record_is_found():
    event = raised(FIRST, kind=AlarmKind.LIMIT, sensor="v", cause="trip")
    line = FIRST.rpartition("/")[0]
    wide = record("gwangju/ggm", "wide")
    near = record(line, "near")
    told = record(line, "told", machine_class="press", kind="limit", sensor="v", code="trip")
    other = record(FIRST, "other", code="warn")
    neighbour = record(f"{FIRST}0", "neighbour")
    known = [wide, told, near, other, neighbour]
    assert find_rationalisation(known, event) == told
    assert find_rationalisation([wide, near, other], event) == near
    assert find_rationalisation([neighbour, other], event) is None
    assert ByPlace(known).find(event) == told
    assert ByPlace([neighbour, other]).find(event) is None


def test_agreed_approved_changed_removed(plant: Plant):
    records, ours = RationalisationList(plant.desk), Scope.of(OURS)
    made = records.put(ours, record(f"/{OURS}/", "  wear "), by="kim")
    assert (made.place, made.cause, made.approved) == (OURS, "wear", False)
    approved = records.approve(ours, made.id, by="boss")
    assert (approved.approved_by, approved.approved_at) == ("boss", plant.clock.now)
    with pytest.raises(RefusedError):
        records.approve(ours, made.id, by="boss")
    again = records.put(ours, record(OURS, "looseness"), by="kim")
    assert (again.id, again.approved) == (made.id, False), "a change wants to be approved again"
    assert records.all(ours) == [again]
    for scope, act in (
        (Scope.of(THEIRS), lambda s: records.put(s, record(OURS), by="x")),
        (Scope.of(THEIRS), lambda s: records.approve(s, made.id, by="x")),
        (ours, lambda s: records.remove(s, plant.secret_record, by="x")),
        (ours, lambda s: records.one(s, plant.secret_record)),
    ):
        with pytest.raises(NotFoundError):
            act(scope)
    for bad in (record(OURS, " "), record(OURS, minutes=0.0), record(OURS, minutes=float("nan"))):
        with pytest.raises(RefusedError):
            records.put(ours, bad, by="x")
    records.remove(ours, made.id, by="kim")
    assert records.all(ours) == []
    assert len(records.all(EVERYTHING)) == 1
    check_journal(plant.desk.store.path, [])


def test_it_is_written_from_an_alarm_and_shown_on_it(plant: Plant):
    client = plant.client("our-engineer")
    assert "zebra" not in client.get("/rationalisation").text
    assert "nothing is agreed on (2 / 2)" in client.get("/rationalisation").text
    assert f"/rationalisation/edit?alarm={plant.press.id}" in client.get(f"/alarms/{plant.press.id}").text
    begun = client.get(f"/rationalisation/edit?alarm={plant.press.id}").text
    assert f'value="{PRESS}"' in begun
    form = {"place": f"{OURS}/body", "machine_class": "press", "kind": "condition", "priority": "low"}
    form |= {
        "cause": "Bearing worn",
        "consequence": "Line stops",
        "response": "Stop; listen",
        "minutes": "12,5",
    }
    answer = client.post("/rationalisation", data=form | {"csrf": plant.csrf(client)})
    assert answer.headers["location"] == "/rationalisation"
    page = client.get(f"/alarms/{plant.press.id}").text
    for words in (
        "Bearing worn",
        "Line stops",
        "Stop; listen",
        "12.5",
        "Not approved",
        "announced with another",
    ):
        assert words in page
    (made,) = RationalisationList(plant.desk).all(Scope.of(OURS))
    client.post(f"/rationalisation/{made.id}/approve", data={"csrf": plant.csrf(client)})
    assert "our-engineer, <time" in client.get("/rationalisation").text
    assert "Bearing worn" in client.get("/review?days=30").text
    assert "Bearing worn" in plant.client("body-crew").get(f"/alarms/{plant.press.id}").text
    client.post("/rationalisation", data=form | {"csrf": plant.csrf(client), "minutes": "soon"})
    assert "number of minutes" in client.get("/").text


def test_korean_and_the_viewer(plant: Plant):
    client = plant.client("viewer")
    client.cookies.set("yeji-language", "ko")
    assert "알람 합리화 목록" in client.get("/rationalisation").text
    assert client.get("/rationalisation/edit").status_code == 403
