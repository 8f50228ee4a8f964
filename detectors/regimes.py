"""Operating regimes: a machine that idles, runs and runs fast is several healthy machines in one.

Regimes are found by leader clustering (Hartigan 1975) of the means of short stretches, in units of each
sensor's whole spread: a change of regime moves most sensors at once, a fault only some.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from detectors.base import DeferredScores, FleetDetector, State
from detectors.batch import Batch, Bools, Floats, Ints
from detectors.table import Column, FleetTable

_EPOCH = 8
_FAR = 1.5  # mean distance, in spreads, beyond which a stretch belongs to no known regime
_CAP = 3.0  # what one sensor counts at most
_HOUR = 3_600_000


class FleetRegimes(FleetDetector):
    """A detector of kind ``inner`` for each of at most ``most`` regimes of each machine.

    A new regime is taken for healthy while the machine is commissioned (``commissioning`` hours of event time
    from its first reading), and after a crew said so (`accept`). Readings in a regime that was learned from
    less than ``least`` stretches of 8 readings have no score. ``tag`` is the column of a sensor that tells
    the regime by its value, None = found from all of them.
    """

    kind: ClassVar[str] = "regimes"

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
        self.most, self.tag, self.least = most, tag, least
        self.commissioning = round(commissioning * _HOUR)
        self.inner = build(inner, width, **(params or {}))
        each = (width,)
        self._own = FleetTable(
            {
                "first": Column((), -1),  # event time of the first reading
                "accept": Column((), False),  # a crew's word: the next unknown regime is healthy
                "count": Column((), 0),
                "known": Column((), 0),  # regimes
                "centre": Column((most, width), float("nan")),
                "visits": Column((most,), 0),  # epochs
                "sum": Column(each),  # of the running epoch
                "square": Column(each),
                "seen": Column(each, 0),
                "total": Column(each),  # means over everything: sum …
                "total_square": Column(each),
                "total_seen": Column(each, 0),  # … and count
            }
        )

    # -- which regime

    def _spread(self, rows: Ints) -> Floats:
        """(m, k) each sensor's standard deviation over everything that was learned; NaN = never varied."""
        own = self._own
        count = np.maximum(own["total_seen"][rows], 1)
        mean = own["total"][rows] / count
        variance = own["total_square"][rows] / count - mean * mean
        return np.where(variance > 1e-12 * mean * mean, np.sqrt(np.maximum(variance, 0.0)), np.nan)

    def _distances(self, x: Floats, centre: Floats, spread: Floats) -> Floats:
        """(n, most) mean distance of each x (n, k) from each centre (n, most, k); inf where there is none."""
        if self.tag is not None:
            x, centre, spread = x[:, [self.tag]], centre[..., [self.tag]], spread[:, [self.tag]]
        total, count = np.zeros(centre.shape[:2]), np.zeros(centre.shape[:2])
        for j in range(x.shape[1]):
            off = np.abs(x[:, j : j + 1] - centre[..., j]) / spread[:, j : j + 1]
            there = ~np.isnan(off)
            total += np.where(there, np.minimum(off, _CAP), 0.0)
            count += there
        found = ~np.isnan(centre).all(axis=2)
        return np.where(found, total / np.maximum(count, 1), np.inf)

    def _assign(self, batch: Batch) -> tuple[Ints, Bools]:
        """Each reading's regime, and whether it is near enough to belong there."""
        rows = batch.rows
        centre, spread = self._own["centre"][rows], self._spread(rows)
        distance = self._distances(batch.x, centre[batch.column_of], spread[batch.column_of])
        regime = np.argmin(distance, axis=1).astype(np.int64)
        nearest = distance[np.arange(len(batch)), regime]
        return regime, (nearest <= _FAR) | np.isinf(nearest)

    def _by_regime(self, batch: Batch, regime: Ints) -> tuple[Batch, Ints]:
        """The batch with a row a machine and regime, and where its readings stood."""
        key = batch.column_of * self.most + regime
        order = np.argsort(key, kind="stable")
        keys, counts = np.unique(key, return_counts=True)
        rows = batch.rows[keys // self.most] * self.most + keys % self.most
        return Batch(rows, counts.astype(np.int64), batch.time[order], batch.x[order]), order

    # -- score and learn

    def score(self, batch: Batch) -> DeferredScores:
        """Score each reading in its regime; NaN in one that is not learned yet."""
        regime, near = self._assign(batch)
        within, order = self._by_regime(batch, regime)
        found = self.inner.score(within)
        raw = np.empty(len(batch))
        raw[order] = found.raw
        new = self._own["visits"][batch.row_of, regime] < self.least
        new |= ~near & self._open(batch.row_of, batch.time)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return DeferredScores(np.where(new, np.nan, raw), lambda at: found.evidence(place[at]))

    def _open(self, rows: Ints, time: Ints) -> Bools:
        """Whether an unknown regime would be taken for healthy."""
        own = self._own
        room = own["known"][rows] < self.most
        young = time - own["first"][rows] < self.commissioning
        free: Bools = room & (young | own["accept"][rows])
        return free

    def learn(self, batch: Batch) -> None:
        """Learn readings believed healthy, each in its regime."""
        own = self._own
        fresh = (own["first"][batch.rows] < 0) & (batch.counts > 0)
        own["first"][batch.rows[fresh]] = batch.time[batch.starts[fresh]]
        into = own["count"][batch.row_of] % _EPOCH + batch.step_of
        epoch = into // _EPOCH
        for number in range(int(epoch.max(initial=-1)) + 1):
            part = batch.select(epoch == number)
            there = part.counts > 0
            self._learn_within(Batch(part.rows[there], part.counts[there], part.time, part.x))

    def _learn_within(self, batch: Batch) -> None:
        regime, near = self._assign(batch)
        self._learn_inner(batch, regime, near)
        own, rows = self._own, batch.rows
        for x in batch.dense(batch.x):
            known = ~np.isnan(x)
            x = np.where(known, x, 0.0)
            own["sum"][rows] += x
            own["square"][rows] += x * x
            own["seen"][rows] += known
        own["count"][rows] += batch.counts
        ended = own["count"][rows] % _EPOCH == 0
        self._end_epoch(rows[ended], batch.time[(batch.starts + batch.counts - 1)[ended]])

    def _learn_inner(self, batch: Batch, regime: Ints, near: Bools) -> None:
        kept = batch.select(near)
        there = kept.counts > 0
        if not there.any():
            return
        kept = Batch(kept.rows[there], kept.counts[there], kept.time, kept.x)
        within, _ = self._by_regime(kept, regime[near])
        self.inner.learn(within)

    def _end_epoch(self, rows: Ints, time: Ints) -> None:
        if not len(rows):
            return
        own = self._own
        seen = own["seen"][rows]
        for name, part in (("total", "sum"), ("total_square", "square"), ("total_seen", "seen")):
            own[name][rows] += own[part][rows]
        with np.errstate(invalid="ignore"):
            mean = np.where(seen > 0, own["sum"][rows] / np.maximum(seen, 1), np.nan)
        for part in ("sum", "square", "seen"):
            own[part][rows] = 0
        distance = self._distances(mean, own["centre"][rows], self._spread(rows))
        nearest = np.argmin(distance, axis=1)
        far = distance[np.arange(len(rows)), nearest] > _FAR  # also when there is no regime yet
        new = far & self._open(rows, time)
        self._add(rows[new], mean[new])
        old = ~far
        self._move(rows[old], nearest[old], mean[old])

    def _add(self, rows: Ints, mean: Floats) -> None:
        own = self._own
        place = own["known"][rows]
        own["centre"][rows, place] = mean
        own["visits"][rows, place] = 1
        own["known"][rows] += 1
        own["accept"][rows] = False

    def _move(self, rows: Ints, regime: Ints, mean: Floats) -> None:
        own = self._own
        own["visits"][rows, regime] += 1
        weight = 1.0 / np.minimum(own["visits"][rows, regime], 64)
        centre = own["centre"][rows, regime]
        moved = np.where(np.isnan(centre), mean, centre + weight[:, None] * (mean - centre))
        own["centre"][rows, regime] = np.where(np.isnan(mean), centre, moved)

    def accept(self, row: int) -> None:
        """A crew's word: the regime that the machine is in is healthy, though it was never seen."""
        self._own["accept"][row] = True

    # -- rows

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
