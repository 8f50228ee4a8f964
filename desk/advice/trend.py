"""Whether a value rises or falls over a stretch of time: the test of Mann and Kendall."""

from __future__ import annotations

import numpy as np

from pipeline.records import Floats

#: Fewer values say nothing of a trend; a smaller change than this share of the level is none for people.
FEWEST, LEAST_CHANGE = 8, 0.02
#: Standard normal quantile of a two-sided 1 %.
_SURE = 2.576


def trend(values: Floats) -> str:
    """`up`, `down` or "" for (n,) values in order of time; NaN = missing.

    >>> trend(np.linspace(2.0, 4.0, 20)), trend(np.full(20, 3.0)), trend(np.linspace(4.0, 2.0, 20))
    ('up', '', 'down')
    """
    known = values[np.isfinite(values)]
    n = len(known)
    if n < FEWEST:
        return ""
    later = known[None, :] - known[:, None]
    s = float(np.sign(later[np.triu_indices(n, 1)]).sum())
    if abs(s) < _SURE * np.sqrt(n * (n - 1) * (2 * n + 5) / 18):
        return ""
    third = n // 3
    change = float(np.mean(known[-third:]) - np.mean(known[:third]))
    if abs(change) < LEAST_CHANGE * float(np.mean(np.abs(known))):
        return ""
    return "up" if change > 0 else "down"
