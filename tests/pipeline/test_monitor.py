"""A machine taken up from a snapshot is the same in any row, whoever had that row before."""

from __future__ import annotations

import numpy as np

from detectors.batch import Batch
from detectors.health.health import STANDING_MOST
from pipeline.monitor import Monitor
from pipeline.records import State
from pipeline.settings import ClassSettings, LearningSettings, SensorSettings

SENSORS = ("flow", "load", "temperature")


def readings(row: int, start: int, n: int, level: float | tuple[float, ...]) -> Batch:
    """``n`` readings of one machine at a ``level`` of all sensors or of each, some values missing."""
    rng = np.random.default_rng(start)
    x = np.asarray(level) + rng.normal(size=(n, len(SENSORS)))
    x[::9, 1] = np.nan
    time = 1_700_000_000_000 + 1000 * np.arange(start, start + n)
    return Batch(np.array([row]), np.array([n]), time, x)


def begun(monitor: Monitor, machine: str, level: float) -> int:
    row = monitor.place(machine)
    monitor.begin(readings(row, 0, 120, level))
    monitor.process(readings(row, 120, 200, level))
    return row


def test_a_row_that_another_machine_left_changes_nothing() -> None:
    settings = ClassSettings(learning=LearningSettings(block=8))
    monitor = Monitor(settings, SENSORS)
    first = begun(monitor, "first", 10.0)
    saved = monitor.dump(first)
    other = begun(monitor, "other", 500.0)
    found = monitor.process(readings(other, 320, 40, (900.0, 500.0, 500.0)))  # it is in alarm, and leaves so
    assert State.ALARM in found.state
    monitor.release(other)
    again = monitor.adopt_saved("first", saved)
    assert again == other, "the row that was left"
    new = Monitor(settings, SENSORS)
    fresh = new.adopt_saved("first", saved)
    for name, stage in monitor.stages.items():
        mine, theirs = stage.dump(again), new.stages[name].dump(fresh)
        assert mine.keys() == theirs.keys()
        for part, values in mine.items():
            assert np.array_equal(values, theirs[part], equal_nan=values.dtype.kind == "f"), (name, part)
    one = monitor.process(readings(again, 320, 100, 10.0))
    two = new.process(readings(fresh, 320, 100, 10.0))
    assert np.array_equal(one.score, two.score, equal_nan=True)
    assert one.state.tolist() == two.state.tolist()
    assert one.health.tolist() == two.health.tolist()


def test_what_does_not_fit_gives_its_row_back() -> None:
    monitor = Monitor(ClassSettings(), SENSORS)
    row = begun(monitor, "first", 10.0)
    saved = monitor.dump(row)
    room = monitor.room
    del saved["detector0"]
    try:
        monitor.adopt_saved("second", saved)
    except KeyError:
        assert monitor.room == room
    else:
        raise AssertionError("a model that is missing was taken up")


def test_health_is_not_as_new_while_a_limit_or_an_alarm_stands() -> None:
    limit = SensorSettings(warn=12.0)
    settings = ClassSettings(learning=LearningSettings(block=8), sensors={"flow": limit})
    monitor = Monitor(settings, SENSORS)
    row = begun(monitor, "first", 5.0)
    healthy = monitor.process(readings(row, 320, 40, 5.0))
    assert healthy.health.max() > STANDING_MOST
    batch = readings(row, 360, 200, 5.0)
    batch.x[20:120, 0] = 12.5  # over its limit …
    over = monitor.process(batch)
    ((_, raised), (_, cleared)) = [(one.raised, one.index) for one in over.limits]
    assert over.health[raised:cleared].max() <= STANDING_MOST
    other = begun(monitor, "other", 500.0)
    alarmed = monitor.process(readings(other, 320, 40, (900.0, 500.0, 500.0)))
    assert State.ALARM in alarmed.state
    assert alarmed.health[alarmed.state == State.ALARM].max() <= STANDING_MOST
