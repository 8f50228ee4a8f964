"""A sensor that drifts away from what its neighbours say, while the neighbours agree with each other."""

from __future__ import annotations

import numpy as np

from detectors.batch import Batch, Bools, Floats, Ints
from detectors.compiled import compiled
from detectors.quality.sensor_drift_model import SLOW, Model, learn, off_the_others, standard
from detectors.table import KernelTable

_MOST_SENSORS = 32
#: So often, at stretches' ends, it is looked how far sensors are usually off before any can drift.
_CHECKS = 12
_FAST = 1.0 / 16.0
_RAISE, _CLEAR, _JUMP, _JUMP_OVER = 1.5, 0.5, 3.0, 1.0  # residual standard deviations
_BLAMED = 0.8  # share of the joint deviation that the one sensor must account for


class SensorDrift(KernelTable[Model]):
    """Learns how sensors go together, and finds the one that no longer does.

    With C the correlations of healthy readings z (standardised, shrunk a little) and u = C⁻¹z, sensor j is
    u_j / √(C⁻¹)_jj standard deviations off what the others predict, and takes that squared out of
    zᵀC⁻¹z when it is replaced (reconstruction: Dunia & Qin 1998). On slow means, it drifts when it is off
    by ``1.5``, and by twice what it ever was off in health, and this accounts for most of the joint
    deviation: then the others agree. A deviation that came at a jump is not drift, but perhaps a fault of
    the machine, and is left to its detectors. A drift that went back by itself is half believed: sensors
    that lag behind others do that, and the third time is quiet.

    From 3 to 32 sensors; with others, nothing is ever found, nor in the first ``settle`` ms of a machine:
    what its shifts do to sensors that lag behind is not known before. A sensor that is a ``symptom`` (k,)
    never drifts.
    """

    def __init__(self, width: int, settle: int = 0, symptom: Bools | None = None) -> None:
        self.active = 3 <= width <= _MOST_SENSORS
        super().__init__(Model, k=width if self.active else 0)
        self.settle = settle
        self._may = np.ones(width, dtype=bool) if symptom is None else ~symptom

    def check(self, batch: Batch, trusted: Bools, ok: Bools) -> list[tuple[int, int, bool]]:
        """Take out of ``ok`` (n, k) the cells of sensors that drift; (reading, sensor, begins) of changes.

        ``trusted`` (n, k): a reading with any other cell tells nothing of how sensors go together.
        """
        if not self.active:
            return []
        x = np.ascontiguousarray(batch.x)
        return follow(
            self.columns, self._may, self.settle, batch.rows, batch.counts, batch.time, x, trusted, ok
        )

    def learn(self, batch: Batch) -> None:
        """Take in healthy readings; those with a missing value are left out."""
        if self.active:
            learn(self.columns, batch.rows, batch.counts, batch.time, np.ascontiguousarray(batch.x))


@compiled
def follow(
    of: Model,
    may: Bools,
    settle: int,
    rows: Ints,
    counts: Ints,
    time: Ints,
    x: Floats,
    trusted: Bools,
    ok: Bools,
) -> list[tuple[int, int, bool]]:
    """The kernel of `SensorDrift.check`."""
    mean, scale, precision = of.mean, of.scale, of.precision
    redundant, usual, checks, since = of.redundant, of.usual, of.checks, of.since
    slow, fast, jumped, drifting, peak = of.slow, of.fast, of.jumped, of.drifting, of.peak
    width = x.shape[1]
    off, off_fast = np.zeros(width), np.zeros(width)
    told = [(0, 0, False)]
    told.clear()
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        able = checks[row] >= _CHECKS and redundant[row].any()
        for i in range(start, stop):
            if able and trusted[i].all() and time[i] >= since[row] + settle:
                for s in range(width):
                    z = standard(x[i, s], mean[row, s], scale[row, s])
                    slow[row, s] = SLOW * z + (1.0 - SLOW) * slow[row, s]
                    fast[row, s] = _FAST * z + (1.0 - _FAST) * fast[row, s]
                total = off_the_others(precision[row], slow[row], off)
                off_the_others(precision[row], fast[row], off_fast)
                for s in range(width):
                    far, far_fast = abs(off[s]), abs(off_fast[s])
                    jump = far_fast > _JUMP and far_fast > 2.0 * far
                    jumped[row, s] = jump or (jumped[row, s] and not far_fast < _JUMP_OVER)
                    begins = (
                        may[s]
                        and redundant[row, s]
                        and not jumped[row, s]
                        and far > max(_RAISE, 2.0 * usual[row, s])
                        and far * far / total > _BLAMED
                    )
                    drifts = begins or (drifting[row, s] and not far < _CLEAR)
                    if drifts:
                        peak[row, s] = max(peak[row, s], far)
                    if drifts != drifting[row, s]:
                        drifting[row, s] = drifts
                        told.append((i, s, drifts))
            for s in range(width):
                ok[i, s] = ok[i, s] and not drifting[row, s]
    return told
