"""Learns what is usual of each sensor: its rests, absences, steps and range."""

from __future__ import annotations

from math import isnan

from detectors.batch import Floats, Ints
from detectors.compiled import compiled
from detectors.quality.pace import learn_times
from detectors.quality.state import Sensors


@compiled
def learn(of: Sensors, rows: Ints, counts: Ints, time: Ints, x: Floats) -> None:
    """Take in healthy readings of a `Batch`."""
    last, run, missing, rested = of.learned_last, of.learned_run, of.learned_missing, of.rested
    pairs, repeats, longest = of.pairs, of.repeats, of.longest
    readings, absent, longest_absence = of.readings, of.absent, of.longest_absence
    step, lowest, highest = of.step, of.lowest, of.highest
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        readings[row] += counts[m]
        # a rest that comes back a third time is how this machine is run, and no fault
        for s in range(x.shape[1]):
            if start < stop and rested[row, s] > 0:
                longest[row, s] = max(longest[row, s], (longest[row, s] + rested[row, s] // 3) // 2)
                rested[row, s] = 0
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
    learn_times(of, rows, counts, time)
