"""Commissioning of a machine: it is learned, and scores stay under the alarm threshold."""

from __future__ import annotations

from detectors.batch import Batch, Floats, Ints
from detectors.compiled import compiled
from detectors.table import Column, FleetTable

#: The highest calibrated score while a machine is being commissioned: what is unlike the first half hour may
#: well be the night shift.
CAP = 0.9


class FleetCommissioning(FleetTable):
    """Holds scores down for ``settle`` ms after the warm-up, and so keeps learning on.

    >>> import numpy as np
    >>> one = FleetCommissioning(settle=100)
    >>> one.resize(1); one.reset(0, seed=0)
    >>> one.begin(Batch(np.array([0]), np.array([1]), np.array([1000]), np.zeros((1, 1))))
    >>> later = Batch(np.array([0]), np.array([2]), np.array([1099, 1100]), np.zeros((2, 1)))
    >>> one.hold(later, np.array([0.9999, 0.9999])).tolist()
    [0.9, 0.9999]
    """

    def __init__(self, settle: int) -> None:
        super().__init__({"until": Column((), -1)})
        self.settle = settle

    def begin(self, batch: Batch) -> None:
        """The warm-up (each machine's readings of ``batch``) is over."""
        self["until"][batch.rows] = batch.time[batch.starts + batch.counts - 1] + self.settle

    def hold(self, batch: Batch, score: Floats) -> Floats:
        """Scores (n,), those of machines that are being commissioned at most `CAP`. NaN stays NaN."""
        if not self.settle:
            return score
        held = score.copy()
        _hold(self["until"], batch.rows, batch.starts, batch.counts, batch.time, held)
        return held


@compiled
def _hold(until: Ints, rows: Ints, starts: Ints, counts: Ints, time: Ints, score: Floats) -> None:
    for m in range(len(rows)):
        for i in range(starts[m], starts[m] + counts[m]):
            if time[i] < until[rows[m]] and score[i] > CAP:
                score[i] = CAP
