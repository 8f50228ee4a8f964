"""Time until a machine's health reaches its threshold, with an interval, from the trend (ISO 13381-1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.batch import Batch, Bools, Floats, Ints
from detectors.table import Column, FleetTable

_HOUR = 3_600_000.0
#: Values (each the mean health of some readings) that a trend remembers; one trend a memory.
_MEMORIES = np.array([8.0, 24.0, 72.0, 216.0])
_JUDGE = 1  # the memory whose errors say how noisy health is
_KEEP = 1.0 - 1.0 / _MEMORIES
_FADE = 1.0 - 1.0 / 48.0  # of what is known of the noise
_LEAST_NOISE = 0.25  # health points squared: even a health that stands still is not known better
_AS_NEW = 103.0  # damage is told from here, so that its logarithm is known at full health too
_NEARLY_NEW = 95.0  # health from which on a trend is not worth telling
#: Steps ahead at which a band is looked at.
_AHEAD = np.geomspace(0.1, 1e5, 120)


@dataclass(frozen=True, slots=True)
class PrognosisResult:
    """The prognosis of fleet row ``row`` after reading ``index`` of the batch, at event time ``time`` (ms).

    ``remaining`` and its 90 % interval ``low`` .. ``high`` in hours; all None when there is no downward
    trend that reaches ``threshold`` within the horizon; ``high`` alone is None when the trend may also end.
    """

    row: int
    index: int
    time: int
    health: float
    threshold: float
    remaining: float | None
    low: float | None
    high: float | None


class FleetPrognosis(FleetTable):
    """Follows each machine's health with straight lines, and extrapolates those that still hold.

    The mean health over each ``every`` readings goes into lines fitted with different memories. The
    longest memory speaks whose level and slope agree with all shorter ones (Lepski 1991): a steady trend
    is measured over its whole length, one that bends over its latest part. The noise, and how much it
    resembles itself from value to value, is taken from the errors of foretelling the next value.

    There are two such sets. Of health itself: wear that goes on evenly. Of the logarithm of damage: wear
    that grows in proportion to itself, as cracks and spalls do. Most real wear is between them. So the
    prognosis is the geometric mean of when the two lines cross ``threshold``; its interval runs from when
    the lower edge of the second one's band does to when the upper edge of the first one's does, its slope
    taken flatter by the share ``bend``. None is given while a machine is nearly as new, and unless damage
    grows beyond doubt.

    ``margin`` (standard deviations) and ``bend`` are set so that the interval holds the truth in 90 % of
    simulated lives; benchmarks/prognosis_coverage.py measures that on others.
    """

    def __init__(
        self,
        threshold: float = 30.0,
        every: int = 32,
        horizon: float = 8760.0,
        margin: float = 1.64,
        bend: float = 0.15,
    ) -> None:
        lines = (len(_MEMORIES),)
        super().__init__(
            {
                "count": Column((), 0),
                "sum": Column((), 0.0),
                "number": Column((), 0.0),
                "last": Column((), -1),
                "step": Column((), 0.0),  # usual time between two values, ms
                "values": Column((), 0),
                # weighted sums about the latest value's time, in steps: 1, t, t²; y, t·y of both sets
                "one": Column(lines, 0.0),
                "t": Column(lines, 0.0),
                "tt": Column(lines, 0.0),
                "y": Column((2, *lines), 0.0),
                "ty": Column((2, *lines), 0.0),
                # … and with squared weights: 1, t, t²
                "one2": Column(lines, 0.0),
                "t2": Column(lines, 0.0),
                "tt2": Column(lines, 0.0),
                # errors of foretelling: squares, products of neighbours, weight, the last one
                "square": Column((2,), 0.0),
                "product": Column((2,), 0.0),
                "weight": Column((), 0.0),
                "error": Column((2,), 0.0),
            }
        )
        self.threshold, self.every, self.horizon = threshold, every, horizon
        self.margin, self.bend = margin, bend

    def update(self, batch: Batch, health: Floats) -> list[PrognosisResult]:
        """Take in health (n,); one result for each ``every``-th reading of a machine."""
        into = self["count"][batch.row_of] % self.every + batch.step_of
        turn = into // self.every
        ends = into % self.every == self.every - 1
        known = ~np.isnan(health)
        results: list[PrognosisResult] = []
        for one in range(int(turn.max(initial=-1)) + 1):
            here = turn == one
            rows = batch.row_of[here & known]
            np.add.at(self["sum"], rows, health[here & known])  # one after the other: same bits in any split
            np.add.at(self["number"], rows, 1.0)
            at = np.flatnonzero(here & ends)
            rows = batch.row_of[at]
            some = self["number"][rows] > 0
            at, rows = at[some], rows[some]
            if len(at):
                self._follow(rows, batch.time[at], _both(self["sum"][rows] / self["number"][rows]))
                results += self._tell(rows, at, batch.time[at], health[at])
                self["sum"][rows] = 0.0
                self["number"][rows] = 0.0
        self["count"][batch.rows] += batch.counts
        results.sort(key=lambda result: result.index)
        return results

    def _follow(self, rows: Ints, time: Ints, value: Floats) -> None:
        """Put the next value (r, 2) of ``rows`` into their lines."""
        values, step = self["values"][rows], self["step"][rows]
        dt = np.maximum(1.0, (time - self["last"][rows]).astype(float))
        later = step + (np.minimum(dt, 8.0 * step) - step) / 16.0
        step = np.where(values > 1, later, np.where(values == 1, dt, step))
        u = np.where(values > 0, np.clip(dt / np.maximum(step, 1.0), 0.05, 50.0), 0.0)[:, None]
        self._judge(rows, values, u, value)
        for one, t, tt, keep in (("one", "t", "tt", _KEEP), ("one2", "t2", "tt2", _KEEP * _KEEP)):
            w, wt = self[one][rows] * keep, self[t][rows] * keep
            self[tt][rows] = self[tt][rows] * keep - 2.0 * u * wt + u * u * w
            self[t][rows] = wt - u * w
            self[one][rows] = w + 1.0
        y = self["y"][rows] * _KEEP
        self["ty"][rows] = self["ty"][rows] * _KEEP - u[:, None] * y
        self["y"][rows] = y + value[:, :, None]
        self["step"][rows] = step
        self["last"][rows] = time
        self["values"][rows] += 1

    def _judge(self, rows: Ints, values: Ints, ahead: Floats, value: Floats) -> None:
        """How far off the lines of the judging memory were in foretelling ``value`` (r, 2)."""
        lines = self._lines(rows)
        error = value - lines.level[:, :, _JUDGE] - lines.slope[:, :, _JUDGE] * ahead
        doubt = lines.variance(ahead)[:, _JUDGE]
        known = (values >= 3)[:, None]
        error = np.where(known, error / np.sqrt(1.0 + np.maximum(doubt, 0.0))[:, None], 0.0)
        self["square"][rows] = self["square"][rows] * _FADE + error * error
        self["product"][rows] = self["product"][rows] * _FADE + error * self["error"][rows]
        self["weight"][rows] = self["weight"][rows] * _FADE + known[:, 0]
        self["error"][rows] = error

    def _lines(self, rows: Ints) -> _Lines:
        w, t, tt = self["one"][rows], self["t"][rows], self["tt"][rows]
        w2, t2, tt2 = self["one2"][rows], self["t2"][rows], self["tt2"][rows]
        y, ty = self["y"][rows], self["ty"][rows]
        size = w * tt - t * t
        with np.errstate(divide="ignore", invalid="ignore"):
            square = size * size
            return _Lines(
                level=(tt[:, None] * y - t[:, None] * ty) / size[:, None],
                slope=(w[:, None] * ty - t[:, None] * y) / size[:, None],
                level_var=(tt * tt * w2 - 2.0 * tt * t * t2 + t * t * tt2) / square,
                cross=(tt * w * t2 - tt * t * w2 - t * w * tt2 + t * t * t2) / square,
                slope_var=(w * w * tt2 - 2.0 * w * t * t2 + t * t * w2) / square,
            )

    def _tell(self, rows: Ints, at: Ints, time: Ints, health: Floats) -> list[PrognosisResult]:
        lines = self._lines(rows)
        weight = np.maximum(self["weight"][rows], 1e-9)[:, None]
        alike = np.clip(self["product"][rows] / np.maximum(self["square"][rows], 1e-12), 0.3, 0.9)
        noise = np.maximum(_LEAST_NOISE, self["square"][rows] / weight) * (1.0 + alike) / (1.0 - alike)
        even, growing = (_Trend.of(lines, noise, one, self.threshold) for one in (0, 1))
        hours = self["step"][rows] / _HOUR
        with np.errstate(divide="ignore", invalid="ignore"):
            remaining = np.sqrt(even.steps() * growing.steps()) * hours
        told = growing.falling() & (even.slope < 0.0) & (self["values"][rows] >= 6)
        told &= (remaining <= self.horizon) & (even.above + self.threshold < _NEARLY_NEW)
        low, high = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        if told.any():
            low[told] = growing.some(told).edge(-self.margin, 0.0) * hours[told]
            high[told] = even.some(told).edge(self.margin, self.bend) * hours[told]
            low, high = np.minimum(low, remaining), np.maximum(high, remaining)
        return [
            PrognosisResult(
                int(rows[i]),
                int(at[i]),
                int(time[i]),
                float(health[i]),
                self.threshold,
                float(remaining[i]) if told[i] else None,
                float(low[i]) if told[i] else None,
                float(high[i]) if told[i] and high[i] <= self.horizon else None,
            )
            for i in range(len(rows))
        ]


def _both(health: Floats) -> Floats:
    """(r, 2) health, and damage as a logarithm that falls as health does and has about its units."""
    return np.stack((health, -30.0 * np.log(_AS_NEW - health)), axis=1)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Level and slope (r, 2, m) of both sets; their (co)variances (r, m) in units of the noise."""

    level: Floats
    slope: Floats
    level_var: Floats
    cross: Floats
    slope_var: Floats

    def variance(self, ahead: Floats) -> Floats:
        """(r, m) of the lines ``ahead`` (r, 1) steps on."""
        return self.level_var + 2.0 * ahead * self.cross + ahead * ahead * self.slope_var


