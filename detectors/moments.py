"""Mean and standard deviation of each sensor over a machine's last full window: what was usual."""

from __future__ import annotations

import numpy as np

from detectors.base import FleetState, State, grown
from detectors.batch import Batch, Bools, Floats, Ints
from detectors.sums import add_in_order

_NAMES = ("centre", "missed", "sums", "mean", "deviation")


class FleetMoments(FleetState):
    """Sums over the running window, and the moments of the last one; the caller says when a window ends.

    Sums are taken about the last window's mean, which keeps them exact where a sensor's level is large and
    its movement small.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.centre = np.zeros((0, width))
        self.missed = np.zeros((0, width), dtype=np.int32)  # values missing in the running window
        self.sums = np.zeros((0, 2 * width))  # of the values about the centre, then of their squares
        self.mean = np.zeros((0, width))
        self.deviation = np.zeros((0, width))

    def learn(self, batch: Batch) -> None:
        """Add the batch's readings to their machines' running windows."""
        rows, width = batch.rows, self.width
        terms = np.empty((len(batch), 2 * width))
        off = terms[:, :width]
        np.subtract(batch.x, self.centre.take(batch.row_of, axis=0), out=off)
        if np.isnan(off).any():
            self._find_centre(batch)
            np.subtract(batch.x, self.centre.take(batch.row_of, axis=0), out=off)
            missing = np.isnan(off)
            off[missing] = 0.0
            np.add.at(self.missed, batch.row_of, missing.astype(np.int32))
        np.multiply(off, off, out=terms[:, width:])
        if batch.single:
            np.add(terms, self.sums.take(rows, axis=0), out=terms)
            self.sums[rows] = terms
        else:
            self.sums[rows] = add_in_order(batch, self.sums.take(rows, axis=0), terms)

    def learn_one(self, row: int, x: Floats) -> None:
        """As `learn`, for one reading ``x`` (k,) of one machine, none of it missing; quicker."""
        off = x - self.centre[row]
        if np.isnan(off).any():
            unknown = np.isnan(off)
            self.centre[row, unknown] = x[unknown]
            off[unknown] = 0.0
        sums = self.sums[row]
        sums[: self.width] += off
        sums[self.width :] += off * off

    def _find_centre(self, batch: Batch) -> None:
        """Sensors seen for the first time are summed about their first value."""
        unknown: Bools = np.logical_or.reduce(np.isnan(self.centre[batch.rows]), axis=1)
        part = batch.select(unknown[batch.column_of])
        for rows, at in part.steps():
            centre = self.centre[rows]
            self.centre[rows] = np.where(np.isnan(centre), part.x[at], centre)

    def turn(self, rows: Ints, length: int) -> None:
        """The running window of ``rows``, ``length`` readings, has ended.

        Of a sensor without a value in it, what was known before stays.
        """
        count = length - self.missed[rows]
        seen = count > 0
        divisor = np.maximum(count, 1)
        sums, centre = self.sums[rows], self.centre[rows]
        off = sums[:, : self.width] / divisor
        variance = np.maximum(sums[:, self.width :] / divisor - off * off, 0.0)
        self.mean[rows] = np.where(seen, centre + off, self.mean[rows])
        self.deviation[rows] = np.where(seen, np.sqrt(variance), self.deviation[rows])
        self.centre[rows] = centre + off
        self.sums[rows], self.missed[rows] = 0.0, 0

    def compare(self, row_of: Ints, x: Floats) -> tuple[Floats, Floats]:
        """The mean of each reading's sensors (n, k), and how many standard deviations off ``x`` (n, k) is.

        Both are NaN before the first window has ended; the latter also where a sensor did not move.
        """
        mean, deviation = self.mean[row_of], self.deviation[row_of]
        with np.errstate(invalid="ignore", divide="ignore"):
            return mean, np.where(deviation > 0, (x - mean) / deviation, np.nan)

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        for name in _NAMES:
            setattr(self, name, grown(getattr(self, name), capacity))

    def reset(self, row: int, seed: int) -> None:
        """Forget ``row``."""
        self.missed[row], self.sums[row] = 0, 0.0
        self.centre[row], self.mean[row], self.deviation[row] = np.nan, np.nan, np.nan

    def dump(self, row: int) -> State:
        """Sums of the running window, moments of the last."""
        return {name: getattr(self, name)[row].copy() for name in _NAMES}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when the sensors are others."""
        if state["sums"].shape != self.sums[row].shape:
            raise ValueError(f"saved moments are {state['sums'].shape}, here they are {self.sums[row].shape}")
        for name in _NAMES:
            getattr(self, name)[row] = state[name]
