"""Readings of many machines as arrays: the one shape that every detector takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Batch:
    """Readings of ``m`` machines that have the same ``k`` sensors.

    ``rows``   (m,)   the machines' rows in the fleet's arrays; each row once
    ``counts`` (m,)   how many readings each machine has here (0 allowed)
    ``time``   (n,)   event time, ms since 1970 UTC; n = counts.sum()
    ``x``      (n, k) sensor values; NaN = missing

    The readings of one machine lie together, in time order, in the order of ``rows``.

    >>> b = Batch(np.array([4, 2]), np.array([2, 1]), np.array([10, 20, 15]), np.zeros((3, 1)))
    >>> b.starts.tolist(), b.row_of.tolist(), b.step_of.tolist()
    ([0, 2], [4, 4, 2], [0, 1, 0])
    """

    rows: Ints
    counts: Ints
    time: Ints
    x: Floats

    def __len__(self) -> int:
        return int(self.time.shape[0])

    @cached_property
    def starts(self) -> Ints:
        """(m,) index of each machine's first reading."""
        starts = np.zeros(len(self.counts), dtype=np.int64)
        np.cumsum(self.counts[:-1], out=starts[1:])
        return starts

    @cached_property
    def column_of(self) -> Ints:
        """(n,) position in ``rows`` of each reading's machine."""
        return np.repeat(np.arange(len(self.rows), dtype=np.int64), self.counts)

    @cached_property
    def row_of(self) -> Ints:
        """(n,) fleet row of each reading's machine."""
        return np.repeat(self.rows, self.counts)

    @cached_property
    def step_of(self) -> Ints:
        """(n,) 0 for a machine's first reading here, 1 for its second, …"""
        return np.arange(len(self), dtype=np.int64) - np.repeat(self.starts, self.counts)

    def select(self, keep: Bools) -> Batch:
        """The readings where ``keep`` (n,) holds; machines stay, perhaps with a count of 0."""
        counts = np.bincount(self.column_of[keep], minlength=len(self.rows)).astype(np.int64)
        return Batch(self.rows, counts, self.time[keep], self.x[keep])
