"""Every panel's and every variable's query, run on the real InfluxDB over an hour of results."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from influxdb_client import InfluxDBClient, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from local_services import InfluxService
from pydantic import SecretStr

from connectors.grafana.dashboards.build import build_all
from connectors.influx.settings import InfluxSettings
from connectors.influx.sink import InfluxSink
from pipeline.records import AlarmKind, AlarmPhase
from tests.connectors.grafana.playing_grafana import Player, Value, all_values, choose, dashboard_variables
from tests.connectors.grafana.recording import (
    MACHINES,
    PRESS,
    PUMP,
    ROBOT,
    SENSORS,
    Recording,
    by_the_pipeline,
    record,
)
from tests.pipeline import plant

pytestmark = pytest.mark.services

DASHBOARDS = build_all()

#: Panels of the machine dashboard that have nothing to say of a machine that never left learning.
QUIET = {"Score", "Threshold in", "Alarms", "What raised the score", "Time to threshold"}


def panels(uid: str) -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARDS[uid]["panels"] if panel["type"] != "row"]


def titles() -> list[tuple[str, int]]:
    return [(uid, panel["id"]) for uid in DASHBOARDS for panel in panels(uid)]


@pytest.fixture(scope="module")
def recording() -> Recording:
    return record((int(time.time()) - 7200) * 1000)


@pytest.fixture(scope="module")
def player(influx: InfluxService, recording: Recording) -> Iterator[Player]:
    with InfluxDBClient(influx.url, influx.token, org=influx.org) as client:
        bucket = client.buckets_api().create_bucket(bucket_name=f"grafana.{time.time_ns()}", org=influx.org)
        writer = client.write_api(write_options=SYNCHRONOUS)
        writer.write(bucket.name, record=b"".join(recording.lines()), write_precision=WritePrecision.MS)
        writer.write(bucket.name, record=b"".join(recording.rejected()), write_precision=WritePrecision.NS)
        start, stop = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (recording.begin, recording.end))
        yield Player(replace(influx, bucket=bucket.name), start, stop)
        client.buckets_api().delete_bucket(bucket)


def ask(player: Player, uid: str, panel: dict[str, Any], values: dict[str, Value]) -> list[list[Any]]:
    everything = all_values(DASHBOARDS[uid])
    answers = []
    for target in panel["targets"]:
        tables = player.run(target["query"], values, everything)
        assert any(tables), f"{panel['title']} {target['refId']} gives no row"
        answers.append(tables)
    return answers


def opened(player: Player, uid: str, **wanted: Value) -> dict[str, Value]:
    return choose(player, DASHBOARDS[uid], wanted)


def one(player: Player, uid: str, title: str, values: dict[str, Value]) -> list[list[dict[str, Any]]]:
    panel = next(panel for panel in panels(uid) if panel["title"] == title)
    return ask(player, uid, panel, values)[0]


@pytest.mark.parametrize(("uid", "number"), titles())
def test_every_query_returns_rows(player: Player, uid: str, number: int) -> None:
    panel = next(panel for panel in panels(uid) if panel["id"] == number)
    wanted: dict[str, Value] = {"machine": PRESS} if uid == "yeji-machine" else {}
    values = opened(player, uid, **wanted)
    for sensor in SENSORS if panel.get("repeat") == "sensor" else [None]:
        answers = ask(player, uid, panel, {**values, "sensor": sensor} if sensor else values)
        for tables in answers:
            points = sum(len(table) for table in tables)
            assert points <= 3 * 130 * len(tables), "so many rows would make a month slow"
            for row in (row for table in tables for row in table):
                assert panel["type"] == "table" or "_value" in row


@pytest.mark.parametrize("machine", [PUMP, ROBOT])
def test_other_machines_show_what_they_have(player: Player, machine: str) -> None:
    values = opened(player, "yeji-machine", machine=machine)
    everything = all_values(DASHBOARDS["yeji-machine"])
    for panel in panels("yeji-machine"):
        chosen = {**values, "sensor": SENSORS[2]}
        rows = [
            row
            for t in panel["targets"]
            for table in player.run(t["query"], chosen, everything)
            for row in table
        ]
        if machine == PUMP and panel["title"] != "Threshold in" and panel["title"] != "Time to threshold":
            assert rows, panel["title"]
        if machine == ROBOT:
            assert bool(rows) == (panel["title"] not in QUIET), panel["title"]


def test_variables_narrow_each_other(player: Player) -> None:
    everywhere = opened(player, "yeji-fleet")
    assert everywhere == {"tenant": "$__all", "area": "$__all", "line": "$__all"}
    assert rows_of(player, everywhere) == set(MACHINES)
    assert rows_of(player, opened(player, "yeji-fleet", tenant=["gwangju/ggm"])) == {PRESS, PUMP}
    both: list[str] = ["gwangju/ggm", "busan/yard"]
    assert rows_of(player, opened(player, "yeji-fleet", tenant=both)) == set(MACHINES)
    assert rows_of(player, opened(player, "yeji-fleet", area=["paint"])) == {PUMP}
    # A name with characters that mean something in a regular expression stands for itself.
    assert rows_of(player, opened(player, "yeji-fleet", line=["cell (a)"])) == {ROBOT}
    with pytest.raises(AssertionError, match="offers"):
        opened(player, "yeji-fleet", tenant=["busan/yard"], area=["paint"])


def rows_of(player: Player, values: dict[str, Value]) -> set[str]:
    return {
        row["machine"]
        for table in one(player, "yeji-fleet", "All machines", values)
        for row in table
        if "machine" in row
    }


def number_of(player: Player, uid: str, title: str, **wanted: Value) -> float:
    panel = next(p for p in panels(uid) if p["title"] == title and p["type"] == "stat")
    tables = ask(player, uid, panel, opened(player, uid, **wanted))[0]
    assert [len(table) for table in tables] == [1], "a number has one row"
    value: float = tables[0][0]["_value"]
    return value


def test_the_numbers_are_right(player: Player) -> None:
    fleet = {
        t: number_of(player, "yeji-fleet", t)
        for t in ("Machines", "In alarm", "Suspect", "Learning", "Alarms")
    }
    assert fleet == {"Machines": 3, "In alarm": 1, "Suspect": 0, "Learning": 1, "Alarms": 3}
    assert number_of(player, "yeji-fleet", "Lowest health") == pytest.approx(30)
    assert number_of(player, "yeji-machine", "State", machine=PRESS) == 3
    assert number_of(player, "yeji-machine", "Threshold in", machine=PRESS) == 43
    assert number_of(player, "yeji-alarms", "Standing") == 2
    assert number_of(player, "yeji-alarms", "Most in ten minutes") == 2
    assert number_of(player, "yeji-alarms", "Alarms an hour") == pytest.approx(3)
    assert number_of(player, "yeji-system", "Workers") == 2
    assert number_of(player, "yeji-system", "Machines") == 4
    assert number_of(player, "yeji-system", "Lag") == 10
    assert number_of(player, "yeji-system", "Rejected") == 3


def test_rates_are_per_second(player: Player) -> None:
    """Each of two workers says 3000 readings every 10 s."""
    values = opened(player, "yeji-system")
    for table in one(player, "yeji-system", "Readings a second", values):
        assert [row["_value"] for row in table[1:-1]] == pytest.approx([600.0] * (len(table) - 2))


def test_only_machines_that_left_normal_stand_in_the_timeline(player: Player) -> None:
    values = opened(player, "yeji-fleet")
    tables = one(player, "yeji-fleet", "Machines that were suspect or in alarm", values)
    assert {table[0]["unit"] for table in tables} == {"press-07", "pump-1"}


def test_standing_alarms_are_those_that_did_not_end(player: Player) -> None:
    tables = one(player, "yeji-alarms", "Standing alarms", opened(player, "yeji-alarms"))
    assert {(row["machine"], row["kind"]) for table in tables for row in table} == {
        (PRESS, "condition"),
        (PRESS, "quality"),
    }


def test_the_machine_table_has_a_row_each_with_all_columns(player: Player, recording: Recording) -> None:
    tables = one(player, "yeji-fleet", "All machines", opened(player, "yeji-fleet"))
    (rows,) = tables
    assert [row["machine"] for row in rows] == [PRESS, PUMP, ROBOT], "the weakest first"
    assert {row["state"] for row in rows} == {3.0, 1.0, 0.0}
    assert all(row["seen"] == recording.end - 5000 for row in rows)
    columns = next(p for p in panels("yeji-fleet") if p["title"] == "All machines")
    shown = set(columns["transformations"][0]["options"]["renameByName"])
    assert shown <= set(rows[0])


def test_every_variable_of_a_dashboard_is_used(player: Player) -> None:
    for uid, dashboard in DASHBOARDS.items():
        texts = [target["query"] for panel in panels(uid) for target in panel["targets"]]
        texts += [variable["query"] for variable in dashboard_variables(dashboard).values()]
        for name in dashboard_variables(dashboard):
            assert any("${" + name in text for text in texts), f"{uid}: {name}"


@pytest.fixture(scope="module")
def found() -> Recording:
    return by_the_pipeline()


@pytest.fixture(scope="module")
def over(influx: InfluxService, found: Recording) -> Iterator[Player]:
    with InfluxDBClient(influx.url, influx.token, org=influx.org) as client:
        bucket = client.buckets_api().create_bucket(bucket_name=f"grafana.{time.time_ns()}", org=influx.org)
        settings = InfluxSettings(
            url=influx.url, org=influx.org, bucket=bucket.name, token=SecretStr(influx.token)
        )
        with InfluxSink(settings) as sink:
            sink.write(found.results)
            for one in found.stats:
                sink.write_stats(one)
            sink.write_lines(b"".join(found.desk), "ms")
            assert not sink.drain_refused()
        start, stop = (
            datetime.fromtimestamp(ms / 1000, UTC) for ms in (found.begin, found.begin + 4_000_000)
        )
        yield Player(replace(influx, bucket=bucket.name), start, stop)
        client.buckets_api().delete_bucket(bucket)


def test_the_desk_is_shown_as_a_whole_by_place_and_by_crew(player: Player) -> None:
    expected = {"everything": 159.0, "gwangju/ggm": 259.0, "crew body": 359.0}
    for of, alarms in expected.items():
        assert number_of(player, "yeji-desk", "Alarms a day", of=of) == alarms, "the newest"
    (rows,) = one(player, "yeji-desk", "Bad actors", opened(player, "yeji-desk", of="crew body"))
    assert [(row["rank"], row["machine"], row["count"]) for row in rows] == [(1, PRESS, -19), (2, PUMP, 9)]
    lines = one(player, "yeji-desk", "By priority", opened(player, "yeji-desk", of="gwangju/ggm"))
    assert {table[0]["_field"] for table in lines} == {
        "priority_low",
        "priority_medium",
        "priority_high",
        "priority_urgent",
    }


class TestFromThePipeline:
    """The same panels over what the pipeline found and the worker's own sink wrote."""

    @pytest.mark.parametrize(("uid", "number"), titles())
    def test_every_query_returns_rows(self, over: Player, found: Recording, uid: str, number: int) -> None:
        ends = {one.machine for one in found.results.prognoses if one.remaining is not None}
        assert ends, "some machine is expected to reach its threshold"
        panel = next(panel for panel in panels(uid) if panel["id"] == number)
        wanted: dict[str, Value] = {}
        if uid == "yeji-machine":
            wanted["machine"] = sorted(ends)[0] if "hreshold" in panel["title"] else PRESS
        values = opened(over, uid, **wanted)
        if "repeat" in panel:
            for sensor in plant.SENSORS:
                ask(over, uid, panel, {**values, "sensor": sensor})
        elif panel["title"] != "Soonest to reach the threshold":  # of the last prognoses, which may see none
            ask(over, uid, panel, values)

    def test_alarms_are_those_that_the_pipeline_raised(self, over: Player, found: Recording) -> None:
        raised = [one for one in found.results.alarms if one.phase is AlarmPhase.RAISED]
        assert {one.kind for one in raised} == {AlarmKind.CONDITION, AlarmKind.QUALITY}
        assert number_of(over, "yeji-fleet", "Alarms") == len(raised)
        ended = {one.id for one in found.results.alarms if one.phase is AlarmPhase.CLEARED}
        assert number_of(over, "yeji-alarms", "Standing") == len({one.id for one in raised} - ended)
        rejected = number_of(over, "yeji-system", "Rejected")
        assert rejected == len(found.results.rejections) == 3
