"""Operating regimes: a machine that idles, runs and runs fast is several healthy machines in one.

Regimes are found by leader clustering (Hartigan 1975) of the means of short stretches, in units of each
sensor's whole spread: a change of regime moves most sensors at once, a fault only some.
"""

from __future__ import annotations

from math import inf, isnan, nan, sqrt
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np

from detectors.base import DeferredScores, FleetDetector, State
from detectors.batch import Batch, Bools, Floats, Ints
from detectors.compiled import compiled
from detectors.table import Column, KernelTable

_EPOCH = 8
_FAR = 1.5  # mean distance, in spreads, beyond which a stretch belongs to no known regime
_CAP = 3.0  # what one sensor counts at most
_HOUR = 3_600_000
_EACH = ("width",)
_NAN = float("nan")


class Regimes(NamedTuple):
    """What is known of each machine's regimes."""

    first: Annotated[Ints, Column((), -1)]  # event time of the first reading
    accept: Annotated[Bools, Column((), False)]  # a crew's word: the next unknown regime is healthy
    learned: Annotated[Ints, Column((), 0)]
    known: Annotated[Ints, Column((), 0)]  # regimes
    centre: Annotated[Floats, Column(("most", "width"), _NAN)]
    visits: Annotated[Ints, Column(("most",), 0)]  # epochs
    sum: Annotated[Floats, Column(_EACH)]  # of the running epoch
    square: Annotated[Floats, Column(_EACH)]
    seen: Annotated[Ints, Column(_EACH, 0)]
    total: Annotated[Floats, Column(_EACH)]  # means over everything: sum …
    total_square: Annotated[Floats, Column(_EACH)]
    total_seen: Annotated[Ints, Column(_EACH, 0)]  # … and count


