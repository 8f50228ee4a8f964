"""Time until a machine's health reaches its threshold, with an interval, from the trend (ISO 13381-1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np

from detectors.batch import Batch, Floats, Ints
from detectors.compiled import compiled
from detectors.table import Column, KernelTable

_HOUR = 3_600_000.0
#: Values (each the mean health of some readings) that a trend remembers; one trend a memory.
_MEMORIES = np.array([8.0, 24.0, 72.0, 216.0])
_JUDGE = 1  # the memory whose errors say how noisy health is
_LINES = (len(_MEMORIES),)
_KEEP = 1.0 - 1.0 / _MEMORIES
_FADE = 1.0 - 1.0 / 48.0  # of what is known of the noise
_LEAST_NOISE = 0.25  # health points squared: even a health that stands still is not known better
_AS_NEW = 103.0  # damage is told from here, so that its logarithm is known at full health too
_NEARLY_NEW = 95.0  # health from which on a trend is not worth telling
#: Steps ahead at which a band is looked at.
_AHEAD = np.geomspace(0.1, 1e5, 120)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrognosisResult:
    """The prognosis of fleet row ``row`` after reading ``index`` of the batch, at event time ``time`` (ms).

    ``remaining`` and its 90 % interval ``low`` .. ``high`` in hours; all None when there is no downward
    trend that reaches ``threshold`` within the horizon, or the trend has reached it: a machine that runs on
    has more than no time left; ``high`` alone is None when the trend may also end.
    """

    row: int
    index: int
    time: int
    health: float
    threshold: float
    remaining: float | None
    low: float | None
    high: float | None


class _Trends(NamedTuple):
    seen: Annotated[Ints, Column((), 0)]
    sum: Annotated[Floats, Column()]
    number: Annotated[Floats, Column()]
    last: Annotated[Ints, Column((), -1)]
    step: Annotated[Floats, Column()]  # usual time between two values, ms
    values: Annotated[Ints, Column((), 0)]
    # weighted sums about the latest value's time, in steps: 1, t, t²; y, t·y of both sets
    one: Annotated[Floats, Column(_LINES)]
    t: Annotated[Floats, Column(_LINES)]
    tt: Annotated[Floats, Column(_LINES)]
    y: Annotated[Floats, Column((2, *_LINES))]
    ty: Annotated[Floats, Column((2, *_LINES))]
    # … and with squared weights: 1, t, t²
    one2: Annotated[Floats, Column(_LINES)]
    t2: Annotated[Floats, Column(_LINES)]
    tt2: Annotated[Floats, Column(_LINES)]
    # errors of prediction: squares, products of neighbours, weight, the last one
    square: Annotated[Floats, Column((2,))]
    product: Annotated[Floats, Column((2,))]
    weight: Annotated[Floats, Column()]
    error: Annotated[Floats, Column((2,))]


class FleetPrognosis(KernelTable[_Trends]):
    """Follows each machine's health with straight lines, and extrapolates those that still hold.

    The mean health over each ``every`` readings goes into lines fitted with different memories. The
    longest memory speaks whose level and slope agree with all shorter ones (Lepski 1991): a steady trend
    is measured over its whole length, one that bends over its latest part. The noise, and how much it
    resembles itself from value to value, is taken from the errors of predicting the next value.

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
        super().__init__(_Trends)
        self.threshold, self.every, self.horizon = threshold, every, horizon
        self.margin, self.bend = margin, bend

    def update(self, batch: Batch, health: Floats) -> list[PrognosisResult]:
        """Take in health (n,); one result for each ``every``-th reading of a machine."""
        size = len(batch) // self.every + len(batch.rows)
        at, told = np.empty((2, size), dtype=np.int64), np.empty((size, 3))
        many = _update(
            self.columns,
            batch.rows,
            batch.starts,
            batch.counts,
            batch.time,
            health,
            self.every,
            (self.threshold, self.horizon, self.margin, self.bend),
            at,
            told,
        )
        return [
            PrognosisResult(
                row=row,
                index=index,
                time=int(batch.time[index]),
                health=float(health[index]),
                threshold=self.threshold,
                remaining=remaining if remaining > 0.0 else None,
                low=low if remaining > 0.0 else None,
                high=high if remaining > 0.0 and high <= self.horizon else None,
            )
            for (row, index), (remaining, low, high) in zip(
                at[:, :many].T.tolist(), told[:many].tolist(), strict=True
            )
        ]


