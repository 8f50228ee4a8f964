"""Alarm events for tests."""

from dataclasses import replace

from pipeline.cause import Cause
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Contribution, alarm_id

PRESS = "gwangju/ggm/body/line-2/press-07"
ROBOT = "gwangju/ggm/body/line-2/robot-01"
OVEN = "gwangju/ggm/paint/line-1/oven-01"
RIVAL = "ulsan/rival/body/line-2/press-07"


def raised(
    machine=PRESS,
    onset=0,
    *,
    time=None,
    kind=AlarmKind.CONDITION,
    sensor=None,
    severity=3,
    cause=None,
    **more,
):
    cause = Cause(cause) if isinstance(cause, str) else cause
    given = {
        "contributions": (
            Contribution("vibration", 0.7, 9.1, 3.0, 6.1),
            Contribution("temperature", 0.3, 71.0, 60.0, 2.2),
        ),
        "machine_class": "press",
        "score": 0.9995,
    } | more
    return AlarmEvent(
        id=alarm_id(machine, kind, "\n".join(filter(None, (sensor, cause and cause.code))), onset),
        machine=machine,
        kind=kind,
        phase=AlarmPhase.RAISED,
        onset=onset,
        time=onset + 10_000 if time is None else time,
        threshold=0.999,
        severity=severity,
        sensor=sensor,
        cause=cause,
        **given,
    )


def cleared(machine=PRESS, onset=0, *, time=None, **more):
    event = raised(machine, onset, time=onset + 60_000 if time is None else time, **more)
    return replace(event, phase=AlarmPhase.CLEARED)


def limit(cause, onset=0, *, value=9.0, bound=4.0, sensor="vibration", severity=2, **more):
    """A fixed limit is crossed."""
    return raised(
        onset=onset,
        kind=AlarmKind.LIMIT,
        sensor=sensor,
        severity=severity,
        cause=Cause(cause, value=value, limit=bound),
        contributions=(),
        **more,
    )


def silent(machine=PRESS, onset=0, **more):
    """Nothing comes of a machine."""
    return raised(
        machine, onset, kind=AlarmKind.QUALITY, severity=2, cause="silence", contributions=(), **more
    )
