"""The time from reading to reading: what is usual of it, gaps in it, and machines that say nothing."""

from __future__ import annotations

import numpy as np

from detectors.batch import Ints
from detectors.compiled import compiled
from detectors.quality.signals import Signals
from detectors.quality.state import GAP, Sensors, Told

_SLOW = 1.0 / 64.0


@compiled
def judge_times(
    of: Sensors, signals: Signals, rows: Ints, counts: Ints, time: Ints, told: list[Told]
) -> None:
    """Add to ``told`` the gaps before readings; a gap ends with the reading after it.

    A step of time that is like the one before is no gap, but another pace.
    """
    last, gap, gap_onset, paused = of.time, of.gap, of.gap_onset, of.paused
    pace, weight, longest, before = of.pace, of.pace_weight, of.longest_dt, signals.before
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        usual = weight[row] / pace[row]
        for i in range(start, stop):
            earlier, dt = last[row], time[i] - last[row]
            last[row] = time[i]
            if gap[row]:
                told.append((i, -1, GAP, 0, gap_onset[row], 0))
            new = dt > 3.0 * before[row]
            gap[row] = earlier >= 0 and new and dt > 10.0 * usual and dt > 3.0 * longest[row]
            before[row] = float(dt) if earlier >= 0 else 0.0
            if gap[row]:
                gap_onset[row] = earlier
                paused[row] = max(paused[row], float(dt))
                told.append((i, -1, GAP, 1, earlier, dt))


@compiled
def learn_times(of: Sensors, rows: Ints, counts: Ints, time: Ints) -> None:
    """The usual step of time is the harmonic mean: stretches that were not learned weigh nothing."""
    last, pace, weight = of.learned_time, of.pace, of.pace_weight
    longest, paused = of.longest_dt, of.paused
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        # a pause that comes back a third time is how this machine is run, and no fault
        if start < stop and paused[row] > 0.0:
            longest[row] = max(longest[row], (longest[row] + paused[row] / 2.5) / 2.0)
            paused[row] = 0.0
        for i in range(start, stop):
            dt = float(time[i] - last[row])
            if last[row] >= 0 and dt > 0.0:
                pace[row] = _SLOW * (1.0 / dt) + (1.0 - _SLOW) * pace[row]
                weight[row] = _SLOW + (1.0 - _SLOW) * weight[row]
                if dt <= 10.0 * weight[row] / pace[row]:
                    longest[row] = max(longest[row], dt)
            last[row] = time[i]


def silent(of: Sensors, rows: Ints, now: int) -> Ints:
    """(m,) for how many ms nothing came of each row that is silent at ``now``; 0 = it is not.

    A machine is silent after 20 of its usual intervals, 3 of its longest ones, and one minute.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = of.pace_weight[rows] / of.pace[rows]
    patience = np.maximum(60_000.0, np.maximum(20.0 * usual, 3.0 * of.longest_dt[rows]))
    waited = now - of.time[rows]
    return np.where((of.time[rows] >= 0) & (waited > patience), waited, 0)
