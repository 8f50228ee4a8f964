"""A robust z-score of each sensor by itself: the detector for machines with one sensor, sensible with more.

Location and scale are Huber's M-estimates, kept online: each learned reading pulls them by at most
three standard deviations (Huber, Robust Estimation of a Location Parameter, 1964), so an outlier that is
learned by mistake hardly moves them, and they follow slow change.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.base import DeferredScores, Evidence, FleetDetector, State, grown
from detectors.batch import Batch, Bools, Floats, Ints

BOUND = 3.0  # a reading pulls as if it were at most so many standard deviations away
# E[min(z², BOUND²)] for a normal z: makes the bounded variance that of normal data.
_SHARE = 0.9950072780344537


class FleetRobustUnivariate(FleetDetector):
    """How many robust standard deviations off the most unusual sensor is.

    ``start``: values from which the first median and median absolute deviation are taken; a sensor has no
    score before. ``memory``: readings after which what was learned has faded to 1/e. A sensor that was
    constant so far scores 0.

    >>> fleet = FleetRobustUnivariate(1, start=8)
    >>> fleet.resize(1)
    >>> fleet.reset(0, seed=1)
    >>> values = np.array([[10.0], [11.0], [9.0], [10.5], [9.5], [10.0], [50.0], [10.0]])
    >>> fleet.learn(Batch(np.array([0]), np.array([8]), np.arange(8), values))
    >>> new = Batch(np.array([0]), np.array([2]), np.arange(2), np.array([[10.0], [13.0]]))
    >>> fleet.score(new).raw.round(2).tolist()
    [0.0, 4.05]
    """

    kind: ClassVar[str] = "robust-univariate"

    def __init__(self, width: int, start: int = 32, memory: float = 2000.0) -> None:
        super().__init__(width)
        if start < 4 or memory < start:
            raise ValueError(
                f"robust-univariate: start ({start}) must be 4 or more, memory ({memory}) ≥ start"
            )
        self.start, self.memory = start, memory
        self.count = np.zeros((0, width), dtype=np.int64)
        self.first = np.zeros((0, start, width))
        self.location = np.zeros((0, width))
        self.variance = np.zeros((0, width))

    def score(self, batch: Batch) -> DeferredScores:
        """The largest |z| over the sensors that are there and known; NaN when none is."""
        z = self._z(batch.row_of, batch.x)
        raw = np.full(len(batch), np.nan)
        for column in range(self.width):
            np.fmax(raw, np.abs(z[:, column]), out=raw)
        return DeferredScores(raw, lambda at: self._explain(batch.row_of[at], z[at]))

    def _z(self, row_of: Ints, x: Floats) -> Floats:
        variance = self.variance[row_of]
        with np.errstate(invalid="ignore", divide="ignore"):
            z: Floats = (x - self.location[row_of]) / np.sqrt(variance)
        z[(variance == 0.0) & ~np.isnan(x)] = 0.0
        z[self.count[row_of] < self.start] = np.nan
        return z

    def _explain(self, row_of: Ints, z: Floats) -> Evidence:
        known = self.count[row_of] >= self.start
        expected = np.where(known, self.location[row_of], np.nan)
        return Evidence(np.where(np.isnan(z), 0.0, z * z), expected, z)

    def learn(self, batch: Batch) -> None:
        """Move location and scale of each sensor towards each reading."""
        for rows, at in batch.steps():
            self._learn_step(rows, batch.x[at])

    def _learn_step(self, rows: Ints, x: Floats) -> None:
        present = ~np.isnan(x)
        count = self.count[rows]
        known = present & (count >= self.start)
        if known.any():
            rate = np.maximum(1.0 / (count + 1), 1.0 / self.memory)
            location, variance = self.location[rows], self.variance[rows]
            bound = BOUND * np.sqrt(variance)
            off = x - location
            pulled = np.where(variance > 0.0, np.clip(off, -bound, bound), off)
            self.location[rows] = np.where(known, location + rate * pulled, location)
            moved = variance + rate * (pulled * pulled / _SHARE - variance)
            self.variance[rows] = np.where(known, moved, variance)
        count = count + present
        self.count[rows] = count
        if (count <= self.start).any():
            self._begin(rows, x, present, count)

    def _begin(self, rows: Ints, x: Floats, present: Bools, count: Ints) -> None:
        """Gather the first values, and estimate from them when there are enough."""
        places, columns = np.nonzero(present & (count <= self.start))
        self.first[rows[places], count[places, columns] - 1, columns] = x[places, columns]
        for place, column in np.argwhere(present & (count == self.start)).tolist():
            row = rows[place]
            values = self.first[row, :, column]
            location = np.median(values)
            off = np.abs(values - location)
            deviation = 1.4826 * np.median(off)
            if deviation == 0.0:  # most values are the same: what the others do says how far it goes
                deviation = np.sqrt(np.mean(off * off))
            self.location[row, column] = location
            self.variance[row, column] = deviation * deviation

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        for name in ("count", "first", "location", "variance"):
            setattr(self, name, grown(getattr(self, name), capacity))

    def reset(self, row: int, seed: int) -> None:
        """Forget ``row``'s values."""
        for name in ("count", "first", "location", "variance"):
            getattr(self, name)[row] = 0

    def dump(self, row: int) -> State:
        """Count, location and variance of each sensor, and its first values while they are gathered."""
        return {name: getattr(self, name)[row].copy() for name in ("count", "first", "location", "variance")}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when ``start`` or the sensors are others."""
        if state["first"].shape != self.first[row].shape:
            raise ValueError(
                f"saved first values are {state['first'].shape}, this class has {self.first[row].shape}: "
                "start or the sensors were changed"
            )
        for name in ("count", "first", "location", "variance"):
            getattr(self, name)[row] = state[name]
