"""Detectors that know nothing of the sensors: what a method has to beat before its figures mean anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from detectors.batch import Bools, Floats
from streams.evaluation.recording import Outcome, Recording, runs

#: The clocks that are tried, as the shares of the recordings' longest after which they alarm for good.
_CLOCKS = np.linspace(0.02, 0.98, 49)


def always_on(recording: Recording, warmup: int) -> Outcome:
    """In alarm as soon as it may speak, and for good."""
    return _outcome(recording, warmup, np.ones(len(recording)), np.ones(len(recording), dtype=bool))


def clock(recording: Recording, warmup: int, after: float) -> Outcome:
    """Alarms ``after`` seconds from the recording's start, for good, whatever the sensors say."""
    since = (recording.time - recording.time[0]) / 1000
    return _outcome(recording, warmup, since, since >= after)


def best_clock(recordings: Sequence[Recording], warmup: Callable[[Recording], int]) -> float:
    """Seconds after which a clock has the highest pooled F1 of readings: it is told the labels."""
    longest = max(float(recording.time[-1] - recording.time[0]) / 1000 for recording in recordings)
    scores = []
    for after in _CLOCKS * longest:
        hits = said = true = 0
        for recording in recordings:
            alarm = clock(recording, warmup(recording), float(after)).alarm
            hits += int((alarm & recording.labels).sum())
            said += int(alarm.sum())
            true += int(recording.labels.sum())
        scores.append(2 * hits / (said + true) if said + true else 0.0)
    return float(_CLOCKS[int(np.argmax(scores))] * longest)


def timer(recording: Recording, warmup: int) -> Outcome:
    """In alarm for 5 readings of every 50: a periodic round."""
    place = np.arange(len(recording)) % 50
    return _outcome(recording, warmup, (place == 0) * 1.0, place < 5)


def random(recording: Recording, warmup: int) -> Outcome:
    """Scores from a seeded generator; the highest hundredth alarms."""
    score = np.random.default_rng(20_260_101).random(len(recording))
    return _outcome(recording, warmup, score, score >= 0.99)


def null_methods(
    recordings: Sequence[Recording], warmup: Callable[[Recording], int]
) -> dict[str, Callable[[Recording], Outcome]]:
    """The null detectors by name, each ready to judge a recording after its ``warmup`` readings."""
    after = best_clock(recordings, warmup)
    return {
        "always on": lambda one: always_on(one, warmup(one)),
        f"clock ({after:.0f} s, told the labels)": lambda one: clock(one, warmup(one), after),
        "periodic timer": lambda one: timer(one, warmup(one)),
        "random": lambda one: random(one, warmup(one)),
    }


def _outcome(recording: Recording, warmup: int, score: Floats, alarm: Bools) -> Outcome:
    learning = np.arange(len(recording)) < warmup
    alarm = alarm & ~learning
    return Outcome(recording, np.where(learning, np.nan, score), alarm, runs(alarm)[:, 0])
