"""The events of a lesson: the simulated plant with the lesson's fault, beside its healthy twin."""

from __future__ import annotations

from functools import cache

import numpy as np

from connectors.simulator import Fault, FaultKind, Plant, SimulatedMachine
from connectors.simulator.faults import SENSOR_FAULTS
from connectors.simulator.scenario import MODELS
from desk.training.lesson import AlarmSpec, Lesson
from pipeline.cause import Cause
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Contribution, alarm_id

MINUTE = 60_000
HOUR = 60 * MINUTE
#: When the simulated plant is in full production: a Tuesday, 15:00 in Korea (ms UTC).
_PRODUCTION = 1_764_050_400_000
#: Sensors with a smaller share are not named.
_LEAST_SHARE = 0.02
#: So far off (in the noise of a healthy reading) is very far; more says nothing more.
_MOST_OFF = 15.0
_SCORE, _THRESHOLD = 0.99995, 0.999


def events_of(lesson: Lesson, start: int) -> list[tuple[int, AlarmEvent]]:
    """(when it is due, ms; the event) of a lesson that began at ``start`` (ms UTC), in order of time."""
    found: list[tuple[int, AlarmEvent]] = []
    for spec in lesson.alarms:
        for number, minutes in enumerate(spec.earlier, start=1):
            onset = start + round(minutes * MINUTE)
            weaker = _event(spec, onset, number / (len(spec.earlier) + 1))
            found += [(weaker.time, weaker), (onset + 2 * HOUR, _cleared(weaker, onset + 2 * HOUR))]
        due = start + round(spec.at * MINUTE)
        found.append((due, _event(spec, due, 1.0)))
    return sorted(found, key=lambda pair: pair[0])


def alarm_of(spec: AlarmSpec, start: int) -> str:
    """The id of the lesson's alarm ``spec``: of its latest occurrence."""
    return _event(spec, start + round(spec.at * MINUTE), 1.0).id


def _event(spec: AlarmSpec, onset: int, strength: float) -> AlarmEvent:
    quality = spec.fault in SENSOR_FAULTS
    kind = AlarmKind.QUALITY if quality else AlarmKind.CONDITION
    cause = str(spec.fault).removeprefix("sensor-") if quality else ""
    return AlarmEvent(
        id=alarm_id(spec.name, kind, f"{spec.sensor}\n{cause}" if quality else "", onset),
        machine=spec.name,
        machine_class=spec.model,
        kind=kind,
        phase=AlarmPhase.RAISED,
        onset=onset,
        time=onset,
        score=1.0 if quality else _SCORE,
        threshold=_THRESHOLD,
        severity=spec.severity,
        contributions=() if quality else _weaker(_contributions(spec), strength),
        sensor=spec.sensor,
        cause=Cause(cause) if cause else None,
    )


def _cleared(event: AlarmEvent, time: int) -> AlarmEvent:
    return AlarmEvent(
        id=event.id,
        machine=event.machine,
        machine_class=event.machine_class,
        kind=event.kind,
        phase=AlarmPhase.CLEARED,
        onset=event.onset,
        time=time,
        score=event.score,
        threshold=event.threshold,
        severity=event.severity,
        sensor=event.sensor,
        cause=event.cause,
    )


def _weaker(found: tuple[Contribution, ...], strength: float) -> tuple[Contribution, ...]:
    """The same earlier in the fault's course: so much of the way from the expected value."""
    return tuple(
        Contribution(
            one.sensor,
            one.share,
            None
            if one.value is None or one.expected is None
            else one.expected + strength * (one.value - one.expected),
            one.expected,
            None if one.deviation is None else strength * one.deviation,
        )
        for one in found
    )


def _contributions(spec: AlarmSpec) -> tuple[Contribution, ...]:
    if spec.fault is None:
        return tuple(
            Contribution(sensor, share, value, expected, deviation)
            for sensor, share, value, expected, deviation in spec.readings
        )
    return _measured(spec.model, spec.name, spec.fault)


@cache
def _measured(kind: str, machine: str, fault: FaultKind) -> tuple[Contribution, ...]:
    """How an hour with ``fault`` well developed differs from the same hour without, sensor by sensor."""
    model = next(one for one in MODELS if one.kind == kind)
    machines = [SimulatedMachine(machine, model)]
    worn = Fault(_PRODUCTION - 40 * HOUR, _PRODUCTION + 4 * HOUR, machine, fault)
    sick = Plant(machines, planned=[worn]).frame(machine, _PRODUCTION, _PRODUCTION + HOUR).values
    well = Plant(machines).frame(machine, _PRODUCTION, _PRODUCTION + HOUR).values
    # The twin has the same load and noise: what is left is the fault, against how a healthy reading jumps.
    noise = np.median(np.abs(np.diff(well, axis=0)), axis=0) + 1e-3 * np.abs(well).mean(axis=0)
    off = np.clip((sick - well).mean(axis=0) / noise, -_MOST_OFF, _MOST_OFF)
    share = off**2 / (off**2).sum()
    found = [
        Contribution(
            name,
            float(share[j]),
            float(sick[:, j].mean()),
            float(well[:, j].mean()),
            float(off[j]),
        )
        for j, name in enumerate(model.names)
        if share[j] >= _LEAST_SHARE
    ]
    return tuple(sorted(found, key=lambda one: -one.share))
