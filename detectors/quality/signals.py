"""What a sensor's values are: levels, totals that only grow, angles, or codes that stand for no value."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import Annotated, NamedTuple

import numpy as np

from detectors.batch import Bools, Floats, Ints
from detectors.compiled import compiled
from detectors.table import Column

#: Values that devices send in place of one that they do not have: nines, and the ends of 8, 16 and 32 bits,
#: as they are and with one or two decimals; 85 and −127 are those of a DS18B20.
CODES = (
    99.0, -99.0, 999.0, -999.0, 9999.0, -9999.0, 99999.0, -99999.0, 999999.0, -999999.0, 999.9, -999.9,
    85.0, -127.0, 127.0, -128.0, 255.0, 32767.0, -32768.0, 65535.0, 3276.7, -3276.8, 6553.5, 327.67, -327.68,
    655.35, 2147483647.0, -2147483648.0, 4294967295.0, 3.4028234663852886e38, -3.4028234663852886e38,
)  # fmt: skip
#: A sudden 0 is doubted for so many readings; a machine that was switched off stays at it.
ZEROS = 3
#: A total has grown so often, and has gone back (other than to its beginning) once in so many times at most.
_GROWN, _BACK, _BEGUN = 60.0, 500.0, 20.0
_FEW = 20.0
#: An angle takes a step of so many degrees at least where a circle begins; the other way round it is as many
#: usual ones at most.
_TURN, _STEPS, _USUAL = 340.0, 8.0, 1.0 / 32.0
_EACH = ("width",)


class Signals(NamedTuple):
    """Columns of `detectors.quality.quality.FleetQuality`; a row a machine, times in ms."""

    value: Annotated[Floats, Column(_EACH, nan)]  # the latest value that is no code
    zeros: Annotated[Ints, Column(_EACH, 0)]  # readings in a row that were a sudden 0
    jumping: Annotated[Floats, Column(_EACH, 0.0)]  # share of steps to far out, lately
    rises: Annotated[Floats, Column(_EACH, 0.0)]
    falls: Annotated[Floats, Column(_EACH, 0.0)]
    begun: Annotated[Floats, Column(_EACH, 0.0)]  # falls to (nearly) 0: resets, and totals that wrap
    usual: Annotated[Floats, Column(_EACH, 0.0)]  # mean size of a step
    angle: Annotated[Bools, Column(_EACH, False)]  # has gone through 360 degrees
    rest: Annotated[Ints, Column((), 0)]  # readings in a row in which no sensor that moves moved
    rest_since: Annotated[Ints, Column((), 0)]
    longest_rest: Annotated[Ints, Column((), 0)]
    frozen: Annotated[Bools, Column((), False)]
    stalled: Annotated[Bools, Column((), False)]  # several sensors repeat their values …
    stalled_since: Annotated[Ints, Column((), 0)]  # … from this time on
    before: Annotated[Floats, Column((), 0.0)]  # ms between the two readings before the latest


@compiled
def is_code(value: float, last: float, lowest: float, highest: float) -> bool:
    """Whether a value far out, a far step from ``last``, is one that stands for no value."""
    spread = highest - lowest
    if not spread > 0.0 or (lowest - spread <= value <= highest + spread) or abs(value - last) <= spread:
        return False
    for code in CODES:  # noqa: SIM110 (kernels have no generators)
        if value == code:
            return True
    return False


@compiled
def is_total(of: Signals, row: int, s: int) -> bool:
    """Whether a sensor only grows, as counters, hours run and consumed energy do, and shafts that turn."""
    rises = of.rises[row, s]
    return bool(rises >= _GROWN and of.falls[row, s] * _BACK <= rises and of.begun[row, s] * _BEGUN <= rises)


@compiled
def has_no_level(of: Signals, row: int, s: int) -> bool:
    """Whether a sensor is a total or an angle: there is no level to judge it by."""
    return bool(of.angle[row, s] or is_total(of, row, s))


@compiled
def follow_value(of: Signals, row: int, s: int, value: float) -> None:
    """Take in a value that is no code."""
    last = of.value[row, s]
    if value > last:
        of.rises[row, s] += 1.0
    elif value < last:
        if 0.0 <= value <= 0.1 * last:
            of.begun[row, s] += 1.0
        else:
            of.falls[row, s] += 1.0
    if last == last:  # there was one
        if _turned(value, last, of.usual[row, s]):
            of.angle[row, s] = True
        if abs(value - last) < 180.0:
            of.usual[row, s] += (abs(value - last) - of.usual[row, s]) * _USUAL
    of.value[row, s] = value


@compiled
def _turned(value: float, last: float, usual: float) -> bool:
    """Whether an angle in degrees has gone through its end, surely: by steps as it always takes.

    A machine that starts, or a speed of 350 per minute that falls to 0, does not.
    """
    low, high = min(value, last), max(value, last)
    within = (low > 0.0 and high < 360.0) or (low >= -180.0 and high <= 180.0)
    return within and high - low >= _TURN and 360.0 - (high - low) <= _STEPS * usual


@compiled
def turns(value: float, last: float, lowest: float, highest: float, step: float) -> bool:
    """Whether an angle in degrees has gone through its end: the short way round is a usual step."""
    if min(value, last, lowest) < 0.0 or max(value, last, highest) > 360.0:
        return False
    return abs(value - last) > 180.0 and 360.0 - abs(value - last) <= 4.0 * step


@compiled
def levels_of(of: Signals, rows: Ints, counts: Ints, x: Floats) -> Floats:
    """Warm-up readings (n, k) without codes and totals: NaN in their place."""
    out = x.copy()
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        for s in range(x.shape[1]):
            lowest, highest, known = inf, -inf, 0.0
            for i in range(start, stop):
                value = x[i, s]
                if not isnan(value) and value not in CODES:
                    lowest, highest, known = min(lowest, value), max(highest, value), known + 1.0
            last = nan
            for i in range(start, stop):
                value = x[i, s]
                if isnan(value):
                    continue
                if known >= _FEW and not isnan(last) and is_code(value, last, lowest, highest):
                    out[i, s] = nan
                    continue
                if isnan(last) and known >= _FEW and is_code(value, lowest, lowest, highest):
                    out[i, s] = nan
                    continue
                last = value
                follow_value(of, row, s, value)
            if has_no_level(of, row, s):
                for i in range(start, stop):
                    out[i, s] = nan
    return out


@compiled
def totals_of(of: Signals, rows: Ints) -> Bools:
    """(m, k) which sensors of ``rows`` are totals or angles."""
    found = np.zeros((len(rows), of.rises.shape[1]), np.bool_)
    for m in range(len(rows)):
        for s in range(of.rises.shape[1]):
            found[m, s] = has_no_level(of, rows[m], s)
    return found
