"""Alarm events for tests."""

from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Contribution, alarm_id

PRESS = "gwangju/ggm/body/line-2/press-07"
ROBOT = "gwangju/ggm/body/line-2/robot-01"
OVEN = "gwangju/ggm/paint/line-1/oven-01"
RIVAL = "ulsan/rival/body/line-2/press-07"


def raised(machine=PRESS, onset=0, *, time=None, kind=AlarmKind.CONDITION, sensor=None, severity=3, **more):
    given = {
        "contributions": (
            Contribution("vibration", 0.7, 9.1, 3.0, 6.1),
            Contribution("temperature", 0.3, 71.0, 60.0, 2.2),
        ),
        "machine_class": "press",
        "score": 0.9995,
        "detail": "",
    } | more
    return AlarmEvent(
        alarm_id(machine, kind, sensor or "", onset),
        machine,
        given["machine_class"],
        kind,
        AlarmPhase.RAISED,
        onset,
        onset + 10_000 if time is None else time,
        given["score"],
        0.999,
        severity,
        given["contributions"],
        sensor,
        given["detail"],
    )


def cleared(machine=PRESS, onset=0, *, time=None, **more):
    event = raised(machine, onset, time=onset + 60_000 if time is None else time, **more)
    return AlarmEvent(
        event.id,
        event.machine,
        event.machine_class,
        event.kind,
        AlarmPhase.CLEARED,
        event.onset,
        event.time,
        event.score,
        event.threshold,
        event.severity,
        event.contributions,
        event.sensor,
        event.detail,
    )