@compiled
def _update(
    of: _Trends,
    rows: Ints,
    starts: Ints,
    counts: Ints,
    time: Ints,
    health: Floats,
    every: int,
    how: tuple[float, float, float, float],
    at: Ints,
    told: Floats,
) -> int:
    """Fill in rows and indices ``at``, what is ``told`` of them (remaining, low, high), and say how many."""
    seen, total, number = of.seen, of.sum, of.number
    many = 0
    for m in range(len(rows)):
        row = rows[m]
        for i in range(starts[m], starts[m] + counts[m]):
            if not np.isnan(health[i]):
                total[row] += health[i]
                number[row] += 1.0
            seen[row] += 1
            if seen[row] % every == 0 and number[row] > 0:
                _follow(of, row, time[i], total[row] / number[row])
                at[0, many], at[1, many] = row, i
                told[many, 0], told[many, 1], told[many, 2] = _tell(of, row, how)
                total[row] = number[row] = 0.0
                many += 1
    return many


@compiled
def _value(health: float, which: int) -> float:
    """What the lines of a set follow: health (0), or damage as a logarithm that falls as health does (1).

    The logarithm has about the units of health.
    """
    return -30.0 * np.log(_AS_NEW - health) if which else health


@compiled
def _follow(of: _Trends, row: int, time: int, health: float) -> None:
    """Put the next value of ``row`` into its lines."""
    dt = max(1.0, float(time - of.last[row]))
    step = of.step[row]
    if of.values[row] == 1:
        step = dt
    elif of.values[row] > 1:
        step += (min(dt, 8.0 * step) - step) / 16.0
    u = min(max(dt / max(step, 1.0), 0.05), 50.0) if of.values[row] > 0 else 0.0
    _judge(of, row, u, health)
    for j in range(len(_KEEP)):
        keep = _KEEP[j]
        _shift(of.one[row], of.t[row], of.tt[row], j, keep, u)
        _shift(of.one2[row], of.t2[row], of.tt2[row], j, keep * keep, u)
        for which in range(2):
            y = of.y[row, which, j] * keep
            of.ty[row, which, j] = of.ty[row, which, j] * keep - u * y
            of.y[row, which, j] = y + _value(health, which)
    of.step[row] = step
    of.last[row] = time
    of.values[row] += 1


@compiled
def _shift(one: Floats, t: Floats, tt: Floats, j: int, keep: float, u: float) -> None:
    """Let the weights fade, and move the origin of time on by ``u``, where the next value is."""
    w, wt = one[j] * keep, t[j] * keep
    tt[j] = tt[j] * keep - 2.0 * u * wt + u * u * w
    t[j] = wt - u * w
    one[j] = w + 1.0


@compiled
def _judge(of: _Trends, row: int, ahead: float, health: float) -> None:
    """Errors of the lines of the judging memory in predicting ``health``."""
    known = of.values[row] >= 3
    level_var, cross, slope_var = _doubt(of, row, _JUDGE)
    doubt = level_var + 2.0 * ahead * cross + ahead * ahead * slope_var
    for which in range(2):
        error = 0.0
        if known:
            level, slope = _line(of, row, which, _JUDGE)
            error = (_value(health, which) - level - slope * ahead) / np.sqrt(1.0 + max(doubt, 0.0))
        of.square[row, which] = of.square[row, which] * _FADE + error * error
        of.product[row, which] = of.product[row, which] * _FADE + error * of.error[row, which]
        of.error[row, which] = error
    of.weight[row] = of.weight[row] * _FADE + (1.0 if known else 0.0)


@compiled
def _line(of: _Trends, row: int, which: int, j: int) -> tuple[float, float]:
    """Level and slope of a set's line of memory ``j``."""
    w, t, tt = of.one[row, j], of.t[row, j], of.tt[row, j]
    y, ty = of.y[row, which, j], of.ty[row, which, j]
    size = w * tt - t * t
    return (tt * y - t * ty) / size, (w * ty - t * y) / size


