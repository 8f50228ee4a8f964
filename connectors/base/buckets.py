"""Many readings into few: the least, mean and greatest value of each stretch of time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from connectors.base.history import Series
from pipeline.records import Floats, Ints


class Buckets:
    """Gathers readings of ``start`` .. ``end`` (inclusive, ms) into at most ``points`` buckets.

    Readings may come in any order and in parts with different sensors; none may come twice.

    >>> gathered = Buckets(0, 99, 10, ("a",))
    >>> n = 100
    >>> score, health, state = np.linspace(0, 1, n), np.full(n, 90.0), np.ones(n, dtype=np.uint8)
    >>> gathered.add(np.arange(n), ("a",), np.arange(n, dtype=float)[:, None], score, health, state)
    >>> series = gathered.series("m")
    >>> series.step, series.low[1].tolist(), series.mean[1].tolist(), series.high[1].tolist()
    (10, [10.0], [14.5], [19.0])
    """

    def __init__(self, start: int, end: int, points: int, sensors: tuple[str, ...]) -> None:
        self.start, self.end, self.sensors = start, end, sensors
        self.step = max(1, -(-(end - start + 1) // points))
        m, k = -(-(end - start + 1) // self.step), len(sensors)
        self._low = np.full((m, k), np.nan)
        self._high = np.full((m, k), np.nan)
        self._sum = np.zeros((m, k))
        self._known = np.zeros((m, k), dtype=np.int64)
        self._score = np.full(m, np.nan)
        self._health = np.zeros(m)
        self._healths = np.zeros(m, dtype=np.int64)
        self._state = np.zeros(m, dtype=np.uint8)
        self._count = np.zeros(m, dtype=np.int64)

    def add(
        self,
        time: Ints,
        sensors: Sequence[str],
        values: Floats,
        score: Floats,
        health: Floats,
        state: NDArray[np.uint8],
    ) -> None:
        """Gather n readings in time order; those outside start .. end are left out."""
        first, last = np.searchsorted(time, [self.start, self.end + 1])
        if first == last:
            return
        here = slice(int(first), int(last))
        bucket = (time[here] - self.start) // self.step
        cuts = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
        at = bucket[cuts]
        columns = np.array([self.sensors.index(sensor) for sensor in sensors], dtype=np.int64)
        cells = np.ix_(at, columns)
        x = values[here]
        known = ~np.isnan(x)
        self._low[cells] = np.fmin(self._low[cells], np.fmin.reduceat(x, cuts))
        self._high[cells] = np.fmax(self._high[cells], np.fmax.reduceat(x, cuts))
        self._sum[cells] += np.add.reduceat(np.where(known, x, 0.0), cuts)
        self._known[cells] += np.add.reduceat(known.astype(np.int64), cuts)
        self._score[at] = np.fmax(self._score[at], np.fmax.reduceat(score[here], cuts))
        healthy = ~np.isnan(health[here])
        self._health[at] += np.add.reduceat(np.where(healthy, health[here], 0.0), cuts)
        self._healths[at] += np.add.reduceat(healthy.astype(np.int64), cuts)
        self._state[at] = np.maximum(self._state[at], np.maximum.reduceat(state[here], cuts))
        self._count[at] += np.diff(np.append(cuts, int(last - first)))

    def series(self, machine: str) -> Series:
        """What was gathered; empty buckets are left out."""
        full = np.flatnonzero(self._count)
        with np.errstate(invalid="ignore"):
            mean = self._sum[full] / np.where(self._known[full], self._known[full], np.nan)
            health = self._health[full] / np.where(self._healths[full], self._healths[full], np.nan)
        return Series(
            machine=machine,
            start=self.start,
            end=self.end,
            step=self.step,
            sensors=self.sensors,
            time=self.start + full * self.step,
            low=self._low[full],
            mean=mean,
            high=self._high[full],
            score=self._score[full],
            health=health,
            state=self._state[full],
            count=self._count[full],
        )


def thin(values: Floats, points: int) -> Floats:
    """Means of at most ``points`` equal parts of ``values``, NaN left out.

    >>> thin(np.array([1.0, 3.0, np.nan, 5.0, 6.0]), 3).tolist()
    [2.0, 5.5]
    """
    values = values[~np.isnan(values)]
    if len(values) <= points:
        return values
    size = -(-len(values) // points)
    cuts = np.arange(0, len(values), size)
    return np.asarray(np.add.reduceat(values, cuts) / np.diff(np.append(cuts, len(values))))