class FleetRegimes(FleetDetector):
    """A detector of kind ``inner`` for each of at most ``most`` regimes of each machine.

    A new regime is taken for healthy while the machine is commissioned (``commissioning`` hours of event time
    from its first reading), and after a crew said so (`accept`). Readings in a regime that was learned from
    less than ``least`` stretches of 8 readings have no score. ``tag`` is the column of a sensor that tells
    the regime by its value, None = found from all of them.
    """

    kind: ClassVar[str] = "regimes"
    exportable: ClassVar[bool] = True  # sums over many readings

    def __init__(
        self,
        width: int,
        inner: str = "mspc",
        most: int = 4,
        commissioning: float = 24.0,
        least: int = 12,
        tag: int | None = None,
        params: dict[str, Any] | None = None,
    ) -> None:
        from detectors.registry import build  # the registry names this module too

        super().__init__(width)
        if most < 1 or commissioning < 0 or (tag is not None and not 0 <= tag < width):
            raise ValueError(
                f"regimes: most ({most}) must be at least 1, commissioning ({commissioning}) at least 0, "
                f"tag ({tag}) one of the {width} columns"
            )
        if inner == self.kind:
            raise ValueError("regimes: inner must be another kind")
        self.most, self.least = most, least
        self._columns = np.arange(width) if tag is None else np.array([tag])  # that tell the regime
        self.commissioning = round(commissioning * _HOUR)
        self.inner = build(inner, width, **(params or {}))
        self._own = KernelTable(Regimes, most=most, width=width)

    def _by_regime(self, batch: Batch, regime: Ints) -> tuple[Batch, Ints]:
        """The batch with a row a machine and regime, and where its readings stood."""
        key = batch.column_of * self.most + regime
        order = np.argsort(key, kind="stable")
        counts = np.bincount(key)
        keys = np.flatnonzero(counts)
        rows = batch.rows[keys // self.most] * self.most + keys % self.most
        return Batch(rows, counts[keys], batch.time[order], batch.x[order]), order

    def score(self, batch: Batch) -> DeferredScores:
        """Score each reading in its regime; NaN in one that is not learned yet."""
        regime, new = assign(
            self._own.columns, self._columns, self.commissioning, self.least, *_arrays(batch)
        )
        within, order = self._by_regime(batch, regime)
        found = self.inner.score(within)
        raw, place = np.empty(len(batch)), np.empty_like(order)
        raw[order] = found.raw
        place[order] = np.arange(len(order))
        return DeferredScores(np.where(new, np.nan, raw), lambda at: found.evidence(place[at]))

    def learn(self, batch: Batch) -> None:
        """Learn readings believed healthy, each in its regime."""
        regime, near = learn(self._own.columns, self._columns, self.commissioning, *_arrays(batch))
        if near.any():
            within, _ = self._by_regime(batch.select(near), regime[near])
            self.inner.learn(within)

    def accept(self, row: int) -> None:
        """A crew's word: the regime that the machine is in is healthy, though it was never seen."""
        self._own["accept"][row] = True

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self._own.resize(capacity)
        self.inner.resize(capacity * self.most)

    def reset(self, row: int, seed: int) -> None:
        """Forget everything about ``row``."""
        self._own.reset(row, seed)
        for inside in range(row * self.most, (row + 1) * self.most):
            self.inner.reset(inside, seed)

    def dump(self, row: int) -> State:
        """Regimes, and each one's model."""
        saved = {f"own.{name}": value for name, value in self._own.dump(row).items()}
        for i in range(max(1, int(self._own["known"][row]))):  # the first is used from the start
            inside = row * self.most + i
            saved |= {f"inner{i}.{name}": value for name, value in self.inner.dump(inside).items()}
        return saved

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError or KeyError when it does not fit."""
        self.reset(row, 0)
        self._own.load(row, _part(state, "own."))
        for i in range(max(1, int(self._own["known"][row]))):
            inside = row * self.most + i
            self.inner.load(inside, _part(state, f"inner{i}."))


def _part(state: State, prefix: str) -> State:
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}


def _arrays(batch: Batch) -> tuple[Ints, Ints, Ints, Floats]:
    return batch.rows, batch.counts, batch.time, np.ascontiguousarray(batch.x)


@compiled
def assign(
    own: Regimes,
    columns: Ints,
    commissioning: int,
    least: int,
    rows: Ints,
    counts: Ints,
    time: Ints,
    x: Floats,
) -> tuple[Ints, Bools]:
    """Each reading's regime (n,), and whether it is one that is not known enough yet to have a score."""
    regime, new = np.empty(len(x), dtype=np.int64), np.empty(len(x), dtype=np.bool_)
    all_centre, visits, spread = own.centre, own.visits, np.empty(x.shape[1])
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        centre = all_centre[row]
        _spread(own, row, spread)
        for i in range(start, stop):
            regime[i], distance = _nearest(x[i], centre, spread, columns)
            new[i] = visits[row, regime[i]] < least
            if _FAR < distance < inf and _open(own, row, time[i], commissioning):
                new[i] = True
    return regime, new


@compiled
def learn(
    own: Regimes, columns: Ints, commissioning: int, rows: Ints, counts: Ints, time: Ints, x: Floats
) -> tuple[Ints, Bools]:
    """Each reading's regime (n,), and whether it is near enough to be learned there; regimes move."""
    regime, near = np.empty(len(x), dtype=np.int64), np.empty(len(x), dtype=np.bool_)
    first, learned, all_centre = own.first, own.learned, own.centre
    all_sum, all_square, all_seen = own.sum, own.square, own.seen
    spread = np.empty(x.shape[1])
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        centre, total, square, seen = all_centre[row], all_sum[row], all_square[row], all_seen[row]
        _spread(own, row, spread)
        for i in range(start, stop):
            if first[row] < 0:
                first[row] = time[i]
            regime[i], distance = _nearest(x[i], centre, spread, columns)
            near[i] = distance <= _FAR or distance == inf
            for c in range(x.shape[1]):
                if not isnan(x[i, c]):
                    total[c] += x[i, c]
                    square[c] += x[i, c] * x[i, c]
                    seen[c] += 1
            learned[row] += 1
            if learned[row] % _EPOCH == 0:
                _end_epoch(own, columns, row, _open(own, row, time[i], commissioning))
                _spread(own, row, spread)
    return regime, near


@compiled
def _spread(own: Regimes, row: int, spread: Floats) -> None:
    """``spread`` (k,) = standard deviations over everything that was learned; NaN = never varied."""
    total, square, seen = own.total[row], own.total_square[row], own.total_seen[row]
    for c in range(len(spread)):
        count = max(seen[c], 1)
        mean = total[c] / count
        variance = square[c] / count - mean * mean
        spread[c] = sqrt(variance) if variance > 1e-12 * mean * mean else nan


@compiled
def _nearest(x: Floats, centre: Floats, spread: Floats, columns: Ints) -> tuple[int, float]:
    """The nearest centre (most, k) to ``x`` (k,), and its mean distance; inf where there is none."""
    regime, least = 0, inf
    for r in range(len(centre)):
        total, count, found = 0.0, 0, False
        for c in columns:
            found |= not isnan(centre[r, c])
            off = abs(x[c] - centre[r, c]) / spread[c]
            if not isnan(off):
                total += min(off, _CAP)
                count += 1
        if found and total / max(count, 1) < least:
            regime, least = r, total / max(count, 1)
    return regime, least


@compiled
def _open(own: Regimes, row: int, time: int, commissioning: int) -> bool:
    """Whether an unknown regime would be taken for healthy."""
    young = time - own.first[row] < commissioning or own.accept[row]
    room: bool = own.known[row] < own.centre.shape[1] and young
    return room


@compiled
def _end_epoch(own: Regimes, columns: Ints, row: int, free: bool) -> None:
    """Move the regime that the epoch's mean is near to; or begin a new one, where one is ``free``."""
    k = own.sum.shape[1]
    mean, spread = np.full(k, nan), np.empty(k)
    for c in range(k):
        if own.seen[row, c] > 0:
            mean[c] = own.sum[row, c] / own.seen[row, c]
        own.total[row, c] += own.sum[row, c]
        own.total_square[row, c] += own.square[row, c]
        own.total_seen[row, c] += own.seen[row, c]
        own.sum[row, c], own.square[row, c], own.seen[row, c] = 0.0, 0.0, 0
    _spread(own, row, spread)
    centre, visits = own.centre[row], own.visits[row]
    regime, distance = _nearest(mean, centre, spread, columns)
    if distance <= _FAR:
        visits[regime] += 1
        weight = 1.0 / min(visits[regime], 64)
        for c in range(k):
            if isnan(centre[regime, c]):
                centre[regime, c] = mean[c]
            elif not isnan(mean[c]):
                centre[regime, c] += weight * (mean[c] - centre[regime, c])
    elif free:  # also when there is no regime yet
        place = own.known[row]
        centre[place] = mean
        visits[place] = 1
        own.known[row] += 1
        own.accept[row] = False
