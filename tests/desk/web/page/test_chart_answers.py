"""The data of a machine's charts: limits, usual ranges, prognoses, sisters, and the table to take away."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from connectors.sqlite.history import SqliteHistory
from desk.web.page.app import Page
from desk.web.page.usual import usual_range
from pipeline.settings import MachineSettings, SensorSettings
from tests.desk.web.page.two_days import (
    END,
    MINUTE,
    PRESS,
    PUMP,
    SETTINGS,
    SISTER,
    START,
    WORN,
    N,
    alarm,
    scored,
    store,
)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[SqliteHistory]:
    sink = store(tmp_path)
    made = SqliteHistory(sink.path)
    yield made
    made.close()
    sink.close()


@pytest.fixture
def client(history: SqliteHistory) -> TestClient:
    return TestClient(Page(history, SETTINGS).app(), base_url="http://127.0.0.1")


def test_limits_expected_values_and_prognoses_are_told(client: TestClient):
    found = client.get("/api/series", params={"machine": PRESS, "span": 0}).json()
    vibration, temperature, _ = found["sensors"]
    assert vibration["limits"] == [
        {"name": "warn", "value": 5.0, "trip": False},
        {"name": "trip", "value": 9.0, "trip": True},
    ]
    assert temperature["limits"] == []
    (told,) = found["alarms"]
    assert (told["id"], told["priority"], told["expected"]) == (alarm().id, "urgent", {"vibration": 2.0})
    assert [one["remaining"] for one in found["prognoses"]] == [45, 44, 43, 42, 41, 40]
    assert found["prognoses"][-1] == {"time": END / 1000, "remaining": 40, "low": 20, "high": 90}
    part = {"machine": PRESS, "from": START, "to": START + 3_600_000}
    assert client.get("/api/series", params=part).json()["prognoses"] == []


def test_only_chosen_sensors_have_values_and_all_are_named(client: TestClient):
    asked = {"machine": PRESS, "span": 0, "sensor": ["temperature", "none"]}
    found = client.get("/api/series", params=asked).json()["sensors"]
    assert [one["name"] for one in found] == ["=cmd()", "temperature", "vibration"] or len(found) == 3
    assert [one["name"] for one in found if "mean" in one] == ["temperature"]


def test_the_usual_range_is_of_the_healthy_time_before(history: SqliteHistory, client: TestClient):
    before = START + WORN * MINUTE
    values = scored(PRESS, True).values[:WORN, 0]
    asked = {"machine": PRESS, "from": before, "to": END}
    low, high = client.get("/api/usual", params=asked).json()["vibration"]
    # as the readings themselves say, as far as stretches can: their extremes lie a little further out
    assert values.min() <= low <= np.percentile(values, 10)
    assert np.percentile(values, 90) <= high <= values.max()
    # looked at from the end, the worn hours do not count: they were no normal ones
    now = history.machine(PRESS)
    assert now is not None
    assert usual_range(history, now, END)["vibration"][1] <= 3.5
    # nothing lies before the first reading: the first days say it
    assert usual_range(history, now, START)["vibration"] == usual_range(history, now, END)["vibration"]


def test_the_table_is_what_was_stored(client: TestClient):
    asked = {"machine": PRESS, "from": START, "to": START + 9 * MINUTE}
    answer = client.get("/api/series.csv", params=asked)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment; filename*=UTF-8''press-1%2020251009T085320Z" in answer.headers["content-disposition"]
    head, *rows = csv.reader(io.StringIO(answer.text))
    assert set(head) == {"time", "vibration", "temperature", "'=cmd()", "score", "health", "state"}
    assert len(rows) == 10
    assert rows[0][0] == "2025-10-09T08:53:20.000Z"
    column = head.index("vibration")
    assert [float(row[column]) for row in rows] == scored(PRESS, True).values[:10, 0].tolist()
    assert len(client.get("/api/series.csv", params={"machine": PRESS, "span": 0}).text.splitlines()) == N + 1


def test_sisters_are_of_the_same_class(client: TestClient):
    assert client.get("/api/sisters", params={"machine": PRESS}).json() == [SISTER]
    assert client.get("/api/sisters", params={"machine": PUMP}).json() == []


@pytest.mark.parametrize("path", ["/api/series.csv", "/api/usual", "/api/sisters"])
def test_a_machine_that_is_not_there(client: TestClient, path: str):
    assert client.get(path).status_code == 404
    assert client.get(path, params={"machine": "none"}).status_code == 404


def test_a_machines_own_limit_takes_its_classs_place(history: SqliteHistory):
    own = MachineSettings(sensors={"vibration": SensorSettings(trip=11.0)})
    settings = SETTINGS.model_copy(update={"machines": {PRESS: own}})
    client = TestClient(Page(history, settings).app(), base_url="http://127.0.0.1")

    def limits(machine: str) -> list[float]:
        found = client.get("/api/series", params={"machine": machine, "span": 0}).json()
        return [one["value"] for one in found["sensors"][0]["limits"]]

    assert limits(PRESS) == [5.0, 11.0]
    assert limits(SISTER) == [5.0, 9.0]
