"""Learns what is usual of each sensor: rests, absences, steps and range; and of the machine's time step."""

from __future__ import annotations

from math import isnan

from detectors.batch import Floats, Ints
from detectors.compiled import compiled
from detectors.quality_state import Sensors

_SLOW = 1.0 / 64.0


@compiled
def learn(of: Sensors, rows: Ints, counts: Ints, time: Ints, x: Floats) -> None:
    """Take in healthy readings of a `Batch`."""
    _learn_values(of, rows, counts, x)
    _learn_times(of, rows, counts, time)
    _learn_rests(of, rows[counts > 0])


@compiled
def _learn_values(of: Sensors, rows: Ints, counts: Ints, x: Floats) -> None:
    last, run, missing = of.learned_last, of.learned_run, of.learned_missing
    pairs, repeats, longest = of.pairs, of.repeats, of.longest
    readings, absent, longest_absence = of.readings, of.absent, of.longest_absence
    step, lowest, highest = of.step, of.lowest, of.highest
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        readings[row] += counts[m]
        for i in range(start, stop):
            for s in range(x.shape[1]):
                value, previous = x[i, s], last[row, s]
                if isnan(value):
                    absent[row, s] += 1.0
                    missing[row, s] += 1
                    longest_absence[row, s] = max(longest_absence[row, s], missing[row, s])
                    continue
                if value == previous:
                    repeats[row, s] += 1.0
                    run[row, s] += 1
                else:
                    run[row, s] = 1
                longest[row, s] = max(longest[row, s], run[row, s])
                if not isnan(previous):
                    pairs[row, s] += 1.0
                    step[row, s] = max(step[row, s], abs(value - previous))
                lowest[row, s] = min(lowest[row, s], value)
                highest[row, s] = max(highest[row, s], value)
                missing[row, s] = 0
                last[row, s] = value


@compiled
def _learn_times(of: Sensors, rows: Ints, counts: Ints, time: Ints) -> None:
    """The usual step of time is the harmonic mean: stretches that were not learned weigh nothing."""
    last, pace, weight, longest = of.learned_time, of.pace, of.pace_weight, of.longest_dt
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        for i in range(start, stop):
            dt = float(time[i] - last[row])
            if last[row] >= 0 and dt > 0.0:
                pace[row] = _SLOW * (1.0 / dt) + (1.0 - _SLOW) * pace[row]
                weight[row] = _SLOW + (1.0 - _SLOW) * weight[row]
                if dt <= 10.0 * weight[row] / pace[row]:
                    longest[row] = max(longest[row], dt)
            last[row] = time[i]


@compiled
def _learn_rests(of: Sensors, rows: Ints) -> None:
    """A rest or a pause that comes back a third time is how this machine is run, and no fault."""
    rested, longest = of.rested, of.longest
    paused, longest_dt = of.paused, of.longest_dt
    for row in rows:
        for s in range(rested.shape[1]):
            if rested[row, s] > 0:
                longest[row, s] = max(longest[row, s], (longest[row, s] + rested[row, s] // 3) // 2)
                rested[row, s] = 0
        if paused[row] > 0.0:
            longest_dt[row] = max(longest_dt[row], (longest_dt[row] + paused[row] / 2.5) / 2.0)
            paused[row] = 0.0
