"""A small made plant in a store, for the tests of the pages."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from connectors.sqlite.store import SqliteSink
from pipeline.records import (
    AlarmEvent,
    AlarmKind,
    AlarmPhase,
    Contribution,
    Prognosis,
    Reason,
    Rejection,
    Results,
    Scored,
    State,
    alarm_id,
)
from streams.settings import Settings

START = 1_760_000_000_000  # 2025-10-09 08:53:20 UTC
PRESS = "lab/one/body/press line/press-1"
PUMP = "lab/one/body/press line/pump-1"
ROBOT = "lab/two/paint/robots/로봇 7"
SENSORS = ("vibration", "temperature")

SETTINGS = Settings(
    page={"port": 0},
    classes={
        "press": {
            "match": ["*"],
            "alarm": {"threshold": 0.999},
            "sensors": {"vibration": {"unit": "mm/s", "label": "Vibration", "label_ko": "진동"}},
        }
    },
)


def readings(
    machine: str, first: int, n: int, *, health: float = 95.0, state: State = State.NORMAL
) -> Scored:
    """``n`` readings, one a second, from second ``first`` on."""
    time = START + (first + np.arange(n)) * 1000
    t = first + np.arange(n)
    values = np.column_stack([2 + np.sin(t / 20), 60 + t / 100])
    score = np.full(n, np.nan) if state is State.LEARNING else 0.5 + 0.4 * np.sin(t / 10)
    if state is State.ALARM:
        score = np.full(n, 0.9997)
    shares = np.where(state >= State.SUSPECT, 0.5, 0.0) * np.ones((n, 2))
    states = np.full(n, state, dtype=np.uint8)
    return Scored(
        machine=machine,
        machine_class="press",
        time=time,
        sensors=SENSORS,
        values=values,
        score=score,
        health=np.full(n, health),
        state=states,
        contributions=shares,
    )


def alarm(
    machine: str, second: int, phase: AlarmPhase, *, kind: AlarmKind = AlarmKind.CONDITION
) -> AlarmEvent:
    """The alarm that began at ``second``; it is cleared 100 s later."""
    onset = START + second * 1000
    sensor = "temperature" if kind is AlarmKind.QUALITY else None
    contributions = (
        Contribution("vibration", 0.75, 9.5, 2.0, 11.25),
        Contribution("temperature", 0.25, 71.0, None, None),
    )
    return AlarmEvent(
        id=alarm_id(machine, kind, sensor or "", onset),
        machine=machine,
        machine_class="press",
        kind=kind,
        phase=phase,
        onset=onset,
        time=onset + (100_000 if phase is AlarmPhase.CLEARED else 10_000),
        score=0.9997,
        threshold=0.999,
        severity=3,
        contributions=contributions if kind is AlarmKind.CONDITION else (),
        sensor=sensor,
        detail="stuck at 61.5 <b>for 5 min</b>" if sensor else "",
    )


def fill(sink: SqliteSink) -> None:
    """Three machines: one in alarm, one normal with a past alarm and a sensor fault, one learning."""
    sink.write(
        Results(
            scored=[
                readings(PRESS, 0, 500),
                readings(PRESS, 500, 100, health=31.4, state=State.ALARM),
                readings(PUMP, 0, 600),
                readings(ROBOT, 0, 50, state=State.LEARNING),
            ],
            alarms=[
                alarm(PRESS, 490, AlarmPhase.RAISED),
                alarm(PUMP, 100, AlarmPhase.RAISED),
                alarm(PUMP, 100, AlarmPhase.CLEARED),
                alarm(PUMP, 300, AlarmPhase.RAISED, kind=AlarmKind.QUALITY),
            ],
            prognoses=[Prognosis(PRESS, "press", START + 599_000, 31.4, 30.0, 26.0, 10.0, 50.0)],
            rejections=[
                Rejection(
                    Reason.NOT_JSON,
                    "expected a value at byte 3",
                    b"<script>alert(1)</script>\xff",
                    START,
                    topic="telemetry.frames",
                    partition=3,
                    offset=77,
                )
            ],
        )
    )


def store(folder: Path) -> SqliteSink:
    """A store in ``folder`` with the plant in it."""
    sink = SqliteSink(folder / "plant.sqlite")
    sink.setup()
    fill(sink)
    return sink
