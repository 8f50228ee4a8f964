"""Judges each cell of readings against what was learned of its sensor."""

from __future__ import annotations

from math import isnan, log

import numpy as np

from detectors.batch import Bools, Floats, Ints
from detectors.compiled import compiled
from detectors.quality.pace import judge_times
from detectors.quality.state import DRIFT, DROPOUT, SATURATED, STUCK, Sensors, Told

_RARE = log(1e-9)  # a run this unlikely is a fault
_ODD = log(1e-4)  # a run this unlikely is masked meanwhile
_AT_REST = 12  # values in a row that are the same
_LATELY, _SPIKES_LATELY = 1.0 / 64.0, 0.01


@compiled
def judge(
    of: Sensors,
    low: Floats,
    high: Floats,
    rows: Ints,
    counts: Ints,
    time: Ints,
    x: Floats,
    trusted: Bools,
    ok: Bools,
) -> list[Told]:
    """Judge readings of a `Batch`; fill ``trusted`` and ``ok`` (n, k), and tell the faults that begin or end.

    Trusted are cells that are fine by themselves; ok are those of which the sensor has no fault either.
    """
    told = [(0, 0, 0, 0, 0, 0)]
    told.clear()
    judge_times(of, rows, counts, time, told)
    last, before, run, since = of.last, of.before, of.run, of.since
    missing, missing_since, missed = of.missing, of.missing_since, of.missed
    spiking, at_rail, rested = of.spiking, of.at_rail, of.rested
    faulty, onset = of.faulty, of.onset
    pairs, repeats, longest = of.pairs, of.repeats, of.longest
    readings, absent, longest_absence = of.readings, of.absent, of.longest_absence
    step, lowest, highest = of.step, of.lowest, of.highest
    width = x.shape[1]
    ran, outside = np.zeros(width, np.int64), np.zeros(width, np.bool_)
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        for i in range(start, stop):
            # how long values have stood still or been away, and how many sensors are where they usually are
            movers, still, witnesses = 0, 0, 0
            for s in range(width):
                value = x[i, s]
                ran[s] = run[row, s]
                if isnan(value):
                    if missing[row, s] == 0:
                        missing_since[row, s] = time[i]
                    missing[row, s] += 1
                    outside[s] = False
                else:
                    if value != last[row, s]:
                        run[row, s], since[row, s] = 0, time[i]
                    run[row, s] += 1
                    missing[row, s], missing_since[row, s] = 0, 0
                    spread = highest[row, s] - lowest[row, s]
                    outside[s] = value > highest[row, s] + spread or value < lowest[row, s] - spread
                    witnesses += not outside[s]
                if _moves(pairs[row, s], repeats[row, s]):
                    movers += 1
                    still += run[row, s] >= _AT_REST
            resting = movers >= 2 and still == movers
            # a machine's own shock is felt by its other sensors too; one sensor alone has no witness
            witnessed = 2 * witnesses >= max(2, width)

            for s in range(width):
                value = x[i, s]
                valid = not isnan(value)

                # a machine at rest stands still as a whole, or at 0: have patience
                patience = 10.0 if resting or value == 0.0 else 1.0
                chance = (repeats[row, s] + 1.0) / (pairs[row, s] + 2.0)
                rests = valid and _moves(pairs[row, s], repeats[row, s])
                most, length = longest[row, s], run[row, s]
                doubtful = rests and _beyond(length, patience, 12.0, 1.5 * most, _ODD, chance)
                stuck = doubtful and _beyond(length, patience, 30.0, 4.0 * most, _RARE, chance)
                moving = valid and not _beyond(length, 1.0, 30.0, 4.0 * most, _RARE, chance)

                away = (absent[row, s] + 1.0) / (readings[row] + 2.0)
                often = max(0.3, 3.0 * away)
                missed[row, s] = _LATELY * (not valid) + (1.0 - _LATELY) * missed[row, s]
                dropped = readings[row] - absent[row, s] >= 20.0 and (
                    missed[row, s] > often
                    or _beyond(missing[row, s], 1.0, 5.0, 3.0 * longest_absence[row, s], _RARE, away)
                )

                # a value far out, a far step from both of the values before it: if it is the machine that
                # jumped, the next value is near this one, and is no spike
                far = max(4.0 * step[row, s], highest[row, s] - lowest[row, s])
                spike = (
                    outside[s]
                    and witnessed
                    and pairs[row, s] >= 100.0
                    and step[row, s] > 0.0
                    and abs(value - last[row, s]) > far
                    and not abs(value - before[row, s]) <= far
                )
                spiking[row, s] = _SPIKES_LATELY * spike + (1.0 - _SPIKES_LATELY) * spiking[row, s]

                railed = valid and (value <= low[s] or value >= high[s])
                at_rail[row, s] = at_rail[row, s] + 1 if railed else 0
                over = stuck and (value >= highest[row, s] or value <= lowest[row, s])

                on = (
                    stuck and not over and not railed,
                    dropped,
                    spiking[row, s] > 0.025,
                    over or at_rail[row, s] >= 3,
                )
                off = (
                    moving,
                    valid and missed[row, s] < 0.5 * often,
                    spiking[row, s] < 0.005,
                    moving and not railed,
                )
                begun = (since[row, s], missing_since[row, s], time[i], time[i])
                for kind in range(DRIFT):
                    was = faulty[row, kind, s]
                    now = on[kind] or (was and not off[kind])
                    if now == was:
                        continue
                    faulty[row, kind, s] = now
                    if now:
                        onset[row, kind, s] = begun[kind]
                    elif kind == STUCK:
                        rested[row, s] = max(rested[row, s], ran[s])
                    ran_for = missing[row, s] if kind == DROPOUT else length
                    told.append((i, s, kind, int(now), onset[row, kind, s], ran_for))

                trusted[i, s] = valid and not (doubtful or spike or railed)
                ok[i, s] = trusted[i, s] and not (faulty[row, STUCK, s] or faulty[row, SATURATED, s])
                if valid:
                    before[row, s], last[row, s] = last[row, s], value
    return told


@compiled
def _moves(pairs: float, repeats: float) -> bool:
    """Whether a sensor is known to move."""
    return pairs - repeats >= 3.0 and pairs >= 50.0


@compiled
def _beyond(run: int, patience: float, least: float, usual: float, unlikely: float, chance: float) -> bool:
    """Whether a run is so long that it needs a reason: ``chance`` is how likely it is to go on by one."""
    return run >= least * patience and run >= usual * patience and run >= unlikely / log(chance) * patience
