"""Numbers that are times: their unit is told by their size."""

from __future__ import annotations

import math

from pipeline.records import Ints

#: 2000-01-01 and 2200-01-01 in ms: what lies outside is no time of readings.
EARLIEST, LATEST = 946_684_800_000, 7_258_118_400_000

#: Beyond every time in ns.
_BEYOND = 1e19

#: Units of a time since 1970 by the sizes of our era, which are far apart: seconds, ms, µs, ns.
_UNITS = ((1000, 1), (1, 1), (1, 1000), (1, 1_000_000))


def epoch_ms(value: float) -> int | None:
    """A time since 1970 in s, ms, µs or ns as ms UTC, when it lies in 2000 to 2199; None = it is none.

    >>> [epoch_ms(one) for one in (1_700_000_000, 1_700_000_000_000, 1_700_000_000_000_000_000, 42, 1e305)]
    [1700000000000, 1700000000000, 1700000000000, None, None]
    """
    if not -_BEYOND < value < _BEYOND:  # NaN too; compared exactly, however many digits an integer has
        return None
    for times, over in _UNITS:
        ms = value * times // over if isinstance(value, int) else math.floor(value * times / over + 1e-4)
        if EARLIEST <= ms < LATEST:
            return int(ms)
    return None


def to_ms(times: Ints) -> Ints:
    """`epoch_ms` of whole numbers; what is no time stays as it is.

    >>> import numpy as np
    >>> to_ms(np.array([1_700_000_000, 42])).tolist()
    [1700000000000, 42]
    """
    out = times.copy()
    for factor, over in _UNITS:
        if factor > over:
            here = (times >= EARLIEST // factor) & (times < LATEST // factor)
            out[here] = times[here] * factor
        else:
            ms = times // over
            here = (ms >= EARLIEST) & (ms < LATEST)
            out[here] = ms[here]
    return out
