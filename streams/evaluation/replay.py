"""Run recordings through the streaming pipeline, reading by reading in order, as the worker would."""

from __future__ import annotations

import numpy as np

from detectors.batch import Bools
from pipeline.condition import Readings, Rule, advance
from pipeline.pipeline import Pipeline
from pipeline.records import AlarmKind, AlarmPhase, Frame, State
from pipeline.settings import AlarmSettings, ClassSettings, IntakeSettings
from streams.evaluation.recording import Outcome, Recording
from streams.settings import Settings

#: Every recording is replayed as this one machine, so that no result can depend on a file's name.
MACHINE = "bench/bench/bench/bench/machine"
_FRAME = 256


def replay(recording: Recording, preset: ClassSettings) -> Outcome:
    """What the pipeline, set up with ``preset``, finds in ``recording`` in one pass."""
    # Not the user's own settings; and no row waits for what a recording cannot bring.
    settings = Settings.model_construct(classes={"bench": preset}, intake=IntakeSettings(wait=0))
    pipeline = Pipeline(settings)
    score = np.full(len(recording), np.nan)
    alarm = np.zeros(len(recording), dtype=bool)
    raised: dict[str, int] = {}
    severity: dict[str, int] = {}
    times, first = np.unique(recording.time, return_index=True)  # a repeated time is taken once
    for start in range(0, len(recording), _FRAME):
        part = slice(start, start + _FRAME)
        frame = Frame(MACHINE, recording.time[part], recording.sensors, recording.values[part])
        results = pipeline.process([frame])
        for scored in results.scored:
            at = first[np.searchsorted(times, scored.time)]
            score[at] = scored.score
            alarm[at] = scored.state == State.ALARM
        for event in results.alarms:
            if event.kind is AlarmKind.CONDITION:
                if event.phase is AlarmPhase.RAISED:
                    raised.setdefault(event.id, int(first[np.searchsorted(times, event.time)]))
                severity[event.id] = max(severity.get(event.id, 0), event.severity)
    alerts = np.array(list(raised.values()), dtype=np.int64)
    return Outcome(recording, score, alarm, alerts, np.array([severity[id] for id in raised], dtype=np.int64))


def delayed(recording: Recording, over: Bools, alarm: AlarmSettings) -> Bools:
    """(n,) whether a method whose score is ``over`` its threshold stands in alarm, after the usual delays."""
    nothing = np.zeros((len(recording), 1))
    rule = Rule(0.5, 0.5, round(alarm.on_delay * 1000), round(alarm.off_delay * 1000), alarm.min_readings)
    readings = Readings(recording.time, over.astype(np.float64), nothing, nothing, nothing, nothing)
    states, _, _ = advance(State.NORMAL, None, rule, readings)
    return np.array([state is State.ALARM for state in states], dtype=bool)
