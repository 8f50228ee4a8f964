"""Settings that change while machines are watched: models stay, and alarms of what is gone are cleared."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.conversion import UnitError, amount, conversion
from pipeline.pipeline import Pipeline
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Frame
from pipeline.settings import (
    AlarmSettings,
    ClassSettings,
    IntakeSettings,
    LearningSettings,
    MachineSettings,
    SensorSettings,
)
from streams.settings import Settings

START = 1_700_000_000_000
A, B = "a/b/c/d/press-1", "a/b/c/d/press-2"


def press(**sensor: object) -> ClassSettings:
    return ClassSettings(
        learning=LearningSettings(warmup=40, block=8),
        alarm=AlarmSettings(on_delay=3, off_delay=5, min_readings=3),
        sensors={"temperature": SensorSettings.model_validate({"unit": "degC", **sensor})},
    )


def settings(machines: dict[str, MachineSettings] | None = None, **sensor: object) -> Settings:
    return Settings(
        classes={"press": press(**sensor)}, machines=machines or {}, intake=IntakeSettings(wait=0)
    )


def readings(first: int, count: int, level: float = 60.0, machine: str = A) -> Frame:
    x = level + np.random.default_rng(first).normal(0, 0.5, (count, 1))
    return Frame(machine, START + 1000 * (first + np.arange(count)), ("temperature",), x)


def limits(alarms: list[AlarmEvent]) -> list[tuple[str, AlarmPhase]]:
    return [(one.code, one.phase) for one in alarms if one.kind is AlarmKind.LIMIT]


def hot(of: Settings) -> Pipeline:
    """A machine that stands over `warn` of 70 and under `trip` of 90."""
    pipeline = Pipeline(of)
    pipeline.process([readings(0, 60)])
    told = pipeline.process([readings(60, 20, level=80)])
    assert limits(told.alarms) == [("warn", AlarmPhase.RAISED)]
    return pipeline


def test_a_limit_that_comes_is_watched_and_the_model_stays() -> None:
    of = settings(warn=70)
    pipeline = hot(of)
    of.classes = {"press": press(warn=70, trip=75)}
    pipeline.reconfigure()
    assert not pipeline.relearning
    told = pipeline.process([readings(80, 20, level=80)])
    assert limits(told.alarms) == [("trip", AlarmPhase.RAISED)]
    assert np.isfinite(told.scored[0].score).any(), "a machine that learned anew would give no score"


def test_a_limit_that_goes_takes_its_alarm_with_it_at_once() -> None:
    of = settings(warn=70, trip=90)
    pipeline = hot(of)
    of.classes = {"press": press(trip=90)}
    pipeline.reconfigure()
    (told,) = pipeline.process([]).alarms
    assert (told.kind, told.code, told.phase) == (AlarmKind.LIMIT, "warn", AlarmPhase.CLEARED)
    assert told.time >= START + 79_000
    assert not pipeline.process([readings(80, 20, level=80)]).alarms


def test_a_limit_that_moves_keeps_its_alarm_as_long_as_it_is_crossed() -> None:
    of = settings(warn=70)
    pipeline = hot(of)
    of.classes = {"press": press(warn=75)}
    pipeline.reconfigure()
    assert not limits(pipeline.process([readings(80, 20, level=80)]).alarms)
    of.classes = {"press": press(warn=95)}
    pipeline.reconfigure()
    assert limits(pipeline.process([readings(100, 20, level=80)]).alarms) == [("warn", AlarmPhase.CLEARED)]


@pytest.mark.parametrize(
    ("after", "cleared"),
    [({"warn": 70, "low_warn": 10}, False), ({"trip": 90}, True), ({}, True)],
)
def test_a_restart_with_other_limits_keeps_the_model(after: dict[str, float], cleared: bool) -> None:
    before = hot(settings(warn=70))
    pipeline = Pipeline(settings(**after))
    pipeline.restore(before.dump(A))
    assert not pipeline.relearning
    told = pipeline.process([readings(80, 20, level=80)])
    assert limits(told.alarms) == ([("warn", AlarmPhase.CLEARED)] if cleared else [])
    assert np.isfinite(told.scored[0].score).any()


@pytest.mark.parametrize("live", [True, False])
def test_a_class_by_another_name_keeps_the_model_and_its_alarms(live: bool) -> None:
    of = settings(warn=70)
    pipeline = hot(of)
    renamed = {"stamping-press": press(warn=70)}
    if live:
        of.classes = renamed
        pipeline.reconfigure()
    else:
        data, pipeline = pipeline.dump(A), Pipeline(Settings(classes=renamed, intake=IntakeSettings(wait=0)))
        pipeline.restore(data)
    assert not pipeline.relearning
    told = pipeline.process([readings(80, 20, level=80)])
    assert not limits(told.alarms)
    assert told.scored[0].machine_class == "stamping-press"
    assert np.isfinite(told.scored[0].score).any()


def test_scores_are_the_same_to_the_last_bit_when_only_a_limit_changes() -> None:
    of, other = settings(warn=70), settings(warn=70)
    changed, unchanged = Pipeline(of), Pipeline(other)
    for pipeline in (changed, unchanged):
        pipeline.process([readings(0, 100)])
    of.classes = {"press": press(warn=70, low_trip=-40)}
    changed.reconfigure()
    one, two = (p.process([readings(100, 200)]).scored[0].score for p in (changed, unchanged))
    assert one.tobytes() == two.tobytes()


def test_a_model_that_no_longer_fits_goes_and_its_alarms_with_it() -> None:
    of = settings(warn=70)
    pipeline = hot(of)
    other = press(warn=70)
    other.learning.block = 16
    of.classes = {"press": other}
    pipeline.reconfigure()
    assert "block" in pipeline.relearning[A]
    assert limits(pipeline.process([]).alarms) == [("warn", AlarmPhase.CLEARED)]
    again = Pipeline(of)
    again.restore(hot(settings(warn=70)).dump(A))
    assert limits(again.process([]).alarms) == [("warn", AlarmPhase.CLEARED)]


def test_a_machine_has_limits_of_its_own() -> None:
    own = MachineSettings(sensors={"temperature": SensorSettings(warn=85)})
    pipeline = Pipeline(settings({B: own}, warn=70))
    for machine in (A, B):
        pipeline.process([readings(0, 60, machine=machine)])
        told = pipeline.process([readings(60, 20, level=80, machine=machine)])
        assert limits(told.alarms) == ([("warn", AlarmPhase.RAISED)] if machine == A else [])


def test_values_come_in_another_unit() -> None:
    celsius, fahrenheit = Pipeline(settings(warn=70)), Pipeline(settings(warn=70, source_unit="degF"))
    for first, count, level in ((0, 60, 60.0), (60, 20, 80.0)):
        frame = readings(first, count, level)
        warm = celsius.process([frame])
        values = frame.values * 9 / 5 + 32
        told = fahrenheit.process([Frame(A, frame.time, frame.sensors, values)])
        assert limits(told.alarms) == limits(warm.alarms)
        arrived = np.concatenate([one.values for one in told.scored])
        np.testing.assert_allclose(arrived, frame.values, rtol=0, atol=1e-9)


@pytest.mark.parametrize("live", [True, False])
def test_other_units_make_a_machine_learn_anew(live: bool) -> None:
    of = settings(warn=70)
    pipeline = hot(of)
    converted = {"press": press(warn=70, source_unit="degF")}
    if live:
        of.classes = converted
        pipeline.reconfigure()
    else:
        data, pipeline = pipeline.dump(A), Pipeline(Settings(classes=converted))
        pipeline.restore(data)
    assert "units" in pipeline.relearning[A]


@pytest.mark.parametrize(
    ("source", "unit", "value", "becomes"),
    [
        ("degF", "°C", 212, 100),
        ("℃", "K", 0, 273.15),
        ("psi", "bar", 14.5037738, 1),
        ("m³/h", "l/min", 6, 100),
        ("in/s", "mm/s", 1, 25.4),
        ("g", "m/s2", 1, 9.80665),
        ("rpm", "Hz", 3000, 50),
        ("%", "1", 50, 0.5),
        ("kN", "N", 1, 1000),
    ],
)
def test_units_as_plants_write_them(source: str, unit: str, value: float, becomes: float) -> None:
    how = conversion(source, unit)
    assert value * how.factor + how.offset == pytest.approx(becomes, abs=1e-6)


def test_units_that_do_not_measure_the_same_are_refused() -> None:
    with pytest.raises(UnitError, match="'bar' cannot be converted to 'mm'"):
        conversion("bar", "mm")
    with pytest.raises(UnitError, match="'furlongz' is no unit"):
        conversion("furlongz", "m")
    with pytest.raises(UnitError, match="no amount"):
        amount("eighty degF", "degC")
    with pytest.raises(ValueError, match="cannot be converted"):
        SensorSettings(unit="mm", source_unit="bar")