@dataclass(frozen=True, slots=True)
class _Trend:
    """The line of a set that speaks, (r,) each: less the threshold, with variances."""

    above: Floats
    slope: Floats
    level_var: Floats
    cross: Floats
    slope_var: Floats

    @classmethod
    def of(cls, lines: _Lines, noise: Floats, which: int, threshold: float) -> _Trend:
        """The longest memory that agrees with all shorter ones."""
        level, slope, own = lines.level[:, which], lines.slope[:, which], noise[:, which]
        best = _agreeing(level, slope, lines.level_var * own[:, None], lines.slope_var * own[:, None])
        pick = (np.arange(len(best)), best)
        goal = float(_both(np.array([threshold]))[0, which])
        return cls(
            level[pick] - goal,
            slope[pick],
            lines.level_var[pick] * own,
            lines.cross[pick] * own,
            lines.slope_var[pick] * own,
        )

    def some(self, keep: Bools) -> _Trend:
        """Those of some machines."""
        return _Trend(
            self.above[keep], self.slope[keep], self.level_var[keep], self.cross[keep], self.slope_var[keep]
        )

    def falling(self) -> Bools:
        """Whether the slope is downward beyond doubt."""
        found: Bools = self.slope + 2.0 * np.sqrt(self.slope_var) < 0.0
        return found

    def steps(self) -> Floats:
        """Steps until the line crosses."""
        return np.maximum(0.0, self.above) / -self.slope

    def edge(self, margin: float, bend: float) -> Floats:
        """Steps until the edge of the band crosses that is ``margin`` standard deviations off."""
        variance = self.level_var[:, None] + 2.0 * self.cross[:, None] * _AHEAD
        variance = variance + self.slope_var[:, None] * _AHEAD**2
        line = self.above[:, None] + (1.0 - bend) * self.slope[:, None] * _AHEAD
        return _crossing(line + margin * np.sqrt(np.maximum(variance, 0.0)), 0.0)


