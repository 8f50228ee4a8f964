"""A sensor that drifts away from what its neighbours say, while the neighbours agree with each other."""

from __future__ import annotations

import numpy as np

from detectors.batch import Batch, Bools, Floats, Ints
from detectors.recurrence import last_index, latched, smoothed
from detectors.sums import add_in_order
from detectors.table import Column, FleetTable

#: The model is worked out anew after so many learned readings, and older ones are forgotten beyond.
_REFRESH, _MEMORY = 64, 32768.0
_LEAST, _MOST_SENSORS = 200.0, 32
#: So often, each `_REFRESH` readings, it is looked how far sensors are usually off before any can drift.
_CHECKS = 12
_RIDGE = 1e-3
#: Only a sensor that its neighbours foretell so well can be said to drift (explained share of variance).
REDUNDANT = 0.97
_SLOW, _FAST = 1.0 / 128.0, 1.0 / 16.0
_RAISE, _CLEAR, _JUMP = 1.5, 0.5, 3.0  # residual standard deviations
_FADE = 1.0 - 1.0 / 2048.0  # of the usual, a stretch
_BLAMED = 0.8  # share of the joint deviation that the one sensor must account for


class SensorDrift(FleetTable):
    """Learns how sensors go together, and finds the one that no longer does.

    With C the correlations of healthy readings z (standardised, shrunk a little) and u = C⁻¹z, sensor j is
    u_j / √(C⁻¹)_jj standard deviations off what the others foretell, and takes that squared out of
    zᵀC⁻¹z when it is replaced (reconstruction: Dunia & Qin 1998). On slow means, it drifts when it is off
    by ``1.5``, and by twice what it ever was off in health, and this accounts for most of the joint
    deviation: then the others agree. A deviation that came at a jump is not drift, but perhaps a fault of
    the machine, and is left to its detectors. A drift that went back by itself is half believed: sensors
    that lag behind others do that, and the third time is quiet.

    From 3 to 32 sensors; with others, nothing is ever found, nor in the first ``settle`` ms of a machine:
    what its shifts do to sensors that lag behind is not known before.
    """

    def __init__(self, width: int, settle: int = 0, symptom: Bools | None = None) -> None:
        self.width, self.settle = width, settle
        self._may = np.ones(width, dtype=bool) if symptom is None else ~symptom
        self.active = 3 <= width <= _MOST_SENSORS
        k = width if self.active else 0
        super().__init__(
            {
                "number": Column((), 0.0),
                "learned": Column((), 0),
                "since": Column((), -1),  # event time of the first reading that was learned
                "origin": Column((k,), float("nan")),
                "sum": Column((k,), 0.0),
                "product": Column((k, k), 0.0),
                "mean": Column((k,), 0.0),
                "scale": Column((k,), float("inf")),
                "precision": Column((k, k), 0.0),
                "redundant": Column((k,), False),
                "slow": Column((k,), 0.0),
                "fast": Column((k,), 0.0),
                "jumped": Column((k,), False),
                "drifting": Column((k,), False),
                "peak": Column((k,), 0.0),  # of a drift, until it is over and learned from
                # how far sensors are usually off: the slow means of what is learned
                "usual": Column((k,), 0.0),
                "learned_slow": Column((k,), 0.0),
                "checks": Column((), 0),
            }
        )

    def check(self, batch: Batch, trusted: Bools) -> Bools:
        """(n, k) which sensors drift, after each reading.

        ``trusted`` (n, k): a reading with any other cell tells nothing of how sensors go together.
        """
        if not self.active or not len(batch):
            return np.zeros(batch.x.shape, dtype=bool)
        drifting: Bools = self["drifting"][batch.row_of]
        able: Bools = np.asarray(self["redundant"][batch.rows].any(axis=1))
        able &= self["checks"][batch.rows] >= _CHECKS
        here: Bools = able[batch.column_of] & trusted.all(axis=1)
        if self.settle:
            here &= batch.time >= self["since"][batch.row_of] + self.settle
        if not here.any():
            return drifting
        part = batch.select(here)
        rows, row_of, some = part.rows, part.row_of, part.counts > 0
        z = np.clip((part.x - self["mean"][row_of]) / self["scale"][row_of], -20.0, 20.0)
        slow = smoothed(part, z, self["slow"][rows], _SLOW)
        fast = smoothed(part, z, self["fast"][rows], _FAST)
        off, blamed = self._off(row_of, slow)
        off_fast, _ = self._off(row_of, fast)
        jump = (np.abs(off_fast) > _JUMP) & (np.abs(off_fast) > 2.0 * np.abs(off))
        jumped = latched(part, jump, np.abs(off_fast) < 1.0, self["jumped"][rows])
        enough = np.maximum(_RAISE, 2.0 * self["usual"][row_of])
        on = self._may & self["redundant"][row_of] & ~jumped & (np.abs(off) > enough) & (blamed > _BLAMED)
        found = latched(part, on, np.abs(off) < _CLEAR, self["drifting"][rows])
        last = (part.starts + part.counts - 1)[some]
        for name, values in (("slow", slow), ("fast", fast), ("jumped", jumped), ("drifting", found)):
            self[name][rows[some]] = values[last]
        peak = np.maximum.reduceat(np.where(found, np.abs(off), 0.0), part.starts[some], axis=0)
        self["peak"][rows[some]] = np.maximum(self["peak"][rows[some]], peak)
        # between readings that tell something, what stood stands
        known = last_index(batch, here)
        place = np.cumsum(here) - 1
        return np.where((known >= 0)[:, None], found[np.maximum(place, 0)], drifting)

    def _off(self, row_of: Ints, z: Floats) -> tuple[Floats, Floats]:
        """(n, k) standard deviations off what the others foretell, and its share of all deviation."""
        precision = self["precision"][row_of]
        u = np.zeros_like(z)
        for sensor in range(self.width):
            u += precision[:, :, sensor] * z[:, sensor : sensor + 1]
        own = np.diagonal(precision, axis1=1, axis2=2)
        with np.errstate(invalid="ignore", divide="ignore"):
            off = np.where(own > 0, u / np.sqrt(own), 0.0)
            total = np.zeros(len(z))
            for sensor in range(self.width):
                total += u[:, sensor] * z[:, sensor]
            share = np.where(total[:, None] > 0, off * off / total[:, None], 0.0)
        return off, share

    def learn(self, batch: Batch) -> None:
        """Take in healthy readings; those with a missing value are left out."""
        if not self.active:
            return
        self._learn_return(batch.rows[batch.counts > 0])
        whole: Bools = np.asarray(~np.isnan(batch.x).any(axis=1))
        if not whole.all():
            batch = batch.select(whole)
        some = batch.counts > 0
        rows = batch.rows[some]
        if not len(rows):
            return
        new = self["since"][rows] < 0
        self["since"][rows[new]] = batch.time[batch.starts[some][new]]
        self["origin"][rows[new]] = batch.x[batch.starts[some][new]]
        # in stretches that end where the model is worked out, so that a split changes no bit
        into = self["learned"][batch.row_of] % _REFRESH + batch.step_of
        turn = into // _REFRESH
        for number in range(int(turn.max()) + 1):
            here = turn == number
            part = batch if here.all() else batch.select(here)
            value = part.x - self["origin"][part.row_of]
            product = value[:, :, None] * value[:, None, :]
            for name, terms in (("sum", value), ("product", product)):
                self[name][part.rows] = add_in_order(part, self[name][part.rows], terms)
            self["number"][part.rows] += part.counts
            self["learned"][part.rows] += part.counts
            self._learn_usual(part)
            full = (self["learned"][part.rows] % _REFRESH == 0) & (part.counts > 0)
            self._refresh(part.rows[full])

    def _learn_usual(self, part: Batch) -> None:
        """Follow the slow means of what is learned, and see at each stretch's end how far off they are."""
        z = np.clip((part.x - self["mean"][part.row_of]) / self["scale"][part.row_of], -20.0, 20.0)
        some = part.counts > 0
        rows, last = part.rows[some], (part.starts + part.counts - 1)[some]
        slow = smoothed(part, z, self["learned_slow"][part.rows], _SLOW)[last]
        self["learned_slow"][rows] = slow
        ended = (self["learned"][rows] % _REFRESH == 0) & (self["scale"][rows] < np.inf).any(axis=1)
        rows = rows[ended]
        off, _ = self._off(rows, slow[ended])
        self["usual"][rows] = np.maximum(np.abs(off), self["usual"][rows] * _FADE)
        self["checks"][rows] += 1

    def _learn_return(self, rows: Ints) -> None:
        peak = np.where(self["drifting"][rows], 0.0, self["peak"][rows])
        usual = self["usual"][rows]
        self["usual"][rows] = np.where(peak > 0, np.maximum(usual, (usual + 0.6 * peak) / 2.0), usual)
        self["peak"][rows] = np.where(self["drifting"][rows], self["peak"][rows], 0.0)

    def _refresh(self, rows: Ints) -> None:
        old = rows[self["number"][rows] > _MEMORY]
        for name in ("number", "sum", "product"):
            self[name][old] *= 0.5
        rows = rows[self["number"][rows] >= _LEAST]
        if not len(rows):
            return
        number = self["number"][rows, None]
        mean = self["sum"][rows] / number
        covariance = self["product"][rows] / number[:, :, None] - mean[:, :, None] * mean[:, None, :]
        variance = np.diagonal(covariance, axis1=1, axis2=2)
        alive = variance > 1e-12 * (mean + self["origin"][rows]) ** 2 + 1e-300
        scale = np.where(alive, np.sqrt(np.maximum(variance, 1e-300)), np.inf)
        correlation = covariance / (scale[:, :, None] * scale[:, None, :])
        correlation = correlation + np.eye(self.width) * np.where(alive, _RIDGE, 1.0)[:, None, :]
        precision = np.linalg.inv(correlation)
        own = np.diagonal(precision, axis1=1, axis2=2)
        self["mean"][rows] = mean + self["origin"][rows]
        self["scale"][rows] = scale
        self["precision"][rows] = precision
        self["redundant"][rows] = alive & (1.0 - 1.0 / own >= REDUNDANT)
