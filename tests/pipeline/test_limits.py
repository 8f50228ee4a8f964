"""Limits set in a class's settings become alarms of kind LIMIT that name sensor and limit."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.limits import limits_of
from pipeline.pipeline import Pipeline
from pipeline.records import AlarmKind, AlarmPhase, Frame
from pipeline.settings import AlarmSettings, ClassSettings, LearningSettings, SettingsError
from streams.settings import Settings, load_settings

START = 1_700_000_000_000


def settings(**sensor: object) -> Settings:
    return Settings(
        classes={
            "default": ClassSettings(
                learning=LearningSettings(warmup=40, block=8),
                alarm=AlarmSettings(on_delay=3, off_delay=5, min_readings=3),
                sensors={"velocity": sensor},
            )
        }
    )


def test_a_vibration_that_enters_zone_d_is_alarmed_twice_and_cleared() -> None:
    velocity = np.concatenate((np.full(60, 1.0), np.full(30, 3.0), np.full(30, 5.0), np.full(40, 1.0)))
    velocity += np.random.default_rng(1).normal(0, 0.05, len(velocity))
    frame = Frame("a/b/c/d/e", START + 1000 * np.arange(160), ("velocity",), velocity[:, None])
    results = Pipeline(settings(iso20816={"group": 2, "mounting": "rigid"})).process([frame])
    told = [a for a in results.alarms if a.kind is AlarmKind.LIMIT]
    assert {(a.detail.split(":")[0], a.phase, a.severity, (a.onset - START) // 1000) for a in told} == {
        ("zone C", AlarmPhase.RAISED, 2, 60),
        ("zone D", AlarmPhase.RAISED, 4, 90),
        ("zone C", AlarmPhase.CLEARED, 2, 60),
        ("zone D", AlarmPhase.CLEARED, 4, 90),
    }
    assert len(told) == 4
    assert {a.sensor for a in told} == {"velocity"}
    assert told[0].time == START + 63_000
    assert len({a.id for a in told}) == 2


def test_all_four_limits_and_their_deadbands() -> None:
    limits = limits_of(
        settings(warn=8, trip=10, low_warn=-8, low_trip=-10, deadband=1).classes["default"], ("velocity",)
    )
    assert [(x.name, x.value, x.above, x.severity, x.deadband) for x in limits] == [
        ("warn", 8, True, 2, 1),
        ("trip", 10, True, 4, 1),
        ("low_warn", -8, False, 2, 1),
        ("low_trip", -10, False, 4, 1),
    ]


def test_a_zone_that_the_table_lacks_is_refused() -> None:
    with pytest.raises(SettingsError, match="group 4 rigid"):
        load_settings(classes={"pump": {"sensors": {"v": {"iso20816": {"group": 4}}}}})


def test_the_table_can_be_added_to() -> None:
    pump = ClassSettings(zones={"group 4 rigid": (1.4, 2.8, 4.5)}, sensors={"v": {"iso20816": {"group": 4}}})
    assert [x.value for x in limits_of(pump, ("v",))] == [2.8, 4.5]
