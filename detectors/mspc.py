"""Multivariate statistical process control, online: smoothed sensors against their forecast, all together.

Hotelling's T² in the principal subspace and Q beside it (Jackson & Mudholkar 1979), on exponentially
weighted means (MEWMA: Lowry et al. 1992), of forecast errors rather than of values, because healthy sensors
wander: a water temperature drifts by the hour, a flow does not. How much each one does is learned.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.base import FleetDetector, RawScores, State, grown
from detectors.batch import Batch, Bools, Floats, Ints
from detectors.recurrence import smoothed

#: Readings to an epoch: once in an epoch the model takes a sample of its own forecast errors.
_EPOCH = 8
#: Epochs between a forecast and the sample of its error: short as in use, and long.
_SHORT, _LONG = 3, 13
_AGE_SHORT, _AGE_LONG = _EPOCH * _SHORT, _EPOCH * _LONG
_KEPT = 16
# A sensor wanders when its forecast's error grows with at least this power of the forecast's age, fully
# so at twice more, and by more than half the scatter of single readings.
_WANDERS, _WANDERS_RANGE, _VISIBLE = 0.1, 0.2, 0.5
_LEAST_GROWTH = 0.2
_FARTHEST = 40.0
_CLEAR = 4.0
_SWEEPS = 4


class FleetMspc(FleetDetector):
    """MSPC of machines with ``width`` sensors.

    * Each sensor is smoothed over about ``smooth`` readings (F).
    * Its level is forecast from what was learned, by means over the past ``memories`` of readings; the
      one that forecasts a sensor best counts most. A steady sensor is held to its long mean, a wandering
      one to its latest.
    * z = (F − forecast) / the forecast's usual error, which is learned too. When nothing is learned for a
      while (an alarm lasts), the error of a wandering sensor's forecast grows as its own past shows.
    * The more a sensor wanders, the more it is held to its latest trend instead (Brown's double
      exponential smoothing): it must then move faster than ever, not just be elsewhere.
    * raw = T² + Q/σ² = zᵀC⁻¹z, C being the correlations of z, learned with forgetting, shrunk towards
      independence as long as little is known, of full rank by its floor σ² (probabilistic PCA, Tipping &
      Bishop 1999). ``C^(−½) z`` squared splits raw into the sensors' parts (Garthwaite & Koch 2016).

    Bounded: an error counts in learning with at most ``bound`` times its usual size. A missing value gives
    no evidence; a sensor that was constant as long as it was learned has no scale, and gives none either.
    """

    kind: ClassVar[str] = "mspc"

    def __init__(
        self,
        width: int,
        smooth: float = 6.0,
        memories: tuple[float, ...] = (16.0, 64.0, 256.0, 4096.0),
        forget: float = 64.0,
        explained: float = 0.9,
        bound: float = 3.0,
    ) -> None:
        super().__init__(width)
        if smooth < 1 or forget < 1 or bound <= 0 or not 0 < explained <= 1 or not memories:
            raise ValueError(
                f"mspc: smooth ({smooth}) and forget ({forget}) must be at least 1, bound ({bound}) above 0, "
                f"explained ({explained}) in (0, 1], and memories ({memories}) not empty"
            )
        self.smooth, self.memories, self.forget = smooth, tuple(float(m) for m in memories), forget
        self.explained, self.bound = explained, bound
        k, j = width, len(self.memories)
        # Filters, advanced by `score`
        self._filter = np.zeros((0, 3, k))  # F, its mean, and the mean's mean
        self._there = np.zeros((0, k))  # how far each sensor was there of late, 0 .. 1
        self._idle = np.zeros(0, dtype=np.int64)  # readings scored since something was learned
        # Models, advanced by `learn`
        self._learned = np.zeros(0, dtype=np.int64)
        self._follow = np.full((0, 3, k), np.nan)  # as _filter, over what is learned
        self._level = np.zeros((0, j, k))  # sums of the means …
        self._mass = np.zeros((0, j, k))  # … and their weights: a mean is level / mass
        self._past = np.full((0, _KEPT, j, k), np.nan)  # means at the ends of the latest epochs
        self._error = np.zeros((0, 2, j, k))  # squared forecast errors, short and long: sums …
        self._error_mass = np.zeros((0, 2, j, k))  # … and weights
        self._track = np.zeros((0, k))  # squared errors of following the latest trend
        self._track_mass = np.zeros((0, k))
        self._noise = np.zeros((0, k))  # squared distances of single readings from F
        self._noise_mass = np.zeros((0, k))
        self._product = np.zeros((0, k, k))  # z zᵀ
        self._products = np.zeros(0)  # its weight
        # What follows from the models
        self._forecast = np.full((0, k), np.nan)
        self._scale = np.full((0, k), np.nan)
        self._growth = np.zeros((0, k))
        self._drifting = np.zeros((0, k))  # how much of a wanderer each sensor is, 0 .. 1
        self._whitener = np.zeros((0, k, k))
        self._names = (
            "_filter", "_there", "_idle", "_learned", "_follow", "_level", "_mass", "_past", "_error",
            "_error_mass", "_track", "_track_mass", "_noise", "_noise_mass", "_product", "_products",
            "_forecast", "_scale", "_growth", "_drifting", "_whitener",
        )  # fmt: skip

    # -- score

    def score(self, batch: Batch) -> RawScores:
        """How far each reading's smoothed sensors are off their forecast."""
        n, k = batch.x.shape
        rows, row_of = batch.rows, batch.row_of
        start = self._filter[rows]
        fresh = np.isnan(start)
        if fresh.any():  # a filter starts at the forecast, not at 0
            start = np.where(fresh, self._forecast[rows][:, None], start)
        expected, scale = self._forecast[row_of], self._scale[row_of]
        reach = _FARTHEST * scale
        x = np.where(scale > 0, np.clip(batch.x, expected - reach, expected + reach), batch.x)
        filters = self._filtered(batch, x, start)
        idle = self._idle[row_of] + batch.step_of + 1
        present = np.where(np.isnan(batch.x), 0.0, 1.0)
        there = present
        if not present.all() or self._there[rows].min(initial=1.0) < 1:
            there = smoothed(batch, present, self._there[rows], 0.25 / self.smooth)
        if n:
            some = batch.counts > 0
            last = (batch.starts + batch.counts - 1)[some]
            self._filter[rows[some]] = filters[last]
            self._there[rows[some]] = there[last]
            self._idle[rows[some]] = idle[last]
        age = np.maximum(1.0, (idle + _EPOCH) / _AGE_SHORT)
        late = age > 1.0
        growth = np.ones((n, k))
        if late.any():
            growth[late] = age[late, None] ** self._growth[row_of[late]]
        steady = (filters[:, 0] - expected) / (scale * growth)
        with np.errstate(invalid="ignore", divide="ignore"):
            usual = np.sqrt(self._track[rows] / self._track_mass[rows])
        usual = np.where(usual > 0, usual, np.nan)[batch.column_of]
        moving = _trend_error(filters) / usual
        drifting = self._drifting[row_of]
        mixed = np.sign(steady) * np.abs(steady) ** (1 - drifting) * np.abs(moving) ** drifting
        deviation = np.where(drifting > 0, mixed, steady)
        z = np.nan_to_num(np.clip(deviation, -_FARTHEST, _FARTHEST))
        whitener = self._whitener[row_of]
        gaps = np.flatnonzero((present == 0).any(axis=1))
        if len(gaps):
            # Only clear evidence of a value that is missing stands, and fades.
            clear = np.sign(z[gaps]) * np.maximum(np.abs(z[gaps]) - _CLEAR, 0.0) * there[gaps]
            z[gaps] = _completed(z[gaps], present[gaps] > 0, whitener[gaps])
            z[gaps] += np.where(present[gaps] > 0, 0.0, clear)
        deviation = np.where(present > 0, deviation, np.nan)
        white = np.zeros((n, k))
        for j in range(k):
            white += whitener[:, j] * z[:, j : j + 1]
        parts = white * white
        raw = np.zeros(n)
        for j in range(k):
            raw += parts[:, j]
        known = self._products[row_of] > 0
        return RawScores(np.where(known, raw, np.nan), parts, expected, deviation)

    def _filtered(self, batch: Batch, x: Floats, start: Floats) -> Floats:
        """(n, 3, k): F, its mean over 2 × smooth, and the mean of that, from their last values (m, 3, k)."""
        fast, mean, slow = (start[:, i].copy() for i in range(3))
        quick, half = 1 / self.smooth, 0.5 / self.smooth
        steps = batch.dense(x)
        out = np.empty((len(steps), len(batch.rows), 3, self.width))
        gaps = bool(np.isnan(steps).any())
        for i, values in enumerate(steps):  # a missing value (and the padding) leaves F as it is
            off = values - fast
            fast += quick * (np.where(np.isnan(values), 0.0, off) if gaps else off)
            mean += half * (fast - mean)
            slow += half * (mean - slow)
            out[i, :, 0], out[i, :, 1], out[i, :, 2] = fast, mean, slow
        return batch.flat(out)

    # -- learn

    def learn(self, batch: Batch) -> None:
        """Learn readings believed healthy."""
        into = self._learned[batch.row_of] % _EPOCH + batch.step_of
        epoch = into // _EPOCH
        for number in range(int(epoch.max(initial=-1)) + 1):
            self._learn_within(batch.select(epoch == number))
        self._idle[batch.rows[batch.counts > 0]] = 0

    def _learn_within(self, batch: Batch) -> None:
        """Learn readings that end, for each machine, at the latest with its running epoch."""
        batch = _occupied(batch)
        rows = batch.rows
        ends = batch.starts + batch.counts - 1
        x = self._bounded(batch)
        start = self._follow[rows]
        start = np.where(np.isnan(start), x[batch.starts][:, None], start)
        self._follow[rows] = self._filtered(batch, x, start)[ends]
        level, mass = self._level[rows], self._mass[rows]
        weight = 1 / np.array(self.memories)[:, None]
        steps = batch.dense(x)
        gaps = bool(np.isnan(steps).any())
        for values in steps:
            towards, gained = weight * (values[:, None] - level), weight * (1 - mass)
            if gaps:
                known = ~np.isnan(values)[:, None]
                towards, gained = np.where(known, towards, 0.0), np.where(known, gained, 0.0)
            level += towards
            mass += gained
        self._level[rows], self._mass[rows] = level, mass
        self._learned[rows] += batch.counts
        ended = self._learned[rows] % _EPOCH == 0
        self._end_epoch(rows[ended], x[ends[ended]])

    def _bounded(self, batch: Batch) -> Floats:
        """The values, each no farther from its forecast than can be believed."""
        scale = self._scale[batch.row_of]
        reach = self.bound * self.smooth * scale
        middle = self._forecast[batch.row_of]
        return np.where(scale > 0, np.clip(batch.x, middle - reach, middle + reach), batch.x)

    def _end_epoch(self, rows: Ints, x: Floats) -> None:
        if not len(rows):
            return
        with np.errstate(invalid="ignore", divide="ignore"):
            means = self._level[rows] / self._mass[rows]
        number = self._learned[rows] // _EPOCH
        fast = self._follow[rows, 0]
        for horizon, epochs in enumerate((_SHORT, _LONG)):
            before = self._past[rows, (number - epochs) % _KEPT]
            error = (fast[:, None] - before) ** 2
            self._sample(rows, horizon, np.where((number > epochs)[:, None, None], error, np.nan))
        trend = _trend_error(self._follow[rows]) ** 2
        trend = np.where((number > 4)[:, None], trend, np.nan)
        self._track[rows], self._track_mass[rows] = self._averaged(
            self._track[rows], self._track_mass[rows], trend
        )
        self._noise[rows], self._noise_mass[rows] = self._averaged(
            self._noise[rows], self._noise_mass[rows], (x - fast) ** 2
        )
        self._correlate(rows, fast)
        self._past[rows, number % _KEPT] = means
        self._conclude(rows, means)
        often = (self._products[rows] > 0) & ((number < 64) | (number % 8 == 0))
        if often.any():
            self._whiten(rows[often])

    def _sample(self, rows: Ints, horizon: int, error: Floats) -> None:
        total, mass = self._error[rows, horizon], self._error_mass[rows, horizon]
        self._error[rows, horizon], self._error_mass[rows, horizon] = self._averaged(total, mass, error)

    def _averaged(self, total: Floats, mass: Floats, error: Floats) -> tuple[Floats, Floats]:
        """Take squared errors into their running mean, total / mass; none beyond belief."""
        usual = np.where(mass > 0, total / np.where(mass > 0, mass, 1.0), np.inf)
        usual = np.where(usual > 0, usual, np.inf)
        enough = mass > 1 - (1 - 1 / self.forget) ** 4  # four samples: before that nothing is unusual
        error = np.where(enough, np.minimum(error, self.bound**2 * usual), error)
        known, weight = ~np.isnan(error), 1 / self.forget
        return (
            np.where(known, total + weight * (error - total), total),
            np.where(known, mass + weight * (1 - mass), mass),
        )

    def _correlate(self, rows: Ints, fast: Floats) -> None:
        """Add z zᵀ of the forecast as it stood, before it is renewed."""
        z = (fast - self._forecast[rows]) / self._scale[rows]
        known = np.isfinite(z).any(axis=1)
        rows, z = rows[known], np.nan_to_num(np.clip(z[known], -self.bound, self.bound))
        weight = 1 / self.forget
        product = z[:, :, None] * z[:, None, :]
        self._product[rows] += weight * (product - self._product[rows])
        self._products[rows] += weight * (1 - self._products[rows])

    def _conclude(self, rows: Ints, means: Floats) -> None:
        """Forecast, its usual error and how that grows, from the memories that forecast best."""
        mass = self._error_mass[rows]
        known = mass > 0
        error = np.where(known, self._error[rows] / np.where(known, mass, 1.0), np.nan)
        short, long = error[:, 0], error[:, 1]
        best = np.min(np.where(np.isnan(short), np.inf, short), axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(short > 0, best / short, 1.0)
        trust = np.where(np.isnan(short), 0.0, ratio * ratio * ratio * ratio)
        total = np.zeros_like(trust[:, 0])
        forecast, variance, far, far_trust = (np.zeros_like(total) for _ in range(4))
        for j in range(trust.shape[1]):
            total = total + trust[:, j]
            forecast = forecast + trust[:, j] * np.nan_to_num(means[:, j])
            variance = variance + trust[:, j] * np.nan_to_num(short[:, j])
            there = ~np.isnan(long[:, j])
            far = far + np.where(there, trust[:, j] * np.nan_to_num(long[:, j]), 0.0)
            far_trust = far_trust + np.where(there, trust[:, j], 0.0)
        some = total > 0
        safe = np.where(some, total, 1.0)
        variance = variance / safe
        self._forecast[rows] = np.where(some, forecast / safe, np.nan)
        self._scale[rows] = np.where(some & (variance > 0), np.sqrt(variance), np.nan)
        far = far / np.where(far_trust > 0, far_trust, 1.0)
        usable = (far_trust > 0) & (variance > 0) & (far > 0)
        ratio = np.where(usable, far / np.where(variance > 0, variance, 1.0), 1.0)
        hurst = 0.5 * np.log(np.where(ratio > 0, ratio, 1.0)) / np.log(_AGE_LONG / _AGE_SHORT)
        # A level that moves less than single readings scatter is steady, as far as anyone can tell.
        noise = self._noise[rows] / np.where(self._noise_mass[rows] > 0, self._noise_mass[rows], 1.0)
        visible = np.clip(np.sqrt(far / np.where(noise > 0, noise, np.inf)) - _VISIBLE, 0.0, 1.0)
        self._growth[rows] = np.where(usable, np.clip(hurst * visible, _LEAST_GROWTH, 1.0), 0.5)
        self._drifting[rows] = np.where(
            usable, np.clip((hurst - _WANDERS) / _WANDERS_RANGE, 0.0, 1.0) * visible, 0.0
        )

    def _whiten(self, rows: Ints) -> None:
        """C^(−½) of each row: principal directions by their own variance, the others by their mean one."""
        k = self.width
        mass = self._products[rows]
        cov = self._product[rows] / mass[:, None, None]
        # Samples that count: two epochs' errors still resemble each other.
        samples = np.minimum(self._learned[rows] / _EPOCH, 2 * self.forget) / 2
        shrink = (k / (k + samples))[:, None, None]
        own = np.maximum(cov[:, range(k), range(k)], 0.25)
        target = np.zeros_like(cov)
        target[:, range(k), range(k)] = own
        values, vectors = np.linalg.eigh((1 - shrink) * cov + shrink * target)
        values = np.maximum(values[:, ::-1], 0.05)
        vectors = vectors[:, :, ::-1]
        share = np.cumsum(values, axis=1)
        inside = share - values < self.explained * share[:, -1:]
        outside = np.sum(~inside, axis=1)
        rest = np.sum(np.where(inside, 0.0, values), axis=1) / np.maximum(outside, 1)
        values = np.where(inside, values, rest[:, None])
        white = np.zeros((len(rows), k, k))
        for i in range(k):
            v = vectors[:, :, i]
            white += v[:, :, None] * v[:, None, :] / np.sqrt(values[:, i])[:, None, None]
        self._whitener[rows] = white

    # -- rows

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        for name in self._names:
            setattr(self, name, grown(getattr(self, name), capacity))

    def reset(self, row: int, seed: int) -> None:
        """Forget everything about ``row``."""
        for name in self._names:
            getattr(self, name)[row] = 0
        for array in (self._filter, self._follow, self._past, self._forecast, self._scale):
            array[row] = np.nan
        self._there[row] = 1

    def dump(self, row: int) -> State:
        """All of it: filters, models, and what follows from them."""
        return {name: getattr(self, name)[row : row + 1].copy() for name in self._names}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when sensors or parameters differ."""
        for name in self._names:
            if state[name].shape[1:] != getattr(self, name).shape[1:]:
                raise ValueError(
                    f"saved {name} is {state[name].shape[1:]}, not {getattr(self, name).shape[1:]}: "
                    "the sensors or mspc's memories were changed"
                )
        for name in self._names:
            getattr(self, name)[row] = state[name][0]


def _completed(z: Floats, known: Bools, whitener: Floats) -> Floats:
    """``z`` (n, k) with what is not ``known`` set to what the rest makes likeliest (Gauss & Seidel's way)."""
    n, k = z.shape
    precision = np.zeros((n, k, k))
    for j in range(k):
        precision += whitener[:, :, j : j + 1] * whitener[:, j : j + 1, :]
    z = np.where(known, z, 0.0)
    for _ in range(_SWEEPS):
        for j in range(k):
            rest = np.zeros(n)
            for i in range(k):
                if i != j:
                    rest += precision[:, j, i] * z[:, i]
            own = precision[:, j, j]
            z[:, j] = np.where(known[:, j] | (own <= 0), z[:, j], -rest / np.where(own > 0, own, 1.0))
    return z


def _trend_error(filters: Floats) -> Floats:
    """F against its latest trend: Brown's double exponential smoothing of filters (n, 3, k)."""
    return filters[:, 0] - (2 * filters[:, 1] - filters[:, 2])


def _occupied(batch: Batch) -> Batch:
    there: Bools = batch.counts > 0
    if there.all():
        return batch
    return Batch(batch.rows[there], batch.counts[there], batch.time, batch.x)
