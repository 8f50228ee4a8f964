"""What a crew feels: events caught and missed, delay, false alarms, and time spent in alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streams.evaluation.recording import Outcome, runs
from streams.evaluation.vus import vus_pr

_DAY = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFigures:
    """Pooled over recordings. Times in seconds; only readings that were judged count as healthy time.

    An event is caught when an alarm begins within it; one that stands already when the event begins is a
    miss (``standing``), for nobody would be called. ``false_episodes`` begin outside any event;
    ``before`` are those of them that begin before the recording's first event. ``learned`` events lie
    whole in what a method learned before it spoke; they are not among ``events``.
    """

    events: int
    caught: int
    standing: int
    delay_median: float
    delay_p90: float
    before: int
    false_episodes: int
    healthy_days: float
    healthy_in_alarm: float
    vus_pr: float
    learned: int = 0

    @property
    def false_a_day(self) -> float:
        """False-alarm episodes a machine-day."""
        return self.false_episodes / self.healthy_days if self.healthy_days else float("nan")


def event_figures(outcomes: Sequence[Outcome]) -> EventFigures:
    """The figures of one method on a set of recordings."""
    events = caught = standing = before = false = learned = 0
    delays: list[float] = []
    healthy = alarmed = 0.0
    volumes: list[float] = []
    for outcome in outcomes:
        record = outcome.recording
        inside, time = record.labels, record.time
        starts = runs(outcome.alarm)[:, 0]
        for start, stop in record.events.tolist():
            if not outcome.judged[start:stop].any():
                learned += 1
                continue
            events += 1
            begun = starts[(starts >= start) & (starts < stop)]
            if start and outcome.alarm[start - 1]:
                standing += 1
            elif len(begun):
                caught += 1
                delays.append((time[begun[0]] - time[start]) / 1000)
        outside = starts[~inside[starts]]
        false += len(outside)
        if len(record.events):
            before += int(np.sum(outside < record.events[0, 0]))
        step = np.minimum(np.diff(time, prepend=time[:1]), 5 * _usual_step(time))  # gaps are nobody's time
        quiet = outcome.judged & ~inside
        healthy += float(step[quiet].sum())
        alarmed += float(step[quiet & outcome.alarm].sum())
        if inside[outcome.judged].any():
            volumes.append(vus_pr(outcome.score[outcome.judged], inside[outcome.judged]))
    return EventFigures(
        events=events,
        caught=caught,
        standing=standing,
        delay_median=float(np.median(delays)) if delays else float("nan"),
        delay_p90=float(np.quantile(delays, 0.9)) if delays else float("nan"),
        before=before,
        false_episodes=false,
        healthy_days=healthy / _DAY,
        healthy_in_alarm=alarmed / healthy if healthy else float("nan"),
        vus_pr=float(np.mean(volumes)) if volumes else float("nan"),
        learned=learned,
    )


def _usual_step(time: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int:
    return int(np.median(np.diff(time))) if len(time) > 1 else 0
