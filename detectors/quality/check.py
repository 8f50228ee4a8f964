"""Judges each cell of readings against what was learned of its sensor."""

from __future__ import annotations

from math import isnan, nan

import numpy as np

from detectors.batch import Bools, Floats, Ints
from detectors.compiled import compiled
from detectors.quality.pace import judge_times
from detectors.quality.rest import DOUBTED, ODD, RARE, beyond, chance_of, judge_rest, judge_stall, moves
from detectors.quality.signals import ZEROS, Signals, follow_value, has_no_level, is_code, turns
from detectors.quality.state import DRIFT, DROPOUT, SATURATED, STUCK, Sensors, Told

_LATELY, _SPIKES_LATELY = 1.0 / 64.0, 0.01
_JUMPED_LATELY = 0.002  # a jump within some 160 readings
_SELDOM = 0.05  # a sensor's value is so seldom the one before


@compiled
def judge(
    of: Sensors,
    signals: Signals,
    low: Floats,
    high: Floats,
    symptom: Bools,
    rows: Ints,
    counts: Ints,
    time: Ints,
    x: Floats,
    trusted: Bools,
    ok: Bools,
) -> list[Told]:
    """Judge readings of a `Batch`; fill ``trusted`` and ``ok`` (n, k), and tell the faults that begin or end.

    Trusted are cells that are fine by themselves; ok are those that are levels and of which neither the
    sensor nor the machine's data has a fault. Spikes of a ``symptom`` (k,) that repeat are wear.
    """
    told = [(0, 0, 0, 0, 0, 0)]
    told.clear()
    judge_times(of, signals, rows, counts, time, told)
    last, before, run, since = of.last, of.before, of.run, of.since
    missing, missing_since, missed = of.missing, of.missing_since, of.missed
    spiking, at_rail, rested = of.spiking, of.at_rail, of.rested
    faulty, onset = of.faulty, of.onset
    pairs, repeats, longest = of.pairs, of.repeats, of.longest
    readings, absent, longest_absence = of.readings, of.absent, of.longest_absence
    step, lowest, highest, zeros = of.step, of.lowest, of.highest, signals.zeros
    width = x.shape[1]
    ran, now = np.zeros(width, np.int64), np.zeros(width)
    outside, jumped = np.zeros(width, np.bool_), np.zeros(width, np.bool_)
    jumping = signals.jumping
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        for i in range(start, stop):
            # how long values have stood still or been away, and how many sensors are where they usually are
            movers, odd, jumpers, far_out, witnesses = 0, 0, 0, 0, 0
            for s in range(width):
                value = x[i, s]
                ran[s] = run[row, s]
                spread = highest[row, s] - lowest[row, s]
                outside[s] = value > highest[row, s] + spread or value < lowest[row, s] - spread
                far_step = outside[s] and pairs[row, s] >= 20.0 and abs(value - last[row, s]) > spread
                zeros[row, s] = zeros[row, s] + 1 if value == 0.0 and (far_step or zeros[row, s] > 0) else 0
                if outside[s] and (
                    0 < zeros[row, s] <= ZEROS
                    or is_code(value, last[row, s], lowest[row, s], highest[row, s])
                ):
                    value = nan
                now[s] = value
                if isnan(value):
                    if missing[row, s] == 0:
                        missing_since[row, s] = time[i]
                    missing[row, s] += 1
                    outside[s] = False
                else:
                    follow_value(signals, row, s, value)
                    if value != last[row, s]:
                        run[row, s], since[row, s] = 0, time[i]
                    run[row, s] += 1
                    missing[row, s], missing_since[row, s] = 0, 0
                    witnesses += not outside[s]
                    far_out += far_step
                jumped[s] = jumping[row, s] > _JUMPED_LATELY
                jumpers += jumped[s]
                jumping[row, s] = _SPIKES_LATELY * far_step + (1.0 - _SPIKES_LATELY) * jumping[row, s]
                if moves(pairs[row, s], repeats[row, s]):
                    movers += 1
                    odd += beyond(run[row, s], 1.0, 12.0, 1.5 * longest[row, s], ODD, chance_of(of, row, s))
            resting = judge_rest(of, signals, row, i, time[i], told)
            # a machine's own shock is felt by its other sensors too; one sensor alone has no witness
            witnessed = 2 * witnesses >= max(2, width) and far_out <= 1
            # sensors that stand still together were stopped by the machine, or by what sends them
            part = odd >= 2 and 3 * odd >= movers
            together = resting > 0 or part
            judge_stall(of, signals, row, i, part and resting == 0, told)

            for s in range(width):
                value = now[s]
                valid = not isnan(value)
                total = has_no_level(signals, row, s)

                patience = 10.0 if value == 0.0 else 1.0
                likely = chance_of(of, row, s)
                rests = valid and not (together or total) and moves(pairs[row, s], repeats[row, s])
                most, length = longest[row, s], run[row, s]
                doubtful = rests and (
                    beyond(length, patience, 12.0, 1.5 * most, ODD, likely)
                    or (outside[s] and witnessed and length >= 2 and likely < _SELDOM)
                )
                stuck = rests and beyond(length, patience, 30.0, 4.0 * most, RARE, likely)
                moving = valid and not beyond(length, 1.0, 30.0, 4.0 * most, RARE, likely)

                away = (absent[row, s] + 1.0) / (readings[row] + 2.0)
                often = max(0.3, 3.0 * away)
                missed[row, s] = _LATELY * (not valid) + (1.0 - _LATELY) * missed[row, s]
                dropped = readings[row] - absent[row, s] >= 20.0 and (
                    missed[row, s] > often
                    or beyond(missing[row, s], 1.0, 5.0, 3.0 * longest_absence[row, s], RARE, away)
                )

                # a value far out, a far step from both of the values before it: if it is the machine that
                # jumped, the next value is near this one, and is no spike; if several sensors do so in turn,
                # neither
                far = max(4.0 * step[row, s], highest[row, s] - lowest[row, s])
                others = jumpers - jumped[s]
                spike = (
                    outside[s]
                    and witnessed
                    and others <= width // 16
                    and not (total or (symptom[s] and jumped[s]))
                    and pairs[row, s] >= 100.0
                    and step[row, s] > 0.0
                    and abs(value - last[row, s]) > far
                    and not abs(value - before[row, s]) <= far
                    and not turns(value, last[row, s], lowest[row, s], highest[row, s], step[row, s])
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
                    has = on[kind] or (was and not off[kind])
                    if has == was:
                        continue
                    faulty[row, kind, s] = has
                    if has:
                        onset[row, kind, s] = begun[kind]
                    elif kind == STUCK:
                        rested[row, s] = max(rested[row, s], ran[s])
                    ran_for = missing[row, s] if kind == DROPOUT else length
                    told.append((i, s, kind, int(has), onset[row, kind, s], ran_for))

                trusted[i, s] = valid and not (doubtful or spike or railed or resting == DOUBTED)
                ok[i, s] = trusted[i, s] and not (total or faulty[row, STUCK, s] or faulty[row, SATURATED, s])
                if valid:
                    before[row, s], last[row, s] = last[row, s], value
    return told
