"""Values that stand still: for how long that is usual, and a machine whose sensors do, all or several."""

from __future__ import annotations

from math import log

from detectors.compiled import compiled
from detectors.quality.signals import Signals
from detectors.quality.state import FROZEN, SEVERAL, Sensors, Told

RARE = log(1e-9)  # a run this unlikely is a fault
ODD = log(1e-4)  # a run this unlikely is masked meanwhile
AT_REST = 12  # values in a row that are the same
#: What `judge_rest` returns.
RESTS, DOUBTED = 1, 2


@compiled
def judge_rest(of: Sensors, signals: Signals, row: int, i: int, time: int, told: list[Told]) -> int:
    """Whether all sensors that move rest (`RESTS`), and so long that the data is `DOUBTED`; tell `FROZEN`.

    A machine whose readings go on, each the same as the one before to the last digit, is none that rests:
    its noise is missing. One that is off is often at 0, and is given patience; a rest that comes back a third
    time is how it is run.
    """
    pairs, repeats, run = of.pairs, of.repeats, of.run
    movers, still, at_zero, chance = 0, 1 << 62, 0, 1.0
    for s in range(pairs.shape[1]):
        if moves(pairs[row, s], repeats[row, s]):
            movers += 1
            still = min(still, run[row, s])
            at_zero += signals.value[row, s] == 0.0
            chance = min(chance, chance_of(of, row, s))
    rest, longest, frozen = signals.rest, signals.longest_rest, signals.frozen
    if movers < 2 or still < rest[row] or still <= 1:
        if frozen[row]:
            frozen[row] = False
            told.append((i, -1, FROZEN, 0, signals.rest_since[row], rest[row]))
            longest[row] = max(longest[row], (longest[row] + rest[row] // 3) // 2)
        else:
            longest[row] = max(longest[row], rest[row])
        rest[row] = 0
    if movers < 2 or still <= 1:
        return 0
    if rest[row] == 0:
        signals.rest_since[row] = time
    rest[row] = still
    patience = 10.0 if 2 * at_zero >= movers else 1.0
    if not frozen[row] and beyond(still, patience, 30.0, 4.0 * longest[row], RARE, chance):
        frozen[row] = True
        told.append((i, -1, FROZEN, 1, signals.rest_since[row], still))
    if frozen[row] or beyond(still, patience, 12.0, 1.5 * longest[row], ODD, chance):
        return DOUBTED
    return RESTS if still >= AT_REST else 0


@compiled
def judge_stall(of: Sensors, signals: Signals, row: int, i: int, together: bool, told: list[Told]) -> None:
    """Tell `FROZEN` of ``SEVERAL`` sensors that repeat usual values, not 0, from the same reading on.

    ``together``: several stand still, but not all. Sensors of a stage that stops do not hold the very values
    that they had while it ran; what a gateway repeats does.
    """
    pairs, repeats, run, since, longest = of.pairs, of.repeats, of.run, of.since, of.longest
    width = pairs.shape[1]
    if signals.stalled[row]:
        held = 0
        for s in range(width):
            held += moves(pairs[row, s], repeats[row, s]) and since[row, s] <= signals.stalled_since[row]
        if held < 2:
            signals.stalled[row] = False
            told.append((i, SEVERAL, FROZEN, 0, signals.stalled_since[row], 0))
        return
    if not together:
        return
    still, usual, sure, newest, length = 0, 0, 0, 0, 0
    for s in range(width):
        if moves(pairs[row, s], repeats[row, s]):
            chance, most = chance_of(of, row, s), longest[row, s]
            if beyond(run[row, s], 1.0, 12.0, 1.5 * most, ODD, chance):
                value = signals.value[row, s]
                still += 1
                usual += value != 0.0 and of.lowest[row, s] <= value <= of.highest[row, s]
                if beyond(run[row, s], 1.0, 30.0, 4.0 * most, RARE, chance):
                    sure, newest, length = sure + 1, max(newest, since[row, s]), run[row, s]
    at_once = 0
    for s in range(width):
        at_once += moves(pairs[row, s], repeats[row, s]) and since[row, s] == newest
    if sure >= 2 and usual == still and 2 * at_once >= max(4, still):
        signals.stalled[row], signals.stalled_since[row] = True, newest
        told.append((i, SEVERAL, FROZEN, 1, newest, length))


@compiled
def chance_of(of: Sensors, row: int, s: int) -> float:
    """How likely a value is the same as the one before."""
    return float((of.repeats[row, s] + 1.0) / (of.pairs[row, s] + 2.0))


@compiled
def moves(pairs: float, repeats: float) -> bool:
    """Whether a sensor is known to move."""
    return pairs - repeats >= 3.0 and pairs >= 50.0


@compiled
def beyond(run: int, patience: float, least: float, usual: float, unlikely: float, chance: float) -> bool:
    """Whether a run is so long that it needs a reason: ``chance`` is how likely it is to go on by one."""
    return run >= least * patience and run >= usual * patience and run >= unlikely / log(chance) * patience
