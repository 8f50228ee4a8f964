"""Alarm events from what a monitor found."""

from __future__ import annotations

import numpy as np

from detectors.decision.limits import LimitTransition
from detectors.quality.quality import QualityTransition
from pipeline.cause import Cause
from pipeline.condition import Change, Episode, Move
from pipeline.layout import Layout
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Contribution, Floats, alarm_id

#: Sensors with a smaller share of the score than this are not named, nor those that are off by fewer standard
#: deviations than this; one is named always.
MIN_SHARE, MIN_DEVIATION = 0.02, 3.0
MOST_NAMED = 8
#: A sensor fault blinds the watch over a machine; it does not stop the machine.
QUALITY_SEVERITY = 2
#: What has moved and stays there wants a word, not a hurry.
MOVED_SEVERITY = 1


def severity(score: float, threshold: float) -> int:
    """1 (low) .. 4 (urgent): how much rarer than the threshold asks such a score is in health.

    >>> severity(0.999, 0.999), severity(0.99999, 0.999), severity(0.9999999, 0.999)
    (2, 3, 4)
    """
    rarer = (1.0 - threshold) / max(1.0 - score, 1e-15)
    return 2 + int(rarer >= 99.99) + int(rarer >= 9999.0)


def contributions(episode: Episode, sensors: Layout) -> tuple[Contribution, ...]:
    """The sensors that raised an episode, the largest share first."""
    return _named(episode.share, episode.value, episode.expected, episode.deviation, sensors)


def _named(
    parts: Floats, value: Floats, expected: Floats, deviation: Floats, sensors: Layout
) -> tuple[Contribution, ...]:
    total = float(parts.sum())
    if total <= 0:
        return ()
    share = parts / total
    order = np.argsort(-share, kind="stable")[:MOST_NAMED]
    far = ~(np.abs(deviation) < MIN_DEVIATION)  # what is not known may be
    named = [j for j in order.tolist() if share[j] >= MIN_SHARE and far[j]] or order[:1].tolist()
    return tuple(
        Contribution(sensors[j], float(share[j]), _known(value[j]), _known(expected[j]), _known(deviation[j]))
        for j in named
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def condition_event(
    machine: str, machine_class: str, sensors: Layout, change: Change, time: int, threshold: float
) -> AlarmEvent:
    """A machine's condition alarm is raised or cleared at ``time``."""
    episode = change.episode
    return AlarmEvent(
        id=alarm_id(machine, AlarmKind.CONDITION, "", episode.onset),
        machine=machine,
        machine_class=machine_class,
        kind=AlarmKind.CONDITION,
        phase=AlarmPhase.RAISED if change.raised else AlarmPhase.CLEARED,
        onset=episode.onset,
        time=time,
        score=episode.peak,
        threshold=threshold,
        severity=severity(episode.peak, threshold),
        contributions=contributions(episode, sensors),
    )


def moved_event(
    machine: str, machine_class: str, sensors: Layout, move: Move, threshold: float
) -> AlarmEvent:
    """What is normal of a machine has moved and waits for a verdict; or it is back, or a verdict is there."""
    told: tuple[Contribution, ...] = ()
    if move.value is not None and move.evidence is not None:
        found = move.evidence
        told = _named(found.contributions, move.value, found.expected, found.deviation, sensors)
    return AlarmEvent(
        id=alarm_id(machine, AlarmKind.MOVED, "", move.since),
        machine=machine,
        machine_class=machine_class,
        kind=AlarmKind.MOVED,
        phase=AlarmPhase.RAISED if move.begun else AlarmPhase.CLEARED,
        onset=move.since,
        time=move.time,
        score=threshold,
        threshold=threshold,
        severity=MOVED_SEVERITY,
        contributions=told,
        cause=None if move.early is None else Cause("moved.early", hours=round(move.early / 3_600_000, 1)),
    )


def quality_event(
    machine: str, machine_class: str, sensors: Layout, transition: QualityTransition
) -> AlarmEvent:
    """A sensor can no longer be trusted, or can be again."""
    sensor = sensors[transition.sensor] if transition.sensor >= 0 else None
    return _certain(
        machine,
        machine_class,
        AlarmKind.QUALITY,
        f"{sensor}\n{transition.kind}",
        raised=transition.raised,
        onset=transition.onset,
        time=transition.time,
        severity=QUALITY_SEVERITY,
        sensor=sensor,
        cause=Cause(transition.code, **transition.values),
    )


def limit_event(machine: str, machine_class: str, sensors: Layout, transition: LimitTransition) -> AlarmEvent:
    """A fixed limit of a sensor is crossed, or the value is back."""
    limit = transition.limit
    sensor = sensors[limit.sensor]
    return _certain(
        machine,
        machine_class,
        AlarmKind.LIMIT,
        f"{sensor}\n{limit.name}",
        raised=transition.raised,
        onset=transition.onset,
        time=transition.time,
        severity=limit.severity,
        sensor=sensor,
        cause=Cause(limit_code(limit.name), value=transition.value, limit=limit.value),
    )


def limit_code(name: str) -> str:
    """The code of a limit's name.

    >>> limit_code("zone D"), limit_code("low_trip")
    ('zone-d', 'low-trip')
    """
    return name.lower().replace(" ", "-").replace("_", "-")


#: What an alarm is about that tells of a machine from which nothing comes.
_SILENCE = "silence"


def silence_event(machine: str, machine_class: str, last: int, waited: int) -> AlarmEvent:
    """Nothing has come of a machine for ``waited`` ms since its reading at ``last``."""
    return _certain(
        machine,
        machine_class,
        AlarmKind.QUALITY,
        _SILENCE,
        raised=True,
        onset=last,
        time=last + waited,
        severity=QUALITY_SEVERITY,
        cause=Cause(_SILENCE, seconds=round(waited / 1000)),
    )


def tells_of_silence(event: AlarmEvent) -> bool:
    """Whether it is a `silence_event`: a reading of the machine clears it.

    >>> tells_of_silence(silence_event("a/b/c/d/e", "", 0, 60_000))
    True
    """
    return event.id == alarm_id(event.machine, AlarmKind.QUALITY, _SILENCE, event.onset)


def _certain(
    machine: str,
    machine_class: str,
    kind: AlarmKind,
    subject: str,
    *,
    raised: bool,
    onset: int,
    time: int,
    severity: int,
    sensor: str | None = None,
    cause: Cause,
) -> AlarmEvent:
    """An alarm that is a matter of fact, not of probability: its score is 1. ``subject``: see `alarm_id`."""
    return AlarmEvent(
        id=alarm_id(machine, kind, subject, onset),
        machine=machine,
        machine_class=machine_class,
        kind=kind,
        phase=AlarmPhase.RAISED if raised else AlarmPhase.CLEARED,
        onset=onset,
        time=time,
        score=1.0,
        threshold=1.0,
        severity=severity,
        sensor=sensor,
        cause=cause,
    )