@compiled
def _doubt(of: _Trends, row: int, j: int) -> tuple[float, float, float]:
    """Variances of level and slope of memory ``j``, in units of the noise; the covariance between."""
    w, t, tt = of.one[row, j], of.t[row, j], of.tt[row, j]
    w2, t2, tt2 = of.one2[row, j], of.t2[row, j], of.tt2[row, j]
    size = w * tt - t * t
    square = size * size
    return (
        (tt * tt * w2 - 2.0 * tt * t * t2 + t * t * tt2) / square,
        (tt * w * t2 - tt * t * w2 - t * w * tt2 + t * t * t2) / square,
        (w * w * tt2 - 2.0 * w * t * t2 + t * t * w2) / square,
    )


class _Trend(NamedTuple):
    """The line of a set that speaks: less the threshold, with variances."""

    above: float
    slope: float
    level_var: float
    cross: float
    slope_var: float


@compiled
def _tell(of: _Trends, row: int, how: tuple[float, float, float, float]) -> tuple[float, float, float]:
    """Hours that remain, and the interval's edges; NaN = no trend is worth telling."""
    threshold, horizon, margin, bend = how
    even, growing = _speaks(of, row, 0, threshold), _speaks(of, row, 1, threshold)
    falling = growing.slope + 2.0 * np.sqrt(growing.slope_var) < 0.0 and even.slope < 0.0  # beyond doubt
    if not (falling and of.values[row] >= 6 and even.above + threshold < _NEARLY_NEW):
        return np.nan, np.nan, np.nan
    hours = of.step[row] / _HOUR
    steps = max(0.0, even.above) / -even.slope * (max(0.0, growing.above) / -growing.slope)
    remaining = np.sqrt(steps) * hours
    if not remaining <= horizon:
        return np.nan, np.nan, np.nan
    low, high = _edge(growing, -margin, 0.0) * hours, _edge(even, margin, bend) * hours
    return remaining, min(low, remaining), max(high, remaining)


@compiled
def _speaks(of: _Trends, row: int, which: int, threshold: float) -> _Trend:
    """The longest memory of a set whose line agrees with those of all shorter ones."""
    alike = min(max(of.product[row, which] / max(of.square[row, which], 1e-12), 0.3), 0.9)
    noise = max(_LEAST_NOISE, of.square[row, which] / max(of.weight[row], 1e-9))
    noise *= (1.0 + alike) / (1.0 - alike)
    best = 0
    while best + 1 < len(_MEMORIES) and _agrees(of, row, which, best + 1, noise):
        best += 1
    level, slope = _line(of, row, which, best)
    level_var, cross, slope_var = _doubt(of, row, best)
    return _Trend(
        level - _value(threshold, which), slope, level_var * noise, cross * noise, slope_var * noise
    )


@compiled
def _agrees(of: _Trends, row: int, which: int, longer: int, noise: float) -> bool:
    """Whether the line of a memory agrees with those of all shorter ones."""
    level, slope = _line(of, row, which, longer)
    for j in range(longer):
        other_level, other_slope = _line(of, row, which, j)
        level_var, _, slope_var = _doubt(of, row, j)
        if abs(level - other_level) > np.sqrt(level_var * noise):
            return False
        if abs(slope - other_slope) > np.sqrt(slope_var * noise):
            return False
    return True


@compiled
def _edge(trend: _Trend, margin: float, bend: float) -> float:
    """Steps until the edge of the band crosses that is ``margin`` standard deviations off; inf = never."""
    above = before = 0.0
    for i in range(len(_AHEAD)):
        ahead = _AHEAD[i]
        variance = trend.level_var + 2.0 * trend.cross * ahead + trend.slope_var * (ahead * ahead)
        line = trend.above + (1.0 - bend) * trend.slope * ahead
        band = line + margin * np.sqrt(max(variance, 0.0))
        if band <= 0.0:
            return before + above / (above - band) * (ahead - before) if i else 0.0
        above, before = band, ahead
    return np.inf
