"""Mean and standard deviation of each sensor over a machine's last full window: what was usual."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.base import FleetState, State, grown
from detectors.batch import Floats, Ints
from detectors.compiled import compiled


class Moments(NamedTuple):
    """What `FleetMoments` keeps, a row a machine."""

    centre: Floats
    missed: NDArray[np.int32]  # values missing in the running window
    sums: Floats  # of the values about the centre, then of their squares
    mean: Floats
    deviation: Floats


class FleetMoments(FleetState):
    """Sums over the running window, and the moments of the last one; the caller says when a window ends.

    Sums are taken about the last window's mean (in the first window, about the first value), which keeps
    them exact where a sensor's level is large and its movement small.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.kept = Moments(
            centre=np.zeros((0, width)),
            missed=np.zeros((0, width), dtype=np.int32),
            sums=np.zeros((0, 2 * width)),
            mean=np.zeros((0, width)),
            deviation=np.zeros((0, width)),
        )

    def compare(self, row_of: Ints, x: Floats) -> tuple[Floats, Floats]:
        """The mean of each reading's sensors (n, k), and how many standard deviations off ``x`` (n, k) is.

        Both are NaN before the first window has ended; the latter also where a sensor did not move.
        """
        mean, deviation = self.kept.mean[row_of], self.kept.deviation[row_of]
        with np.errstate(invalid="ignore", divide="ignore"):
            return mean, np.where(deviation > 0, (x - mean) / deviation, np.nan)

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self.kept = Moments(*(grown(array, capacity) for array in self.kept))

    def reset(self, row: int, seed: int) -> None:
        """Forget ``row``."""
        kept = self.kept
        kept.missed[row], kept.sums[row] = 0, 0.0
        kept.centre[row], kept.mean[row], kept.deviation[row] = np.nan, np.nan, np.nan

    def dump(self, row: int) -> State:
        """Sums of the running window, moments of the last."""
        return {name: array[row].copy() for name, array in self.kept._asdict().items()}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when the sensors are others."""
        here = self.kept.sums[row].shape
        if state["sums"].shape != here:
            raise ValueError(f"saved moments are {state['sums'].shape}, here they are {here}")
        for name, array in self.kept._asdict().items():
            array[row] = state[name]


# -- kernels


@compiled
def add_to_moments(
    centre: Floats, missed: NDArray[np.int32], sums: Floats, row: int, x: Floats, i: int
) -> None:
    """Add reading ``i`` of ``x`` (n, k) to the running window of ``row``."""
    width = x.shape[1]
    for j in range(width):
        off = x[i, j] - centre[row, j]
        if off != off:
            if centre[row, j] != centre[row, j]:  # summed about the first value
                centre[row, j] = x[i, j]
            off = x[i, j] - centre[row, j]
            if off != off:
                missed[row, j] += 1
                off = 0.0
        sums[row, j] += off
        sums[row, width + j] += off * off


@compiled
def turn_moments(kept: Moments, row: int, length: int) -> None:
    """The running window of ``row``, ``length`` readings, has ended.

    Of a sensor without a value in it, what was known before stays.
    """
    width = kept.mean.shape[1]
    for j in range(width):
        count = length - kept.missed[row, j]
        if count > 0:
            off = kept.sums[row, j] / count
            variance = max(kept.sums[row, width + j] / count - off * off, 0.0)
            kept.centre[row, j] += off
            kept.mean[row, j] = kept.centre[row, j]
            kept.deviation[row, j] = math.sqrt(variance)
        kept.sums[row, j] = 0.0
        kept.sums[row, width + j] = 0.0
        kept.missed[row, j] = 0
