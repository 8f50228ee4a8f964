"""Readings of many machines as arrays: the one shape that every detector takes."""

from __future__ import annotations

from collections.abc import Iterator
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
    def single(self) -> bool:
        """Whether each machine has exactly one reading here."""
        return len(self) == len(self.rows) and bool((self.counts == 1).all())

    @property
    def busy(self) -> Batch:
        """The same readings without the machines that have none here."""
        some = self.counts > 0
        return Batch(self.rows[some], self.counts[some], self.time, self.x)

    @cached_property
    def column_of(self) -> Ints:
        """(n,) position in ``rows`` of each reading's machine."""
        return np.repeat(np.arange(len(self.rows), dtype=np.int64), self.counts)

    @cached_property
    def row_of(self) -> Ints:
        """(n,) fleet row of each reading's machine."""
        if self.single:
            return self.rows
        return np.repeat(self.rows, self.counts)

    @cached_property
    def step_of(self) -> Ints:
        """(n,) 0 for a machine's first reading here, 1 for its second, …"""
        return np.arange(len(self), dtype=np.int64) - np.repeat(self.starts, self.counts)

    def select(self, keep: Bools) -> Batch:
        """The readings where ``keep`` (n,) holds; machines stay, perhaps with a count of 0."""
        counts = np.bincount(self.column_of[keep], minlength=len(self.rows)).astype(np.int64)
        return Batch(self.rows, counts, self.time[keep], self.x[keep])

    def part(self, start: int, stop: int) -> Batch:
        """Readings ``start`` to ``stop`` of a batch of one machine."""
        counts = np.array([stop - start], dtype=np.int64)
        return Batch(self.rows, counts, self.time[start:stop], self.x[start:stop])

    def steps(self) -> Iterator[tuple[Ints, Ints]]:
        """The batch step by step, for recurrences: each machine's first reading, then the second ones, …

        Each step gives ``rows`` (a,), the machines that have a reading in it, each once, and ``at`` (a,),
        where in the batch that reading is.

        >>> b = Batch(np.array([4, 2]), np.array([2, 1]), np.array([10, 20, 15]), np.zeros((3, 1)))
        >>> [(rows.tolist(), at.tolist()) for rows, at in b.steps()]
        [([4, 2], [0, 2]), ([4], [1])]
        """
        low, high = int(self.counts.min(initial=1 << 62)), int(self.counts.max(initial=0))
        for step in range(high):
            if step < low:
                yield self.rows, self.starts + step
            else:
                here = self.counts > step
                yield self.rows[here], self.starts[here] + step

    def dense(self, flat: Floats) -> Floats:
        """Lay (n, …) out as (steps, m, …), padded with NaN: for recurrences over steps.

        >>> b = Batch(np.array([0, 1]), np.array([2, 1]), np.zeros(3, dtype=int), np.zeros((3, 1)))
        >>> b.dense(np.array([1., 2., 3.])).tolist()
        [[1.0, 3.0], [2.0, nan]]
        """
        steps = int(self.counts.max(initial=0))
        out = np.full((steps, len(self.rows), *flat.shape[1:]), np.nan)
        out[self.step_of, self.column_of] = flat
        return out

    def flat(self, dense: Floats) -> Floats:
        """The inverse of `dense`."""
        result: Floats = dense[self.step_of, self.column_of]
        return result