def _agreeing(level: Floats, slope: Floats, level_var: Floats, slope_var: Floats) -> Ints:
    """(r,) the longest memory whose line agrees with those of all shorter ones."""
    best = np.zeros(len(level), dtype=np.int64)
    going = np.ones(len(level), dtype=bool)
    for longer in range(1, level.shape[1]):
        for shorter in range(longer):
            off_level = np.abs(level[:, longer] - level[:, shorter]) > np.sqrt(level_var[:, shorter])
            off_slope = np.abs(slope[:, longer] - slope[:, shorter]) > np.sqrt(slope_var[:, shorter])
            going &= ~(off_level | off_slope)
        best[going] = longer
    return best


def _crossing(band: Floats, threshold: float) -> Floats:
    """(r,) steps until ``band`` (r, len(_AHEAD)) is at or under ``threshold``; inf = never.

    >>> _crossing(np.array([100.0 - _AHEAD, 0 * _AHEAD, 0 * _AHEAD + 50]), 30.0).round(3).tolist()
    [70.0, 0.0, inf]
    """
    under = band <= threshold
    first = np.argmax(under, axis=1)
    at = np.arange(len(band))
    before = np.maximum(first - 1, 0)
    above, below = band[at, before] - threshold, threshold - band[at, first]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(first > 0, above / (above + below), 1.0)
    steps = _AHEAD[before] + part * (_AHEAD[first] - _AHEAD[before])
    steps = np.where(first > 0, steps, 0.0)
    found: Floats = np.where(under.any(axis=1), steps, np.inf)
    return found
