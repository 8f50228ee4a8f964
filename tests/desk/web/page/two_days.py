"""Two days of a press and its sister, a reading a minute; in the last four hours the press wears."""

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
    Results,
    Scored,
    State,
    alarm_id,
)
from streams.settings import Settings

START = 1_760_000_000_000
MINUTE = 60_000
N = 2 * 24 * 60
WORN = N - 240  # the first reading with wear; temperature follows an hour later
END = START + (N - 1) * MINUTE
PRESS, SISTER, PUMP = (f"lab/one/body/line-1/{name}" for name in ("press-1", "press-2", "pump-1"))
SENSORS = ("vibration", "temperature", "=cmd()")

SETTINGS = Settings(
    page={"port": 0},
    classes={
        "press": {
            "match": ["*/press-*"],
            "criticality": 4,
            "sensors": {"vibration": {"unit": "mm/s", "label": "Vibration", "warn": 5.0, "trip": 9.0}},
        },
        "pump": {"match": ["*/pump-*"]},
    },
)


def scored(machine: str, worn: bool) -> Scored:
    """All readings of ``machine``."""
    t = np.arange(N)
    wear = np.clip((t - WORN) / 40.0, 0, None) if worn else np.zeros(N)
    late = np.clip((t - WORN - 60) / 10.0, 0, None) if worn else np.zeros(N)
    values = np.column_stack([2 + 0.5 * np.sin(t / 7) + wear, 60 + np.sin(t / 50) + late, np.full(N, 7.0)])
    state = np.where(wear > 1, State.ALARM, State.NORMAL).astype(np.uint8)
    score = np.where(wear > 1, 0.9999, 0.5)
    health = np.where(wear > 1, 65.0, 100.0)
    time = START + t * MINUTE
    return Scored(
        machine=machine,
        machine_class=machine.split("/")[-1].split("-")[0],
        time=time,
        sensors=SENSORS,
        values=values,
        score=score,
        health=health,
        state=state,
        contributions=np.where(wear > 1, 1 / 3, 0.0)[:, None] * np.ones(3),
    )


def alarm() -> AlarmEvent:
    """The press's alarm, raised when its wear was seen."""
    onset = START + (WORN + 40) * MINUTE
    return AlarmEvent(
        id=alarm_id(PRESS, AlarmKind.CONDITION, "", onset),
        machine=PRESS,
        machine_class="press",
        kind=AlarmKind.CONDITION,
        phase=AlarmPhase.RAISED,
        onset=onset,
        time=onset + MINUTE,
        score=0.9999,
        threshold=0.999,
        severity=3,
        contributions=(Contribution("vibration", 1.0, 3.5, 2.0, 6.0),),
        criticality=4,
    )


def store(folder: Path) -> SqliteSink:
    """A store with them in it."""
    sink = SqliteSink(folder / "plant.sqlite")
    sink.setup()
    prognoses = [
        Prognosis(PRESS, "press", END - k * 30 * MINUTE, 60.0, 30.0, 40.0 + k, 20.0, 90.0) for k in range(6)
    ]
    sink.write(
        Results(
            scored=[scored(PRESS, True), scored(SISTER, False), scored(PUMP, False)],
            alarms=[alarm()],
            prognoses=prognoses,
        )
    )
    return sink
