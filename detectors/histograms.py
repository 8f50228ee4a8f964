"""River's streaming `sketch.Histogram`, many of them for each of many machines, as arrays."""

from __future__ import annotations

import numpy as np

from detectors.base import FleetState, State, grown
from detectors.batch import Floats, Ints


class FleetHistograms(FleetState):
    """``number`` histograms a machine, of at most ``bins`` bins that adapt. As River's, exactly.

    Bins are sorted; those not in use stand at infinity.
    """

    def __init__(self, number: int, bins: int) -> None:
        self.number, self.bins = number, bins
        self.total = np.zeros(0, dtype=np.int64)
        self.left = np.full((0, number, bins), np.inf)
        self.right = np.full((0, number, bins), np.inf)
        self.count = np.zeros((0, number, bins), dtype=np.int32)

    def density(self, row_of: Ints, z: Floats) -> Floats:
        """Each value's probability density under its histogram; 0 in gaps and outside. ``z`` (n, number)."""
        left, right, count = self.left[row_of], self.right[row_of], self.count[row_of]
        place = (right < z[:, :, None]).sum(axis=2)
        at = np.minimum(place, self.bins - 1)[:, :, None]
        low = np.take_along_axis(left, at, axis=2)[:, :, 0]
        high = np.take_along_axis(right, at, axis=2)[:, :, 0]
        held = np.take_along_axis(count, at, axis=2)[:, :, 0]
        before = np.take_along_axis(right, np.maximum(at - 1, 0), axis=2)[:, :, 0]
        after = np.take_along_axis(left, np.minimum(at + 1, self.bins - 1), axis=2)[:, :, 0]
        with np.errstate(invalid="ignore", divide="ignore"):
            width = high - low
            # A bin that holds one value borrows its width from the nearest neighbour.
            before_gap = np.where(place > 0, low - before, np.inf)
            after_gap = np.where(place < self.bins - 1, after - high, np.inf)
            width = np.where(width > 0, width, np.minimum(before_gap, after_gap))
            share = held / self.total[row_of][:, None]
            found: Floats = np.where(np.isfinite(width) & (width > 0), share / width, share)
        inside = (place < self.bins) & (z >= low)
        return np.where(inside, found, 0.0)

    def update(self, rows: Ints, z: Floats) -> None:
        """Add one value to each histogram of each of ``rows`` (a,), each row once. ``z`` (a, number)."""
        self.total[rows] += 1
        right = self.right[rows]
        place = (right < z[:, :, None]).sum(axis=2)
        at = np.minimum(place, self.bins - 1)[:, :, None]
        low = np.take_along_axis(self.left[rows], at, axis=2)[:, :, 0]
        inside = (place < self.bins) & (z >= low)
        i, which = np.nonzero(inside)
        self.count[rows[i], which, place[i, which]] += 1
        i, which = np.nonzero(~inside)
        if len(i):
            self._insert(rows[i], which, z[i, which], place[i, which])

    def _insert(self, row: Ints, which: Ints, z: Floats, place: Ints) -> None:
        """A new bin for each value ``z`` (q,) at ``place``; if that is too many, the closest two merge."""
        q = np.arange(len(row))
        slots = np.arange(self.bins + 1)
        source = slots - (slots > place[:, None])
        new = slots == place[:, None]
        source = np.minimum(source, self.bins - 1)
        left = np.where(new, z[:, None], self.left[row, which][q[:, None], source])
        right = np.where(new, z[:, None], self.right[row, which][q[:, None], source])
        count = np.where(new, 1, self.count[row, which][q[:, None], source])
        beyond = (slots == self.bins) & ~new & ~np.isfinite(self.right[row, which, -1])[:, None]
        left[beyond], right[beyond], count[beyond] = np.inf, np.inf, 0
        full = np.isfinite(right[:, -1])
        with np.errstate(invalid="ignore"):
            merged = np.argmin(right[:, 1:] - right[:, :-1], axis=1)
        # The bin after the merged one is dropped: its right edge and count go to the merged one.
        merged = np.where(full, merged, self.bins)
        keep = slots[:-1] + (slots[:-1] > merged[:, None])
        at = np.flatnonzero(full)
        right[at, merged[at]] = right[at, merged[at] + 1]
        count[at, merged[at]] += count[at, merged[at] + 1]
        self.left[row, which] = left[q[:, None], keep]
        self.right[row, which] = right[q[:, None], keep]
        self.count[row, which] = count[q[:, None], keep]

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
