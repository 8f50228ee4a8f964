"""A robust z-score of each sensor by itself: the detector for machines with one sensor, sensible with more.

Location and scale are Huber's M-estimates, kept online: each learned reading pulls them by at most
three standard deviations (Huber, Robust Estimation of a Location Parameter, 1964), so an outlier that is
learned by mistake hardly moves them, and they follow slow change.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from detectors.base import DeferredScores, Evidence, FleetDetector, State, grown
from detectors.batch import Batch, Floats, Ints
from detectors.compiled import compiled

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
        self.start, self.memory = start, float(memory)
        self.count = np.zeros((0, width), dtype=np.int64)
        self.first = np.zeros((0, start, width))
        self.location = np.zeros((0, width))
        self.variance = np.zeros((0, width))

    def score(self, batch: Batch) -> DeferredScores:
        """The largest |z| over the sensors that are there and known; NaN when none is."""
        row_of = batch.row_of
        z, raw = np.full(batch.x.shape, np.nan), np.full(len(batch), np.nan)
        x = np.ascontiguousarray(batch.x)
        _score(self.count, self.location, self.variance, self.start, row_of, x, z, raw)
        return DeferredScores(raw, lambda at: self._explain(row_of[at], z[at]))

    def _explain(self, row_of: Ints, z: Floats) -> Evidence:
        known = self.count[row_of] >= self.start
        expected = np.where(known, self.location[row_of], np.nan)
        return Evidence(np.where(np.isnan(z), 0.0, z * z), expected, z)

    def learn(self, batch: Batch) -> None:
        """Move location and scale of each sensor towards each reading."""
        x = np.ascontiguousarray(batch.x)
        _learn(self.count, self.first, self.location, self.variance, self.memory, batch.row_of, x)

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


# -- kernels


@compiled
def _score(
    count: Ints,
    location: Floats,
    variance: Floats,
    start: int,
    row_of: Ints,
    x: Floats,
    z: Floats,
    raw: Floats,
) -> None:
    """Fill ``z`` (n, k) and ``raw`` (n,), which hold NaN, where they are known."""
    for i in range(len(x)):
        row = row_of[i]
        for j in range(x.shape[1]):
            if x[i, j] == x[i, j] and count[row, j] >= start:
                z[i, j] = 0.0
                if variance[row, j] != 0.0:
                    z[i, j] = (x[i, j] - location[row, j]) / math.sqrt(variance[row, j])
                if not raw[i] > abs(z[i, j]):
                    raw[i] = abs(z[i, j])


@compiled
def _learn(
    count: Ints, first: Floats, location: Floats, variance: Floats, memory: float, row_of: Ints, x: Floats
) -> None:
    start = first.shape[1]
    for i in range(len(x)):
        row = row_of[i]
        for j in range(x.shape[1]):
            if x[i, j] != x[i, j]:
                continue
            count[row, j] += 1
            seen = count[row, j]
            if seen <= start:
                first[row, seen - 1, j] = x[i, j]
                if seen == start:
                    location[row, j], deviation = _estimate(first[row, :, j].copy())
                    variance[row, j] = deviation * deviation
            else:
                rate = max(1.0 / seen, 1.0 / memory)
                pulled = x[i, j] - location[row, j]
                if variance[row, j] > 0.0:
                    bound = BOUND * math.sqrt(variance[row, j])
                    pulled = min(max(pulled, -bound), bound)
                location[row, j] += rate * pulled
                variance[row, j] += rate * (pulled * pulled / _SHARE - variance[row, j])


@compiled
def _estimate(values: Floats) -> tuple[float, float]:
    """Location and deviation of a sensor's first values (which are overwritten): by medians."""
    location = _median(values)
    for i in range(len(values)):
        values[i] = abs(values[i] - location)
    deviation = 1.4826 * _median(values)
    if deviation == 0.0:  # most values are the same: what the others do says how far it goes
        total = 0.0
        for off in values:
            total += off * off
        deviation = math.sqrt(total / len(values))
    return location, deviation


@compiled
def _median(values: Floats) -> float:
    """The median; sorts ``values``."""
    for i in range(1, len(values)):
        value, place = values[i], i
        while place > 0 and values[place - 1] > value:
            values[place] = values[place - 1]
            place -= 1
        values[place] = value
    middle = len(values) // 2
    lower = values[middle] if len(values) % 2 else values[middle - 1]
    return float(lower + values[middle]) / 2
