"""What was written to a real InfluxDB is read back as the local page's store would give it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

from connectors.base.history import HistoryUnavailableError
from connectors.influx.flux import literal
from connectors.influx.history import InfluxHistory
from connectors.influx.settings import InfluxSettings
from connectors.influx.sink import InfluxSink
from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.store import SqliteSink
from pipeline.records import AlarmPhase, Prognosis, Reason, Rejection, Results
from tests.desk.web.page.plant import PRESS, PUMP, ROBOT, START, alarm, fill, readings

pytestmark = pytest.mark.services
END = START + 600_000


@pytest.fixture(scope="module")
def settings(influx) -> Iterator[InfluxSettings]:
    import uuid

    from influxdb_client import InfluxDBClient

    with InfluxDBClient(influx.url, influx.token, org=influx.org) as client:
        bucket = client.buckets_api().create_bucket(
            bucket_name=f"history.{uuid.uuid4().hex[:8]}", org=influx.org
        )
        yield InfluxSettings(
            url=influx.url, org=influx.org, bucket=bucket.name, token=SecretStr(influx.token), timeout=30
        )
        client.buckets_api().delete_bucket(bucket)


@pytest.fixture(scope="module")
def history(settings: InfluxSettings) -> Iterator[InfluxHistory]:
    sink = InfluxSink(settings)
    fill(sink)  # type: ignore[arg-type]  # it only writes
    sink.write(Results(rejections=[Rejection(Reason.DUPLICATE, "12 s", b"{}", START + 5, PRESS, readings=4)]))
    sink.close()
    history = InfluxHistory(settings, clock=lambda: END)
    yield history
    history.close()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[SqliteHistory]:
    """The same plant in the local store."""
    with SqliteSink(tmp_path / "s.sqlite") as sink:
        fill(sink)
        local = SqliteHistory(sink.path)
        yield local
        local.close()


def test_the_fleet_is_the_same_as_in_the_local_store(history: InfluxHistory, local: SqliteHistory):
    assert [m.machine for m in history.fleet()] == sorted([PRESS, PUMP, ROBOT])
    for one, other in zip(history.fleet(), local.fleet(), strict=True):
        assert one == other
    assert history.machine(PRESS) == local.machine(PRESS)
    assert history.machine("lab/one/body/line/none") is None


@pytest.mark.parametrize("machine", [PRESS, ROBOT])
def test_readings_come_as_they_are(history: InfluxHistory, local: SqliteHistory, machine: str):
    one, other = (h.series(machine, START, END, points=2000) for h in (history, local))
    assert one.step == other.step == 0
    assert one.sensors == tuple(sorted(other.sensors))
    order = [other.sensors.index(sensor) for sensor in one.sensors]
    np.testing.assert_array_equal(one.time, other.time)
    np.testing.assert_array_equal(one.mean, other.mean[:, order])
    for name in ("score", "health", "state", "count"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_many_readings_come_in_windows(history: InfluxHistory):
    series = history.series(PRESS, START, END - 1000, points=20)
    assert series.step == 29_951
    assert series.count.sum() == 600
    assert len(series) in (20, 21)
    truth = readings(PRESS, 0, 500)
    at = int(series.time[3])
    here = (truth.time >= at) & (truth.time < at + series.step)
    vibration = series.sensors.index("vibration")
    assert series.low[3, vibration] == pytest.approx(truth.values[here, 0].min())
    assert series.mean[3, vibration] == pytest.approx(truth.values[here, 0].mean())
    assert series.high[3, vibration] == pytest.approx(truth.values[here, 0].max())
    assert series.score[3] == pytest.approx(truth.score[here].max())
    assert series.state[-1] == 3
    assert series.health[-1] == pytest.approx(31.4)


def test_nothing_there(history: InfluxHistory):
    series = history.series("lab/one/body/line/none", START, END)
    assert len(series) == 0
    assert series.sensors == ()
    assert history.prognosis(PUMP) is None
    assert history.alarm("none") is None


def test_trends(history: InfluxHistory):
    trends = history.trends([PRESS, PUMP, "none"], points=48)
    assert set(trends) == {PRESS, PUMP}
    assert trends[PUMP].tolist() == pytest.approx([95.0] * len(trends[PUMP]))


def test_alarms_are_the_same_but_for_what_contributed(history: InfluxHistory, local: SqliteHistory):
    queries = ({}, {"open": True}, {"open": False}, {"machine": PUMP}, {"limit": 1})
    times = ({"start": START + 250_000}, {"end": START + 150_000})
    for query in (*queries, *times):
        found = [(a.event.id, a.event.onset, a.open, a.peak) for a in history.alarms(**query)]  # type: ignore[arg-type]
        assert found == [
            (a.event.id, a.event.onset, a.open, a.peak)
            for a in local.alarms(**query)  # type: ignore[arg-type]
        ]
    one = history.alarm(alarm(PRESS, 490, AlarmPhase.RAISED).id)
    assert one is not None
    assert "vibration 75 % (9.5, expected 2, +11.2 sd)" in one.event.detail


def test_the_prognosis(history: InfluxHistory, local: SqliteHistory, settings: InfluxSettings):
    assert history.prognosis(PRESS) == local.prognosis(PRESS)
    later = Prognosis(PRESS, "press", START + 600_000, 50.0, 30.0, None, 40.0, None)
    sink = InfluxSink(settings)
    sink.write(Results(prognoses=[later]))
    sink.close()
    assert history.prognosis(PRESS) == later  # and nothing of the one before


def test_rejected_input(history: InfluxHistory):
    late, broken = history.rejections()
    assert (late.reason, late.detail, late.machine, late.readings) == (Reason.DUPLICATE, "12 s", PRESS, 4)
    assert (broken.reason, broken.topic, broken.partition) == (Reason.NOT_JSON, "telemetry.frames", 3)
    assert [(c.reason, c.count, c.readings) for c in history.rejection_counts()] == [
        (Reason.DUPLICATE, 1, 4),
        (Reason.NOT_JSON, 1, 0),
    ]


def test_the_page_serves_from_it(history: InfluxHistory):
    from starlette.testclient import TestClient

    from desk.web.page.app import Page
    from tests.desk.web.page.plant import SETTINGS

    client = TestClient(Page(history, SETTINGS).app(), base_url="http://127.0.0.1")
    for path in ("/", f"/machines/{PRESS}", "/alarms", "/rejected"):
        assert client.get(path).status_code == 200, path
    assert client.get("/api/series", params={"machine": PRESS, "span": 0}).json()["readings"] == 600


def test_pages_ask_anew_every_few_seconds(settings: InfluxSettings):
    now = [END]
    history = InfluxHistory(settings, refresh=5, clock=lambda: now[0])
    before = history.version()
    now[0] += 5000
    assert history.version() != before
    history.close()


@pytest.mark.parametrize(
    "name", ['x" or true or r.machine == "', "${bucket}", "a\\", "line\nbreak", "압축기"]
)
def test_a_name_is_never_part_of_the_question(history: InfluxHistory, name: str):
    assert history.machine(name) is None
    rows = history._flux.rows(
        f'import "array" array.from(rows: [{{v: {literal(name)}}}])'  # the way there and back
    )
    assert [row["v"].replace("\r\n", "\n") for row in rows] == [name]  # CSV ends its lines its own way


def test_a_server_that_is_away_or_refuses(settings: InfluxSettings):
    away = InfluxHistory(InfluxSettings(url="http://127.0.0.1:9", token=SecretStr("x"), timeout=2))
    with pytest.raises(HistoryUnavailableError, match="yeji check"):
        away.fleet()
    away.close()
    wrong = InfluxHistory(settings.model_copy(update={"token": SecretStr("wrong")}))
    with pytest.raises(HistoryUnavailableError, match="401"):
        wrong.fleet()
    wrong.close()
    with pytest.raises(HistoryUnavailableError, match="YEJI_INFLUX__TOKEN"):
        InfluxHistory(InfluxSettings())


def test_the_prognoses_of_a_time(history: InfluxHistory, local: SqliteHistory):
    everything = (PRESS, 0, START + 599_999)  # another test adds a later one
    assert history.prognoses(*everything) == local.prognoses(*everything) != []
    made = local.prognoses(*everything)[0].time
    assert history.prognoses(PRESS, made - 1000, made - 1) == []
    assert [one.time for one in history.prognoses(PRESS, made, made)] == [made]
