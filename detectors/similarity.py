"""Similarity-based modelling: what should each sensor read, given what the others read and have read before?

Auto-associative kernel regression over remembered healthy states (Hines & Garvey 2006; the family of MSET,
Singer et al. 1997), as power plants and airlines use it. The machine's own past says what goes together, so
load, speed, shifts and standstill need no declaration: a state that was seen before is normal, however long
ago it was.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.base import FleetDetector, RawScores, State
from detectors.batch import Batch, Bools, Floats, Ints
from detectors.recurrence import smoothed
from detectors.table import Column, FleetTable

#: Readings to an epoch: models change only when a machine has learned so many.
_EPOCH = 16
#: Epochs before anything is scored.
_LEAST = 3
# A sensor that is far off may not choose which remembered states it is compared with.
_CLIP = 0.6**2
_FARTHEST = 40.0
#: What is left over is load where at least this share of it lies along the axes, and up to so many spreads.
_ALONG, _EXTRAPOLATED = 0.7, 1.0
#: In learning how residuals go together one counts with at most so many times its usual size.
_BOUND = 3.0
#: Standard deviations from its neighbours in time at which a single value is no longer learned.
_BELIEVED = 8.0


class FleetSimilarity(FleetDetector):
    """Similarity models of machines with ``width`` sensors.

    * A machine remembers up to ``states`` states: means of readings that were alike. A reading farther
      than ``resolution`` from all of them (RMS over sensors, each in its own long-run standard deviations)
      becomes a new one; when there is no more room the two nearest to each other are joined.
    * expected = Σ wᵢ·stateᵢ / Σ wᵢ, w = exp(−d² / 2·bandwidth²), d² the mean squared distance, each sensor
      bounded so that one that is broken does not choose its own company.
    * More load than ever moves every sensor as load always did. So what is left over, where it lies mostly
      along the main axes of the remembered states, is taken for load, within one standard deviation.
    * z = (value − expected), smoothed over about ``smooth`` readings, in its own usual size. Remembered
      states are few, so what lies between them is off in all sensors at once, in ways that repeat: raw is
      zᵀC⁻¹z with their correlations C, learned and shrunk towards independence. ``C^(−½) z`` squared splits
      raw into the sensors' parts (Garthwaite & Koch 2016).
    """

    kind: ClassVar[str] = "similarity"

    def __init__(
        self,
        width: int,
        states: int = 40,
        resolution: float = 0.3,
        bandwidth: float = 0.15,
        smooth: float = 6.0,
        memory: float = 65536.0,
    ) -> None:
        super().__init__(width)
        if states < 4 or resolution <= 0 or bandwidth <= 0 or smooth < 1 or memory < _EPOCH:
            raise ValueError(
                f"similarity: states ({states}) must be at least 4, resolution ({resolution}) and bandwidth "
                f"({bandwidth}) above 0, smooth ({smooth}) at least 1, memory ({memory}) at least {_EPOCH}"
            )
        self.states, self.resolution, self.bandwidth = states, resolution, bandwidth
        self.smooth, self.memory = smooth, memory
        k = width
        self.axes = 0 if k < 3 else 1 if k < 6 else 2
        self._of = FleetTable(
            {
                "waiting": Column((_EPOCH, k), float("nan")),  # readings of the running epoch
                "learned": Column((), 0),
                "count": Column((), 0),  # states in use
                "state": Column((states, k)),
                "visits": Column((states,)),
                "mean": Column((k,)),  # of each sensor, over a long time …
                "square": Column((k,)),  # … and of its square about `origin`
                "mass": Column((k,)),
                "origin": Column((k,), float("nan")),
                "usual": Column((k,)),  # mean square of the smoothed residual
                "usual_mass": Column((k,)),
                "follow": Column((k,)),  # the smoothed residual over what is learned
                "filter": Column((k,)),  # and over what is scored
                "product": Column((k, k)),  # z zᵀ, its weight, and C^(−½)
                "products": Column(()),
                "whitener": Column((k, k)),
                "axes": Column((self.axes, k)),  # unit vectors, in standard deviations
            }
        )

    # -- score

    def score(self, batch: Batch) -> RawScores:
        """How far each reading's smoothed sensors are from what the remembered states say."""
        n, k = batch.x.shape
        of, rows = self._of, batch.rows
        expected = self._expected(batch)
        expected += self._load(batch.row_of, batch.x - expected)
        residual = batch.x - expected
        size = self._usual(rows)
        reach = _FARTHEST * size[batch.column_of]
        bounded = np.where(reach > 0, np.clip(residual, -reach, reach), residual)
        filtered = smoothed(batch, bounded, of["filter"][rows], 1 / self.smooth)
        some = batch.counts > 0
        of["filter"][rows[some]] = filtered[(batch.starts + batch.counts - 1)[some]]
        with np.errstate(invalid="ignore", divide="ignore"):
            z = filtered / size[batch.column_of]
        there = np.isfinite(z) & ~np.isnan(batch.x)
        z = np.where(there, np.clip(z, -_FARTHEST, _FARTHEST), 0.0)
        whitener = of["whitener"][batch.row_of]
        white = np.zeros((n, k))
        for j in range(k):
            white += whitener[:, j] * z[:, j : j + 1]
        parts = white * white
        raw = np.zeros(n)
        for j in range(k):
            raw += parts[:, j]
        known = of["products"][batch.row_of] > 0
        return RawScores(np.where(known, raw, np.nan), parts, expected, np.where(there, z, np.nan))

    def _usual(self, rows: Ints) -> Floats:
        """(m, k) usual size of the smoothed residual; NaN for a sensor that never moved."""
        mass, spread = self._of["usual_mass"][rows], self._spread(rows)
        with np.errstate(invalid="ignore", divide="ignore"):
            size = np.sqrt(self._of["usual"][rows] / mass)
        # Quantised sensors can agree exactly for long: a hundredth of their own movement is no surprise.
        return np.where((mass > 0) & (spread > 0), np.maximum(size, 0.01 * spread), np.nan)

    def _spread(self, rows: Ints) -> Floats:
        """(m, k) long-run standard deviation of each sensor."""
        of = self._of
        mean, square = of["mean"][rows], of["square"][rows]
        result: Floats = np.sqrt(np.maximum(square - mean * mean, 0.0))
        return result

    def _expected(self, batch: Batch) -> Floats:
        """(n, k) what the remembered states say of each reading."""
        out = np.full(batch.x.shape, np.nan)
        used = self._of["count"][batch.rows] > 0
        if not used.any() or not len(batch):
            return out
        some = batch.select(used[batch.column_of])
        some = Batch(batch.rows[used], some.counts[used], some.time, some.x)
        _, estimate = self._compare(some.rows, some.dense(some.x).transpose(1, 0, 2))
        out[used[batch.column_of]] = some.flat(np.ascontiguousarray(estimate.transpose(1, 0, 2)))
        return out

    def _load(self, rows: Ints, residual: Floats) -> Floats:
        """The part (n, k) of residuals (n, k) of machines ``rows`` (n,) that is a change of load."""
        spread = self._spread(rows)
        with np.errstate(invalid="ignore", divide="ignore"):
            left = np.nan_to_num(np.where(spread > 0, residual / spread, 0.0))
        along, square, part = np.zeros(len(rows)), np.zeros(len(rows)), np.zeros(left.shape)
        for axis in range(self.axes):
            direction = self._of["axes"][rows, axis]
            length = np.zeros(len(rows))
            for j in range(self.width):
                length += left[:, j] * direction[:, j]
            along += length * length
            part += np.clip(length, -_EXTRAPOLATED, _EXTRAPOLATED)[:, None] * direction
        for j in range(self.width):
            square += left[:, j] * left[:, j]
        share = along / np.where(square > 0, square, 1.0)
        result: Floats = part * spread * np.clip((share - _ALONG) / (1 - _ALONG) * 2, 0.0, 1.0)[:, None]
        return result

    def _compare(self, rows: Ints, x: Floats) -> tuple[Floats, Floats]:
        """Distances² (m, s, states) and expected values (m, s, k) of readings x (m, s, k)."""
        state, spread = self._of["state"][rows], self._spread(rows)
        with np.errstate(divide="ignore"):
            scale = np.where(spread > 0, 1.0 / np.where(spread > 0, spread, 1.0), 0.0)
        distance = np.zeros((*x.shape[:2], self.states))
        known = np.zeros(x.shape[:2])
        for j in range(self.width):
            gap = (x[:, :, j, None] - state[:, None, :, j]) * scale[:, None, j, None]
            gap *= gap
            np.minimum(gap, _CLIP, out=gap)
            there = ~np.isnan(x[:, :, j])
            if there.all():
                distance += gap
                known += 1.0
            else:
                distance += np.where(there[:, :, None], gap, 0.0)
                known += there
        distance /= np.maximum(known, 1.0)[:, :, None]
        unused = np.arange(self.states) >= self._of["count"][rows][:, None]
        distance = np.where(unused[:, None, :], np.inf, distance)
        weight = distance.min(axis=2, keepdims=True) - distance
        weight *= 0.5 / self.bandwidth**2
        np.exp(weight, out=weight)
        total = weight.sum(axis=2)
        estimate = np.empty(x.shape)
        for j in range(self.width):
            estimate[:, :, j] = (weight * state[:, None, :, j]).sum(axis=2) / total
        return distance, estimate

    # -- learn

    def learn(self, batch: Batch) -> None:
        """Learn readings believed healthy; models change at the end of each machine's epochs."""
        into = self._of["learned"][batch.row_of] % _EPOCH + batch.step_of
        epoch = into // _EPOCH
        for number in range(int(epoch.max(initial=-1)) + 1):
            here = epoch == number
            part = batch.select(here)
            self._of["waiting"][part.row_of, into[here] % _EPOCH] = part.x
            self._of["learned"][part.rows] += part.counts
            ended = (self._of["learned"][part.rows] % _EPOCH == 0) & (part.counts > 0)
            if ended.any():
                self._end_epoch(part.rows[ended])

    def _end_epoch(self, rows: Ints) -> None:
        x = self._believed(rows, self._of["waiting"][rows])
        self._move_moments(rows, x)
        old = self._of["count"][rows] > 0
        if old.any():
            self._move_usual(rows[old], x[old])
            self._remember(rows[old], x[old])
        if not old.all():
            self._first(rows[~old], x[~old])

    def _believed(self, rows: Ints, x: Floats) -> Floats:
        """The values (r, epoch, k) without those that neither the epoch's others nor the past support."""
        at = (np.maximum((~np.isnan(x)).sum(axis=1, keepdims=True), 1) - 1) // 2
        middle = np.take_along_axis(np.sort(x, axis=1), at, axis=1)  # NaN come last
        away = np.abs(x - middle)
        usual = np.take_along_axis(np.sort(away, axis=1), at, axis=1)
        reach = _BELIEVED * np.maximum(1.5 * usual, self._spread(rows)[:, None])
        alone = (away > reach) & (reach > 0) & (self._of["mass"][rows] > 0)[:, None]
        return np.where(alone, np.nan, x)

    def _move_moments(self, rows: Ints, x: Floats) -> None:
        """Long-run mean and mean square of each sensor, about its first value."""
        of = self._of
        known = ~np.isnan(x)
        first = np.take_along_axis(x, np.argmax(known, axis=1)[:, None], axis=1)[:, 0]
        origin = of["origin"][rows] = np.where(np.isnan(of["origin"][rows]), first, of["origin"][rows])
        value = np.where(known, x - origin[:, None], 0.0)
        number = known.sum(axis=1)
        total, squares = np.zeros(origin.shape), np.zeros(origin.shape)
        for step in range(_EPOCH):
            total += value[:, step]
            squares += value[:, step] * value[:, step]
        mass = np.minimum(of["mass"][rows] + number, self.memory)
        weight = 1.0 / np.maximum(mass, 1.0)
        of["mean"][rows] += weight * (total - number * of["mean"][rows])
        of["square"][rows] += weight * (squares - number * of["square"][rows])
        of["mass"][rows] = mass

    def _move_usual(self, rows: Ints, x: Floats) -> None:
        """The usual size of the smoothed residual; one epoch moves it by a bounded step."""
        of = self._of
        _, estimate = self._compare(rows, x)
        residual = x - estimate
        flat = residual.reshape(-1, self.width)
        residual = (flat - self._load(np.repeat(rows, _EPOCH), flat)).reshape(x.shape)
        follow = of["follow"][rows]
        squares, number = np.zeros(follow.shape), np.zeros(follow.shape)
        for step in range(_EPOCH):
            there = ~np.isnan(residual[:, step])
            follow = np.where(there, follow + (residual[:, step] - follow) / self.smooth, follow)
            squares += np.where(there, follow * follow, 0.0)
            number += there
        of["follow"][rows] = follow
        self._correlate(rows, follow)
        mass = of["usual_mass"][rows]
        usual = of["usual"][rows] / np.where(mass > 0, mass, 1.0)
        sample = squares / np.maximum(number, 1.0)
        sample = np.where(mass > 8, np.minimum(sample, 25.0 * usual), sample)
        mass_now = np.where(number > 0, np.minimum(mass + 1.0, self.memory / _EPOCH), mass)
        keep = np.where(mass_now > mass, 1.0, 1.0 - 1.0 / np.maximum(mass_now, 1.0))
        of["usual"][rows] = np.where(number > 0, keep * of["usual"][rows] + sample, of["usual"][rows])
        of["usual_mass"][rows] = np.where(number > 0, keep * mass + 1.0, mass)

    def _correlate(self, rows: Ints, follow: Floats) -> None:
        """Learn how the smoothed residuals go together; every few epochs, draw conclusions."""
        of, k = self._of, self.width
        with np.errstate(invalid="ignore", divide="ignore"):
            z = follow / self._usual(rows)
        known = np.isfinite(z).any(axis=1) & (of["usual_mass"][rows].max(axis=1) >= _LEAST)
        rows, z = rows[known], np.clip(np.nan_to_num(z[known]), -_BOUND, _BOUND)
        if not len(rows):
            return
        of["products"][rows] = np.minimum(of["products"][rows] + 1.0, self.memory / _EPOCH)
        weight = 1.0 / of["products"][rows]
        product = z[:, :, None] * z[:, None, :]
        of["product"][rows] += weight[:, None, None] * (product - of["product"][rows])
        number = of["learned"][rows] // _EPOCH
        rows = rows[(number < 64) | (number % 16 == 0)]
        if not len(rows):
            return
        cov, samples = of["product"][rows], of["products"][rows]
        shrink = (k / (k + samples))[:, None, None]
        own = np.zeros_like(cov)
        own[:, range(k), range(k)] = np.maximum(cov[:, range(k), range(k)], 0.25)
        values, vectors = np.linalg.eigh((1 - shrink) * cov + shrink * own)
        scale = 1.0 / np.sqrt(np.maximum(values, 0.05))
        white = np.zeros((len(rows), k, k))
        for i in range(k):
            v = vectors[:, :, i]
            white += v[:, :, None] * v[:, None, :] * scale[:, i, None, None]
        of["whitener"][rows] = white
        self._aim(rows)

    def _aim(self, rows: Ints) -> None:
        """The main axes of the remembered states, each state once: how a machine moves with its load."""
        if not self.axes:
            return
        spread = self._spread(rows)
        used = np.arange(self.states) < self._of["count"][rows][:, None]
        number = np.maximum(used.sum(axis=1), 1)[:, None]
        scaled = self._of["state"][rows] / np.where(spread > 0, spread, np.inf)[:, None]
        middle = np.where(used[:, :, None], scaled, 0.0).sum(axis=1) / number
        away = np.where(used[:, :, None], scaled - middle[:, None], 0.0)
        cov = np.zeros((len(rows), self.width, self.width))
        for i in range(self.states):
            cov += away[:, i, :, None] * away[:, i, None, :]
        _, vectors = np.linalg.eigh(cov)
        for axis in range(self.axes):
            self._of["axes"][rows, axis] = vectors[:, :, -1 - axis]

    def _first(self, rows: Ints, x: Floats) -> None:
        """The first state: the mean of the first epoch that has any value."""
        there = ~np.isnan(x)
        number = there.sum(axis=1)
        total = np.zeros((len(rows), self.width))
        for step in range(_EPOCH):
            total += np.where(there[:, step], x[:, step], 0.0)
        some = number.any(axis=1)
        self._of["state"][rows, 0] = total / np.maximum(number, 1)
        self._of["visits"][rows, 0] = 1.0
        self._of["count"][rows] = some

    def _remember(self, rows: Ints, x: Floats) -> None:
        """Move the states towards the readings that are like them, and keep the one that is like none."""
        of = self._of
        distance, estimate = self._compare(rows, x)
        nearest, near = distance.argmin(axis=2), distance.min(axis=2)
        there = ~np.isnan(x)
        like = near <= self.resolution**2
        machine = np.broadcast_to(np.arange(len(rows))[:, None], near.shape)[like]
        place = nearest[like]
        gained = np.zeros((len(rows), self.states))
        np.add.at(gained, (machine, place), 1.0)
        moved = np.zeros((len(rows), self.states, self.width))
        gap = np.where(there, x - np.take_along_axis(of["state"][rows], nearest[:, :, None], axis=1), 0.0)
        np.add.at(moved, (machine, place), gap[like])
        of["visits"][rows] += gained
        weight = 1.0 / np.maximum(np.minimum(of["visits"][rows], self.memory / 4), 1.0)
        of["state"][rows] += moved * weight[:, :, None]
        strange = np.where(like, -1.0, near)
        farthest = strange.argmax(axis=1)
        at = np.arange(len(rows))
        new = strange[at, farthest] > 0
        if new.any():
            value = np.where(there, x, estimate)[at, farthest]
            self._keep(rows[new], value[new], strange[at, farthest][new])

    def _keep(self, rows: Ints, value: Floats, distance: Floats) -> None:
        """Remember ``value`` (r, k), ``distance`` (r,) squared from the nearest state."""
        of = self._of
        room = of["count"][rows] < self.states
        of["state"][rows[room], of["count"][rows[room]]] = value[room]
        of["visits"][rows[room], of["count"][rows[room]]] = 1.0
        of["count"][rows[room]] += 1
        full = rows[~room]
        if not len(full):
            return
        between, _ = self._compare(full, of["state"][full])
        own = np.arange(self.states)
        between[:, own, own] = np.inf
        flat = between.reshape(len(full), -1).argmin(axis=1)
        one, other = flat // self.states, flat % self.states
        at = np.arange(len(full))
        worth: Bools = between[at, one, other] < distance[~room]
        full, one, other, value = full[worth], one[worth], other[worth], value[~room][worth]
        # The two that are most alike become their common mean; the place that this frees takes the new one.
        weight, more = of["visits"][full, one], of["visits"][full, other]
        share = (weight / (weight + more))[:, None]
        of["state"][full, one] = share * of["state"][full, one] + (1 - share) * of["state"][full, other]
        of["visits"][full, one] = weight + more
        of["state"][full, other] = value
        of["visits"][full, other] = 1.0

    # -- rows

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self._of.resize(capacity)

    def reset(self, row: int, seed: int) -> None:
        """Forget everything about ``row``."""
        self._of.reset(row, seed)

    def dump(self, row: int) -> State:
        """All of it."""
        return self._of.dump(row)

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when sensors or parameters differ."""
        self._of.load(row, state)
