"""River's streaming `sketch.Histogram`, many of them for each of many machines, as arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from detectors.base import FleetState, State, grown
from detectors.batch import Floats, Ints
from detectors.compiled import compiled

Counts = NDArray[np.int32]


class FleetHistograms(FleetState):
    """``number`` histograms a machine, of at most ``bins`` bins that adapt. As River's, exactly.

    Bins are sorted; those not in use stand at infinity. Values are looked up and added by `density` and
    `add_value`; who adds a value to each of a machine's histograms counts it in ``total``.
    """

    def __init__(self, number: int, bins: int) -> None:
        self.number, self.bins = number, bins
        self.total = np.zeros(0, dtype=np.int64)
        self.left = np.full((0, number, bins), np.inf)
        self.right = np.full((0, number, bins), np.inf)
        self.count = np.zeros((0, number, bins), dtype=np.int32)

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self.total = grown(self.total, capacity)
        self.left = grown(self.left, capacity, fill=np.inf)
        self.right = grown(self.right, capacity, fill=np.inf)
        self.count = grown(self.count, capacity)

    def reset(self, row: int, seed: int) -> None:
        """Empty ``row``'s histograms."""
        self.total[row] = 0
        self.left[row], self.right[row], self.count[row] = np.inf, np.inf, 0

    def dump(self, row: int) -> State:
        """The bins."""
        return {
            "total": self.total[row : row + 1].copy(),
            "left": self.left[row].copy(),
            "right": self.right[row].copy(),
            "count": self.count[row].copy(),
        }

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when there are more or fewer bins or histograms."""
        if state["left"].shape != self.left[row].shape:
            raise ValueError(
                f"saved histograms are {state['left'].shape}, this class has {self.left[row].shape}: "
                "n_bins or n_random_cuts was changed"
            )
        self.total[row] = state["total"][0]
        self.left[row], self.right[row], self.count[row] = state["left"], state["right"], state["count"]


# -- kernels: histogram ``which`` of ``row``, and a value


@compiled
def density(
    left: Floats, right: Floats, count: Counts, total: Ints, row: int, which: int, value: float
) -> float:
    """The value's probability density under the histogram; 0 in gaps and outside."""
    bins = left.shape[2]
    at = _bin(right, row, which, value)
    if at == bins or value < left[row, which, at]:
        return 0.0
    width = right[row, which, at] - left[row, which, at]
    if not width > 0.0:  # a bin that holds one value borrows its width from the nearest neighbour
        width = math.inf
        if at > 0:
            width = left[row, which, at] - right[row, which, at - 1]
        if at < bins - 1:
            width = min(width, left[row, which, at + 1] - right[row, which, at])
    share: float = count[row, which, at] / total[row]
    return share / width if 0.0 < width < math.inf else share


@compiled
def add_value(left: Floats, right: Floats, count: Counts, row: int, which: int, value: float) -> None:
    """Add the value: to its bin, or as a new one; if that is one too many, the closest two merge."""
    bins = left.shape[2]
    at = _bin(right, row, which, value)
    if at < bins and value >= left[row, which, at]:
        count[row, which, at] += 1
    elif right[row, which, bins - 1] == math.inf:
        for i in range(bins - 1, at, -1):
            _copy(left, right, count, row, which, i - 1, i)
        _put(left, right, count, row, which, at, value)
    else:
        _merge(left, right, count, row, which, at, value)


@compiled
def _merge(left: Floats, right: Floats, count: Counts, row: int, which: int, at: int, value: float) -> None:
    """Put a new bin between those of a full histogram, and merge the two whose right edges are closest."""
    bins = left.shape[2]
    # With the new one there are bins 0 … bins; the first of the closest two is ``first``.
    first, least = 0, math.inf
    before = value if at == 0 else right[row, which, 0]
    for i in range(bins):
        after = value if at == i + 1 else right[row, which, i if at <= i else i + 1]
        if after - before < least:
            first, least = i, after - before
        before = after
    if first + 1 == at:  # the new one into the one before it
        right[row, which, first] = value
        count[row, which, first] += 1
    elif first == at:  # … after it
        left[row, which, at] = value
        count[row, which, at] += 1
    elif first < at:
        right[row, which, first] = right[row, which, first + 1]
        count[row, which, first] += count[row, which, first + 1]
        for i in range(first + 1, at - 1):
            _copy(left, right, count, row, which, i + 1, i)
        _put(left, right, count, row, which, at - 1, value)
    else:
        left[row, which, first] = left[row, which, first - 1]
        count[row, which, first] += count[row, which, first - 1]
        for i in range(first - 1, at, -1):
            _copy(left, right, count, row, which, i - 1, i)
        _put(left, right, count, row, which, at, value)


@compiled
def _bin(right: Floats, row: int, which: int, value: float) -> int:
    """The first bin that does not end before the value."""
    at = 0
    for i in range(right.shape[2]):
        at += right[row, which, i] < value
    return at


@compiled
def _put(left: Floats, right: Floats, count: Counts, row: int, which: int, at: int, value: float) -> None:
    left[row, which, at] = value
    right[row, which, at] = value
    count[row, which, at] = 1


@compiled
def _copy(left: Floats, right: Floats, count: Counts, row: int, which: int, source: int, to: int) -> None:
    left[row, which, to] = left[row, which, source]
    right[row, which, to] = right[row, which, source]
    count[row, which, to] = count[row, which, source]
