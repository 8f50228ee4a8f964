"""What was written is read back: as it is, in buckets, by state; while the writer goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base.buckets import Buckets
from connectors.base.history import HistoryUnavailableError
from connectors.sqlite.files import StoreError
from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.store import SqliteSink
from pipeline.records import (
    AlarmEvent,
    AlarmKind,
    AlarmPhase,
    Prognosis,
    Reason,
    Rejection,
    Results,
    Scored,
    State,
    alarm_id,
)

PRESS, PUMP = "lab/one/body/line-1/press-1", "lab/one/body/line-1/pump-1"


def scored(machine: str, time: np.ndarray, sensors: tuple[str, ...] = ("a", "b")) -> Scored:
    n, k = len(time), len(sensors)
    values = np.sin(time[:, None] / 50.0 + np.arange(k))
    values[::7, 0] = np.nan
    score = np.where(time < 500, np.nan, np.abs(np.sin(time / 30.0)))
    state = np.where(time < 500, State.LEARNING, np.where(score > 0.99, State.ALARM, State.NORMAL))
    shares = np.zeros((n, k))
    return Scored(
        machine=machine,
        machine_class="press",
        time=time,
        sensors=sensors,
        values=values,
        score=score,
        health=50 + 50 * np.cos(time / 999),
        state=state.astype(np.uint8),
        contributions=shares,
    )


def alarm(machine: str, onset: int, phase: AlarmPhase, time: int, score: float = 1.0) -> AlarmEvent:
    kind = AlarmKind.CONDITION
    return AlarmEvent(
        id=alarm_id(machine, kind, "", onset),
        machine=machine,
        machine_class="press",
        kind=kind,
        phase=phase,
        onset=onset,
        time=time,
        score=score,
        threshold=0.9,
        severity=2,
    )


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SqliteSink]:
    with SqliteSink(tmp_path / "s.sqlite") as sink:
        yield sink


@pytest.fixture
def history(sink: SqliteSink) -> Iterator[SqliteHistory]:
    history = SqliteHistory(sink.path)
    yield history
    history.close()


def test_few_readings_come_as_they_are(sink: SqliteSink, history: SqliteHistory):
    one = scored(PRESS, np.arange(400, 700))
    sink.write(Results(scored=[one]))
    series = history.series(PRESS, 450, 599, points=200)
    assert (series.step, len(series), series.sensors) == (0, 150, ("a", "b"))
    here = slice(50, 200)
    np.testing.assert_array_equal(series.time, one.time[here])
    for part in (series.low, series.mean, series.high):
        np.testing.assert_array_equal(part, one.values[here])
    np.testing.assert_array_equal(series.score, one.score[here])
    np.testing.assert_array_equal(series.health, one.health[here])
    np.testing.assert_array_equal(series.state, one.state[here])


@pytest.mark.parametrize("n", [700, 20_000])
def test_many_readings_come_in_buckets(sink: SqliteSink, history: SqliteHistory, n: int):
    time = np.arange(n) * 10
    for start in range(0, n, 777):
        sink.write(Results(scored=[scored(PRESS, time[start : start + 777])]))
    truth = scored(PRESS, time)
    series = history.series(PRESS, 0, n * 10 - 1, points=100)
    assert len(series) == 100
    assert series.step == n * 10 // 100
    assert series.count.sum() == n
    for i in (0, 41, 99):
        here = slice(i * n // 100, (i + 1) * n // 100)
        assert series.count[i] == n // 100
        assert series.score[i] == pytest.approx(np.fmax.reduce(truth.score[here]), nan_ok=True)
        assert series.health[i] == pytest.approx(truth.health[here].mean())
        assert series.high[i, 1] == pytest.approx(truth.values[here, 1].max())
        assert series.low[i, 1] == pytest.approx(truth.values[here, 1].min())
        assert series.mean[i, 1] == pytest.approx(truth.values[here, 1].mean())
        assert series.state[i] == truth.state[here].max()


def test_a_sensor_that_appears_is_missing_before(sink: SqliteSink, history: SqliteHistory):
    sink.write(Results(scored=[scored(PRESS, np.arange(0, 50), ("a", "b"))]))
    sink.write(Results(scored=[scored(PRESS, np.arange(50, 100), ("c", "a"))]))
    series = history.series(PRESS, 0, 99)
    assert set(series.sensors) == {"a", "b", "c"}
    columns = {name: series.mean[:, j] for j, name in enumerate(series.sensors)}
    assert np.isnan(columns["c"][:50]).all()
    assert not np.isnan(columns["c"][51:56]).any()
    assert np.isnan(columns["b"][50:]).all()
    assert not np.isnan(columns["b"][:50]).any()


def test_nothing_there(history: SqliteHistory):
    assert history.fleet() == []
    assert history.machine(PRESS) is None
    series = history.series(PRESS, 0, 1000)
    assert len(series) == 0
    assert series.sensors == ()
    assert series.mean.shape == (0, 0)
    assert history.alarms() == []
    assert history.alarm("x") is None
    assert history.prognosis(PRESS) is None
    assert history.rejections() == []
    assert history.rejection_counts() == []
    assert history.trends([PRESS]) == {}


def test_the_fleet_as_it_stands(sink: SqliteSink, history: SqliteHistory):
    sink.write(
        Results(
            scored=[scored(PUMP, np.arange(0, 100)), scored(PRESS, np.arange(0, 1000))],
            alarms=[alarm(PRESS, 700, AlarmPhase.RAISED, 720)],
        )
    )
    press, pump = history.fleet()
    assert (press.machine, pump.machine) == (PRESS, PUMP)
    assert (press.machine_class, press.first, press.last, press.open_alarms) == ("press", 0, 999, 1)
    assert press.score == pytest.approx(abs(np.sin(999 / 30.0)))
    assert (pump.state, pump.score, pump.open_alarms) == (State.LEARNING, None, 0)
    assert history.machine(PRESS) == press
    trend = history.trends([PRESS, PUMP, "nobody"], points=10)
    assert set(trend) == {PRESS, PUMP}
    health = scored(PRESS, np.arange(280, 1000)).health
    np.testing.assert_allclose(trend[PRESS], health.reshape(10, 72).mean(axis=1))


def test_alarms_by_what_is_asked(sink: SqliteSink, history: SqliteHistory):
    sink.write(
        Results(
            alarms=[
                alarm(PRESS, 100, AlarmPhase.RAISED, 120, 0.95),
                alarm(PRESS, 100, AlarmPhase.CLEARED, 300, 0.99),
                alarm(PRESS, 500, AlarmPhase.RAISED, 520),
                alarm(PUMP, 50, AlarmPhase.RAISED, 60),
                alarm(PUMP, 10, AlarmPhase.CLEARED, 40),  # its beginning was never seen
            ]
        )
    )
    assert [a.event.onset for a in history.alarms()] == [500, 100, 50, 10]
    assert [a.event.onset for a in history.alarms(open=True)] == [500, 50]
    assert [a.event.onset for a in history.alarms(open=False)] == [100, 10]
    assert [a.event.onset for a in history.alarms(machine=PUMP)] == [50, 10]
    assert [a.event.onset for a in history.alarms(start=301)] == [500, 50]
    assert [a.event.onset for a in history.alarms(start=200, end=499)] == [100, 50]
    assert [a.event.onset for a in history.alarms(limit=1)] == [500]
    past = history.alarm(alarm_id(PRESS, AlarmKind.CONDITION, "", 100))
    assert past is not None
    assert past.cleared is not None
    assert (past.open, past.event.time, past.cleared.time, past.peak) == (False, 120, 300, 0.99)


def test_the_latest_prognosis(sink: SqliteSink, history: SqliteHistory):
    old, new = (Prognosis(PRESS, "press", t, 40.0, 30.0, 12.5, 6.0, None) for t in (10, 20))
    sink.write(Results(prognoses=[new, old]))
    assert history.prognosis(PRESS) == new


def test_rejected_input_newest_first(sink: SqliteSink, history: SqliteHistory):
    bad = [
        Rejection(Reason.NOT_JSON, "line 1", b"{" * 5000, received=1, topic="t", partition=2, offset=7),
        Rejection(Reason.DUPLICATE, "12 s late", b"{}", received=3, machine=PRESS, readings=4),
        Rejection(Reason.DUPLICATE, "13 s late", b"{}", received=2, machine=PRESS, readings=1),
    ]
    sink.write(Results(rejections=bad))
    newest, _, oldest = history.rejections()
    assert (newest.reason, newest.detail, newest.machine, newest.readings) == (
        Reason.DUPLICATE,
        "12 s late",
        PRESS,
        4,
    )
    assert (oldest.size, oldest.original, oldest.partition, oldest.offset) == (5000, b"{" * 2000, 2, 7)
    assert [(c.reason, c.count, c.readings, c.latest) for c in history.rejection_counts()] == [
        (Reason.DUPLICATE, 2, 5, 3),
        (Reason.NOT_JSON, 1, 0, 1),
    ]


def test_the_version_changes_with_each_write(sink: SqliteSink, history: SqliteHistory):
    before = history.version()
    assert history.version() == before
    sink.write(Results(scored=[scored(PRESS, np.arange(10))]))
    assert history.version() != before


def test_reading_goes_on_while_another_writes(sink: SqliteSink, history: SqliteHistory):
    sink.write(Results(scored=[scored(PRESS, np.arange(10))]))
    done, wrong = threading.Event(), []

    def read() -> None:
        while not done.is_set():
            now = history.machine(PRESS)
            assert now is not None
            series = history.series(PRESS, 0, 100_000, points=100_000)
            if len(series) < now.last + 1 or (np.diff(series.time) != 1).any():
                wrong.append((now.last, len(series)))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for start in range(10, 2000, 10):
        sink.write(Results(scored=[scored(PRESS, np.arange(start, start + 10))]))
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []


def test_after_the_writer_has_closed(tmp_path: Path):
    path = tmp_path / "s.sqlite"
    with SqliteSink(path) as sink:
        sink.write(Results(scored=[scored(PRESS, np.arange(10))]))
    history = SqliteHistory(path)
    assert [m.last for m in history.fleet()] == [9]
    history.close()
    with pytest.raises(HistoryUnavailableError, match="closed"):
        history.version()


def test_no_store_yet(tmp_path: Path):
    with pytest.raises(StoreError, match="yeji run"):
        SqliteHistory(tmp_path / "none.sqlite")


@settings(max_examples=60, deadline=None)
@given(
    times=st.lists(st.integers(0, 2000), unique=True, max_size=300).map(sorted),
    start=st.integers(0, 2000),
    length=st.integers(1, 2000),
    points=st.integers(1, 50),
    cuts=st.lists(st.integers(0, 300), max_size=5),
)
def test_buckets_do_not_depend_on_the_parts(
    times: list[int], start: int, length: int, points: int, cuts: list[int]
) -> None:
    time = np.array(times, dtype=np.int64)
    whole, parts = (Buckets(start, start + length - 1, points, ("a", "b")) for _ in range(2))
    one = scored(PRESS, time)
    edges = [0, *sorted(cut for cut in cuts if cut < len(time)), len(time)]
    for gathered, slices in ((whole, [slice(None)]), (parts, map(slice, edges, edges[1:]))):
        for s in slices:
            gathered.add(time[s], ("a", "b"), one.values[s], one.score[s], one.health[s], one.state[s])
    a, b = whole.series(PRESS), parts.series(PRESS)
    assert a.count.sum() == ((time >= start) & (time < start + length)).sum()
    assert len(a) <= points
    for name in ("time", "low", "high", "score", "state", "count"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    np.testing.assert_allclose(a.mean, b.mean)
    np.testing.assert_allclose(a.health, b.health)
