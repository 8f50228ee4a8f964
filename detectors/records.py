"""Records: how far a value goes beyond everything that its machine has shown, at several speeds of smoothing.

Made for machines and streams of one sensor, where there is no other sensor to compare with. It assumes no
distribution: among n like readings the next one is a record with probability 2/(n + 1) (Chandler 1952), so
records grow rare by themselves, and one that goes beyond the known range by a good part of it rarer still.
"""

from __future__ import annotations

from math import isnan, nan
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from detectors.base import FleetDetector, RawScores, State
from detectors.batch import Batch, Floats, Ints
from detectors.compiled import compiled
from detectors.table import Column, KernelTable

#: What a true record is raised by: no healthy tail reaches so far.
_FAR = 100.0
_EACH = ("scales", "width")
_NAN = float("nan")


class Ranges(NamedTuple):
    """What each sensor has shown, at each speed of smoothing."""

    mean: Annotated[Floats, Column(_EACH, _NAN)]
    low: Annotated[Floats, Column(_EACH, _NAN)]
    high: Annotated[Floats, Column(_EACH, _NAN)]
    seen: Annotated[Ints, Column(("width",), 0)]
    until: Annotated[Ints, Column((), -1)]  # event time of the latest reading that was followed


class Params(NamedTuple):
    """Of `FleetRecords`: 1 / scales, 1 / memory, and the edge that margin makes, in half ranges."""

    weights: Floats
    shrink: float
    edge: float
    least: int
    settle: int


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
    warmup: ClassVar[int] = 100

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
        weights = np.array([1 / scale for scale in scales])
        self._params = Params(weights, 1 / memory, 1 + 2 * margin, least, settle)
        self._own = KernelTable(Ranges, scales=len(scales), width=width)

    def score(self, batch: Batch) -> RawScores:
        """How far each reading lies from the middle of what was seen before it."""
        return self._follow(batch)

    def learn(self, batch: Batch) -> None:
        """Follow readings that were never scored; those that were have widened the ranges already."""
        unseen = batch.time > self._own["until"][batch.row_of]
        if unseen.any():
            self._follow(batch.select(unseen))

    def _follow(self, batch: Batch) -> RawScores:
        x = np.ascontiguousarray(batch.x)
        return RawScores(*follow(self._own.columns, self._params, batch.rows, batch.counts, batch.time, x))

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


@compiled
def follow(
    own: Ranges, params: Params, rows: Ints, counts: Ints, time: Ints, x: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Raw scores (n,), contributions, middles of the ranges, and signed distances from them (n, k)."""
    n, k = x.shape
    raw, parts, middle, deviation = np.empty(n), np.zeros((n, k)), np.empty((n, k)), np.zeros((n, k))
    all_mean, all_low, all_high, all_seen, until = own.mean, own.low, own.high, own.seen, own.until
    weights, shrink, edge = params.weights, params.shrink, params.edge
    least, settle = params.least, params.settle
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        mean, low, high, seen = all_mean[row], all_low[row], all_high[row], all_seen[row]
        for i in range(start, stop):
            says, early, highest = False, False, 0.0
            for c in range(k):
                middle[i, c] = (low[0, c] + high[0, c]) / 2.0
                value = x[i, c]
                if isnan(value):
                    continue
                far = 0.0
                for s in range(len(weights)):
                    if isnan(mean[s, c]):  # the first value
                        mean[s, c] = low[s, c] = high[s, c] = value
                        continue
                    mean[s, c] += weights[s] * (value - mean[s, c])
                    centre, half = (low[s, c] + high[s, c]) / 2.0, (high[s, c] - low[s, c]) / 2.0
                    off = (mean[s, c] - centre) / half if half > 0.0 else 0.0
                    far = max(far, abs(off))
                    if s == 0:
                        deviation[i, c] = np.sign(off)
                    low[s, c] = min(low[s, c] + shrink * (centre - low[s, c]), mean[s, c])
                    high[s, c] = max(high[s, c] + shrink * (centre - high[s, c]), mean[s, c])
                if seen[c] >= least:
                    says = True
                    deviation[i, c] *= far
                    record = far > edge
                    early |= record and seen[c] < settle
                    parts[i, c] = _FAR + far if record else far
                    highest = max(highest, parts[i, c])
                else:
                    deviation[i, c] = 0.0
                seen[c] += 1
            raw[i] = highest if says and not early else nan
            until[row] = time[i]
    return raw, parts, middle, deviation
