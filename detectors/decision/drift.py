"""Has what is healthy changed? Page and Hinkley's test on each machine's evidence, in one pass.

Page, "Continuous inspection schemes", Biometrika 1954, as in River's `drift.PageHinkley`, for all machines
of a fleet at once.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np

from detectors.batch import Bools, Floats, Ints
from detectors.compiled import compiled
from detectors.table import Column, KernelTable


class _Sums(NamedTuple):
    sum: Annotated[Floats, Column()]
    lowest: Annotated[Floats, Column()]


class FleetPageHinkley(KernelTable[_Sums]):
    """Watches values that should have the mean ``usual``, and tells when they have come to lie higher.

    Deviations over ``slack`` add up; when they reach ``limit`` above their lowest sum, that is a drift, and
    the test begins again.

    >>> test = FleetPageHinkley(usual=1.0, slack=0.25, limit=5.0)
    >>> test.resize(1); test.reset(0, seed=0)
    >>> [bool(test.update(np.array([0]), np.array([v]))[0]) for v in (1.0, 1.0, 3.0, 3.0, 3.0, 1.0)]
    [False, False, False, False, True, False]
    """

    def __init__(self, usual: float = 1.0, slack: float = 0.25, limit: float = 12.0) -> None:
        super().__init__(_Sums)
        self.usual, self.slack, self.limit = usual, slack, limit

    def update(self, rows: Ints, value: Floats) -> Bools:
        """Take in one ``value`` (m,) of each of ``rows`` (m,); which of them have drifted. NaN is skipped."""
        drifted = np.zeros(len(rows), dtype=np.bool_)
        _update(self.columns, rows, value, self.usual, self.slack, self.limit, drifted)
        return drifted


@compiled
def _update(
    of: _Sums, rows: Ints, value: Floats, usual: float, slack: float, limit: float, drifted: Bools
) -> None:
    for m in range(len(rows)):
        row = rows[m]
        if np.isnan(value[m]):
            continue
        of.sum[row] += value[m] - usual - slack
        of.lowest[row] = min(of.lowest[row], of.sum[row])
        if of.sum[row] - of.lowest[row] > limit:
            drifted[m] = True
            of.sum[row] = of.lowest[row] = 0.0
