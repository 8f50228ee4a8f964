"""Records: how far a value goes beyond everything that its machine has shown, at several speeds of smoothing.

Made for machines and streams of one sensor, where there is no other sensor to compare with. It assumes no
distribution: among n like readings the next one is a record with probability 2/(n + 1) (Chandler 1952), so
records grow rare by themselves, and one that goes beyond the known range by a good part of it rarer still.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.base import FleetDetector, RawScores, State
from detectors.batch import Batch
from detectors.table import Column, FleetTable

#: What a true record is raised by: no healthy tail reaches so far.
_FAR = 100.0


class FleetRecords(FleetDetector):
    """Records of machines with ``width`` sensors.

    Each sensor is followed at the smoothing ``scales`` (readings; 1 = as it is). The range of each is what
    was seen of it so far; it shrinks towards the middle with a memory of ``memory`` readings. raw is the
    value's distance from the middle of the range, in half ranges, where that is largest: 1 = a record. A
    record by more than ``margin`` of the range counts as far out. A record widens the range at once, so
    that a new level is odd once, not for ever. Records among the first ``settle`` readings tell nothing:
    so early everything is one.
    """

    kind: ClassVar[str] = "records"

    def __init__(
        self,
        width: int,
        scales: tuple[float, ...] = (1.0, 8.0, 64.0),
        margin: float = 0.02,
        memory: float = 50_000.0,
        least: int = 20,
        settle: int = 300,
    ) -> None:
        super().__init__(width)
        if not scales or min(scales) < 1 or memory < 1 or margin < 0:
            raise ValueError(
                f"records: scales ({scales}) and memory ({memory}) must be at least 1, "
                f"margin ({margin}) not under 0"
            )
        self.scales = np.array([float(scale) for scale in scales])
        self.edge = 1 + 2 * margin  # in half ranges
        self.memory, self.least, self.settle = memory, least, settle
        each = (len(scales), width)
        nan = float("nan")
        self._own = FleetTable(
            {
                "mean": Column(each, nan),
                "low": Column(each, nan),
                "high": Column(each, nan),
                "seen": Column((width,), 0),
                "until": Column((), -1),  # event time of the latest reading that was followed
            }
        )

    def score(self, batch: Batch) -> RawScores:
        """How far each reading lies from the middle of what was seen before it."""
        return self._follow(batch)

    def learn(self, batch: Batch) -> None:
        """Follow readings that were never scored; those that were have widened the ranges already."""
        unseen = batch.time > self._own["until"][batch.row_of]
        if unseen.any():
            self._follow(batch.select(unseen))

    def _follow(self, batch: Batch) -> RawScores:
        own, rows = self._own, batch.rows
        mean, low, high = own["mean"][rows], own["low"][rows], own["high"][rows]
        seen = own["seen"][rows]
        steps = batch.dense(batch.x)
        shape = (len(steps), len(rows), self.width)
        far, middle, sign = np.zeros(shape), np.full(shape, np.nan), np.zeros(shape)
        young = np.zeros(shape)
        weight, shrink = 1 / self.scales[:, None], 1 / self.memory
        for i, x in enumerate(steps):
            known = ~np.isnan(x)
            value = x[:, None]
            mean = np.where(np.isnan(mean), value, mean)
            mean = np.where(known[:, None], mean + weight * (value - mean), mean)
            centre, half = (low + high) / 2, (high - low) / 2
            with np.errstate(invalid="ignore", divide="ignore"):
                off = np.where(half > 0, (mean - centre) / half, 0.0)
            ready = known & (seen >= self.least)
            far[i] = np.where(ready, np.abs(off).max(axis=1), np.nan)
            middle[i], young[i] = centre[:, 0], seen < self.settle
            sign[i] = np.sign(off[:, 0])
            drawn = np.where(known[:, None], shrink, 0.0)
            low, high = low + drawn * (centre - low), high + drawn * (centre - high)
            low, high = np.fmin(low, mean), np.fmax(high, mean)
            seen = seen + known
        own["mean"][rows], own["low"][rows], own["high"][rows] = mean, low, high
        own["seen"][rows] = seen
        some = batch.counts > 0
        own["until"][rows[some]] = batch.time[(batch.starts + batch.counts - 1)[some]]
        parts = batch.flat(far)
        says = ~np.isnan(parts).all(axis=1)
        parts = np.where(np.isnan(parts), 0.0, parts)
        deviation = parts * batch.flat(sign)
        record = parts > self.edge
        says &= ~(record & (batch.flat(young) > 0)).any(axis=1)
        parts = np.where(record, _FAR + parts, parts)
        raw = parts.max(axis=1, initial=0.0)
        return RawScores(np.where(says, raw, np.nan), parts, batch.flat(middle), deviation)

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self._own.resize(capacity)

    def reset(self, row: int, seed: int) -> None:
        """Forget what ``row`` has shown."""
        self._own.reset(row, seed)

    def dump(self, row: int) -> State:
        """Ranges and means."""
        return self._own.dump(row)

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when it does not fit."""
        self._own.load(row, state)
