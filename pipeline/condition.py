"""When a score becomes an alarm: threshold, on-delay, hysteresis and off-delay of one machine (ISA-18.2).

The machine's state is one of `State.NORMAL`, `SUSPECT`, `ALARM`; this table is the whole of it:

=========  ==========================================  =====================================
state      a reading's score                           becomes
=========  ==========================================  =====================================
NORMAL     < threshold                                 NORMAL
NORMAL     ≥ threshold                                 SUSPECT: an episode begins (its onset)
SUSPECT    ≥ clear, long and often enough over         ALARM: raised
SUSPECT    ≥ clear                                     SUSPECT
SUSPECT    < clear                                     NORMAL: the episode is forgotten
ALARM      ≥ clear                                     ALARM
ALARM      < clear, for less than the off-delay        ALARM
ALARM      < clear, for the off-delay                  NORMAL: cleared
=========  ==========================================  =====================================

A score that is missing (NaN) changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.base import Evidence
from detectors.batch import Batch
from detectors.compiled import compiled
from pipeline.records import Floats, Ints, State

_NORMAL = int(State.NORMAL)


@dataclass(frozen=True, slots=True)
class Rule:
    """`AlarmSettings` in the units of the readings: scores and milliseconds."""

    threshold: float
    clear: float
    on_delay: int
    off_delay: int
    min_readings: int


@dataclass(slots=True)
class Episode:
    """What is known of a machine's running episode.

    ``share`` (k,) sums the contributions of the readings over ``clear``; ``value``, ``expected`` and
    ``deviation`` (k,) are those of the reading with the highest score.
    """

    onset: int
    over: int  # readings at or over the threshold
    peak: float
    below_since: int  # -1 = the score is not under `clear`
    share: Floats
    value: Floats
    expected: Floats
    deviation: Floats


@dataclass(frozen=True, slots=True)
class Change:
    """An alarm is raised (``raised``) or cleared at reading ``index``, for ``episode`` as it stood then."""

    index: int
    raised: bool
    episode: Episode


@dataclass(frozen=True, slots=True)
class Move:
    """What is normal of a machine has moved (``begun``) at ``since``, or has no more, at ``time`` (ms UTC).

    ``value`` (k,) and ``evidence`` say what is normal now, and was first; None when it has ended. ``early``:
    for how long (ms) the machine had been watched before, where it has been away for as long since: then
    what it was first was not its normal.
    """

    begun: bool
    since: int
    time: int
    value: Floats | None = None
    evidence: Evidence | None = None
    early: int | None = None


@dataclass(frozen=True, slots=True)
class Readings:
    """What `advance` needs of the readings of one machine: (n,) and (n, k) arrays."""

    time: Ints
    score: Floats
    values: Floats
    contributions: Floats
    expected: Floats
    deviation: Floats


def busy(state: NDArray[np.uint8], batch: Batch, score: Floats, rule: Rule) -> list[int]:
    """Which machines of the batch (positions in its ``rows``) have to be walked through the table.

    The others are NORMAL in ``state``, a value a fleet row, and stay so: no ``score`` (n,) of theirs is over.
    """
    found = np.empty(len(batch.rows), dtype=np.int64)
    many = _busy(state, batch.rows, batch.starts, batch.counts, score, rule.threshold, found)
    places: list[int] = found[:many].tolist()
    return places


@compiled
def _busy(
    state: NDArray[np.uint8],
    rows: Ints,
    starts: Ints,
    counts: Ints,
    score: Floats,
    threshold: float,
    found: Ints,
) -> int:
    """Fill in ``found``, and say how many there are."""
    many = 0
    for m in range(len(rows)):
        walk = state[rows[m]] != _NORMAL and counts[m] > 0
        for i in range(starts[m], starts[m] + counts[m]):
            walk |= score[i] >= threshold
        if walk:
            found[many] = m
            many += 1
    return many


def advance(
    state: State, episode: Episode | None, rule: Rule, readings: Readings
) -> tuple[list[State], Episode | None, list[Change]]:
    """Walk one machine's readings through the table.

    Returns the state after each reading, the running episode (None when NORMAL), and the alarms raised
    and cleared on the way.
    """
    states: list[State] = []
    changes: list[Change] = []
    times, scores = readings.time.tolist(), readings.score.tolist()
    for i, (time, score) in enumerate(zip(times, scores, strict=True)):
        if score != score:  # NaN
            states.append(state)
            continue
        if state is State.NORMAL:
            if score >= rule.threshold:
                episode = _begin(time, readings.values.shape[1])
                state = State.SUSPECT
        elif score < rule.clear:
            assert episode is not None  # noqa: S101 - SUSPECT and ALARM always have one
            if episode.below_since < 0:
                episode.below_since = time
            if state is State.SUSPECT:
                state, episode = State.NORMAL, None
            elif time - episode.below_since >= rule.off_delay:
                changes.append(Change(i, False, episode))
                state, episode = State.NORMAL, None
        if episode is not None and score >= rule.clear:
            _add(episode, i, score, rule, readings)
            long_enough = time - episode.onset >= rule.on_delay and episode.over >= rule.min_readings
            if state is State.SUSPECT and long_enough:
                state = State.ALARM
                changes.append(Change(i, True, _copy(episode)))
        states.append(state)
    return states, episode, changes


def _begin(time: int, width: int) -> Episode:
    nothing = np.full(width, np.nan)
    return Episode(time, 0, -1.0, -1, np.zeros(width), nothing, nothing, nothing)


def _add(episode: Episode, i: int, score: float, rule: Rule, readings: Readings) -> None:
    episode.below_since = -1
    episode.over += score >= rule.threshold
    episode.share = episode.share + readings.contributions[i]
    if score > episode.peak:
        episode.peak = score
        episode.value = readings.values[i].copy()
        episode.expected = readings.expected[i].copy()
        episode.deviation = readings.deviation[i].copy()


def _copy(episode: Episode) -> Episode:
    return Episode(
        episode.onset,
        episode.over,
        episode.peak,
        episode.below_since,
        episode.share,  # never changed in place
        episode.value,
        episode.expected,
        episode.deviation,
    )
