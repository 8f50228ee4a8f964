"""Has what is healthy changed? Page and Hinkley's test on each machine's evidence, in one pass.

Page, "Continuous inspection schemes", Biometrika 1954, as in River's `drift.PageHinkley`, for all machines
of a fleet at once.
"""

from __future__ import annotations

import numpy as np

from detectors.batch import Bools, Floats, Ints
from detectors.table import Column, FleetTable


class FleetPageHinkley(FleetTable):
    """Watches values that should have the mean ``usual``, and tells when they have come to lie higher.

    Deviations over ``slack`` add up; when they reach ``limit`` above their lowest sum, that is a drift, and
    the test begins anew.

    >>> test = FleetPageHinkley(usual=1.0, slack=0.25, limit=5.0)
    >>> test.resize(1); test.reset(0, seed=0)
    >>> [bool(test.update(np.array([0]), np.array([v]))[0]) for v in (1, 1, 3, 3, 3, 1)]
    [False, False, False, False, True, False]
    """

    def __init__(self, usual: float = 1.0, slack: float = 0.25, limit: float = 12.0) -> None:
        super().__init__({"sum": Column(), "lowest": Column()})
        self.usual, self.slack, self.limit = usual, slack, limit

    def update(self, rows: Ints, value: Floats) -> Bools:
        """Take in one ``value`` (m,) of each of ``rows`` (m,); which of them have drifted. NaN is skipped."""
        step = np.where(np.isnan(value), 0.0, value - self.usual - self.slack)
        total = self["sum"][rows] + step
        lowest = np.minimum(self["lowest"][rows], total)
        drifted: Bools = total - lowest > self.limit
        self["sum"][rows] = np.where(drifted, 0.0, total)
        self["lowest"][rows] = np.where(drifted, 0.0, lowest)
        return drifted
