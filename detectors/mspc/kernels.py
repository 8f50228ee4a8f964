"""The kernels of `detectors.mspc`: its score, and what it learns from a reading and from an epoch of them."""

from __future__ import annotations

from math import isfinite, isnan, log, nan, sqrt
from typing import Annotated, NamedTuple

import numpy as np

from detectors.batch import Bools, Floats, Ints
from detectors.compiled import compiled
from detectors.table import Column

#: Readings to an epoch: once in an epoch the model takes a sample of its own forecast errors.
EPOCH = 8
#: Epochs between a forecast and the sample of its error: short as in use, and long.
_SHORT, _LONG = 3, 13
_AGE_SHORT, _AGE_LONG = EPOCH * _SHORT, EPOCH * _LONG
_KEPT = 16
# A sensor wanders when its forecast's error grows with at least this power of the forecast's age, fully
# so at twice more, and by more than half the scatter of single readings.
_WANDERS, _WANDERS_RANGE, _VISIBLE = 0.1, 0.2, 0.5
_LEAST_GROWTH = 0.2
_FARTHEST = 40.0
#: The mean fourth power of a standard normal variable; how many bounds far a deviation counts in it.
_NORMAL, _FAR = 3.0, 4.0
_CLEAR = 4.0
_SWEEPS = 4
_NAN = float("nan")


class Params(NamedTuple):
    """The parameters of `detectors.mspc.detector.FleetMspc`, with 1 / memories as ``weights``."""

    smooth: float
    weights: Floats
    forget: float
    explained: float
    bound: float
    few: float  # the mass of as many samples as it takes to know what is usual


class Filters(NamedTuple):
    """Advanced by `score`."""

    filter: Annotated[Floats, Column((3, "k"), _NAN)]  # F, its mean, and the mean's mean
    there: Annotated[Floats, Column(("k",), 1.0)]  # how far each sensor was there of late, 0 .. 1
    idle: Annotated[Ints, Column((), 0)]  # readings scored since something was learned


class Models(NamedTuple):
    """Advanced by `learn`."""

    learned: Annotated[Ints, Column((), 0)]
    follow: Annotated[Floats, Column((3, "k"), _NAN)]  # as Filters.filter, over what is learned
    level: Annotated[Floats, Column(("j", "k"))]  # sums of the means …
    mass: Annotated[Floats, Column(("j", "k"))]  # … and their weights: a mean is level / mass
    past: Annotated[Floats, Column((_KEPT, "j", "k"), _NAN)]  # means at the ends of the latest epochs
    error: Annotated[Floats, Column((2, "j", "k"))]  # squared forecast errors, short and long: sums …
    error_mass: Annotated[Floats, Column((2, "j", "k"))]  # … and weights
    noise: Annotated[Floats, Column(("k",))]  # squared distances of single readings from F
    noise_mass: Annotated[Floats, Column(("k",))]
    product: Annotated[Floats, Column(("k", "k"))]  # z zᵀ
    fourth: Annotated[Floats, Column(("k",))]  # fourth powers of deviations


class Conclusions(NamedTuple):
    """What `learn` found that `score` needs."""

    forecast: Annotated[Floats, Column(("k",), _NAN)]
    scale: Annotated[Floats, Column(("k",), _NAN)]
    growth: Annotated[Floats, Column(("k",))]
    drifting: Annotated[Floats, Column(("k",))]  # how much of a wanderer each sensor is, 0 .. 1
    track: Annotated[Floats, Column(("k",))]  # squared errors of following the latest trend: sums …
    track_mass: Annotated[Floats, Column(("k",))]  # … and weights
    slow: Annotated[Floats, Column(("k",))]  # squared errors of F's mean against the forecast, likewise
    slow_mass: Annotated[Floats, Column(("k",))]
    tail: Annotated[Floats, Column(("k",), 1.0)]  # how much farther than a normal variable's z strays
    whitener: Annotated[Floats, Column(("k", "k"))]
    products: Annotated[Floats, Column((), 0.0)]  # the weight of Models.product and .fourth


# -- score


@compiled
def score(
    params: Params, filters: Filters, found: Conclusions, rows: Ints, counts: Ints, x: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Raw scores (n,), contributions, expected values and deviations (n, k) of readings ``x`` (n, k)."""
    n, k = x.shape
    raw, parts, expected, deviation = np.empty(n), np.empty((n, k)), np.empty((n, k)), np.empty((n, k))
    z, white, usual, slow = np.empty(k), np.empty(k), np.empty(k), np.empty(k)
    known, precision = np.empty(k, dtype=np.bool_), np.empty((k, k))
    all_filter, all_there, idle = filters.filter, filters.there, filters.idle
    all_forecast, all_scale, all_growth = found.forecast, found.scale, found.growth
    all_drifting, track, track_mass, all_tail = found.drifting, found.track, found.track_mass, found.tail
    slow_sum, slow_mass = found.slow, found.slow_mass
    all_whitener, products = found.whitener, found.products
    weight = 0.25 / params.smooth
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        filtered, there, whitener = all_filter[row], all_there[row], all_whitener[row]
        forecast, scale, growth, drifting, tail = (
            all_forecast[row], all_scale[row], all_growth[row], all_drifting[row], all_tail[row],
        )  # fmt: skip
        for c in range(k):
            usual[c] = sqrt(track[row, c] / track_mass[row, c])
            slow[c] = sqrt(slow_sum[row, c] / slow_mass[row, c])
            for f in range(3):
                if isnan(filtered[f, c]):  # a filter starts at the forecast, not at 0
                    filtered[f, c] = forecast[c]
        whole = False  # whether `precision` is this machine's
        for i in range(start, stop):
            idle[row] += 1
            age = (idle[row] + EPOCH) / _AGE_SHORT
            complete = True
            for c in range(k):
                value = _within(x[i, c], forecast[c], _FARTHEST * scale[c])
                known[c] = not isnan(value)
                complete &= known[c]
                there[c] = weight * known[c] + (1.0 - weight) * there[c]
                _smooth(filtered, c, value, params.smooth)
                ageing = age ** growth[c] if age > 1.0 else 1.0
                off = _deviation(
                    filtered, c, forecast[c], scale[c] * ageing, slow[c] * ageing, drifting[c], usual[c]
                )
                off /= tail[c]
                expected[i, c] = forecast[c]
                deviation[i, c] = off if known[c] else nan
                z[c] = 0.0 if isnan(off) else min(max(off, -_FARTHEST), _FARTHEST)
            if not complete:
                if not whole:
                    _square(whitener, precision)
                    whole = True
                _complete(z, known, there, precision)
            white[:] = 0.0
            for j in range(k):
                for c in range(k):
                    white[c] += whitener[j, c] * z[j]
            total = 0.0
            for c in range(k):
                total += white[c] * white[c]
                parts[i, c] = white[c] * white[c] if known[c] else 0.0
            raw[i] = total if products[row] > 0.0 else nan
    return raw, parts, expected, deviation


@compiled
def _within(value: float, middle: float, reach: float) -> float:
    """``value``, no farther from ``middle`` than ``reach``, where there is one."""
    if reach > 0.0:
        if value < middle - reach:
            return middle - reach
        if value > middle + reach:
            return middle + reach
    return value


@compiled
def _smooth(filtered: Floats, c: int, value: float, smooth: float) -> None:
    """Advance sensor ``c``'s F, its mean over 2 × smooth, and the mean of that (3, k) by a reading."""
    half = 0.5 / smooth
    if not isnan(value):  # one that is missing leaves F as it is
        filtered[0, c] += 1.0 / smooth * (value - filtered[0, c])
    filtered[1, c] += half * (filtered[0, c] - filtered[1, c])
    filtered[2, c] += half * (filtered[1, c] - filtered[2, c])


@compiled
def _trend_error(filtered: Floats, c: int) -> float:
    """F of sensor ``c`` against its latest trend: Brown's double exponential smoothing."""
    error: float = filtered[0, c] - (2.0 * filtered[1, c] - filtered[2, c])
    return error


@compiled
def _deviation(
    filtered: Floats, c: int, forecast: float, scale: float, slow: float, drifting: float, usual: float
) -> float:
    """How many times its usual error sensor ``c`` is off: its forecast, and the more it wanders its trend.

    Off its forecast is F or F's mean, whichever is farther: F is there first, the mean sees what is small.
    """
    off: float = (filtered[0, c] - forecast) / scale
    if slow > 0.0:
        lasting = (filtered[1, c] - forecast) / slow
        if abs(lasting) > abs(off):
            off = lasting
    if drifting > 0.0:
        moving = abs(_trend_error(filtered, c)) / usual if usual > 0.0 else nan
        off = np.sign(off) * abs(off) ** (1.0 - drifting) * moving**drifting
    return off


@compiled
def _square(a: Floats, out: Floats) -> None:
    """``out`` = a a."""
    k = len(a)
    out[:] = 0.0
    for j in range(k):
        for row in range(k):
            for c in range(k):
                out[row, c] += a[row, j] * a[j, c]


@compiled
def _complete(z: Floats, known: Bools, there: Floats, precision: Floats) -> None:
    """Set what is not ``known`` in ``z`` (k,) to what the rest makes likeliest (Gauss & Seidel's way).

    Only clear evidence of a value that is missing stands beside that, and fades.
    """
    k = len(z)
    clear = np.zeros(k)
    for j in range(k):
        if not known[j]:
            clear[j] = np.sign(z[j]) * max(abs(z[j]) - _CLEAR, 0.0) * there[j]
            z[j] = 0.0
    for _ in range(_SWEEPS):
        for j in range(k):
            if not known[j] and precision[j, j] > 0.0:
                rest = 0.0
                for i in range(k):
                    if i != j:
                        rest += precision[j, i] * z[i]
                z[j] = -rest / precision[j, j]
    for j in range(k):
        z[j] += clear[j]


# -- learn


@compiled
def learn(
    params: Params,
    filters: Filters,
    models: Models,
    found: Conclusions,
    rows: Ints,
    counts: Ints,
    x: Floats,
) -> None:
    """Learn readings ``x`` (n, k) believed healthy."""
    k = x.shape[1]
    value = np.empty(k)
    idle, learned, all_follow = filters.idle, models.learned, models.follow
    all_level, all_mass = models.level, models.mass
    all_forecast, all_scale = found.forecast, found.scale
    weights = params.weights
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        follow, level, mass = all_follow[row], all_level[row], all_mass[row]
        forecast, scale = all_forecast[row], all_scale[row]
        if counts[m] > 0:
            idle[row] = 0
        for i in range(start, stop):
            for c in range(k):  # each value no farther from its forecast than can be believed
                value[c] = _within(x[i, c], forecast[c], params.bound * params.smooth * scale[c])
                if isnan(follow[0, c]):
                    follow[:, c] = value[c]
                _smooth(follow, c, value[c], params.smooth)
            for j in range(len(weights)):
                for c in range(k):
                    if not isnan(value[c]):
                        level[j, c] += weights[j] * (value[c] - level[j, c])
                        mass[j, c] += weights[j] * (1.0 - mass[j, c])
            learned[row] += 1
            if learned[row] % EPOCH == 0:
                _end_epoch(params, models, found, row, value)


@compiled
def _end_epoch(params: Params, models: Models, found: Conclusions, row: int, x: Floats) -> None:
    """Sample the forecasts' errors and conclude from them; ``x`` (k,) is the epoch's last reading."""
    number = models.learned[row] // EPOCH
    follow, past = models.follow[row], models.past[row]
    level, mass = models.level[row], models.mass[row]
    error, error_mass = models.error[row], models.error_mass[row]
    track, track_mass, tail = found.track[row], found.track_mass[row], found.tail[row]
    slow, slow_mass = found.slow[row], found.slow_mass[row]
    noise, noise_mass, fourth = models.noise[row], models.noise_mass[row], models.fourth[row]
    forecast, scale = found.forecast[row], found.scale[row]
    growth, drifting = found.growth[row], found.drifting[row]
    weight, bound = 1.0 / params.forget, params.bound
    learning = (weight, params.few, bound)
    z = np.empty(len(x))
    known = False
    for c in range(len(x)):
        fast = follow[0, c]
        # As `score` sees it: of the forecast as it stood, before it is renewed.
        usual, lasting = sqrt(track[c] / track_mass[c]), sqrt(slow[c] / slow_mass[c])
        off = _deviation(follow, c, forecast[c], scale[c], lasting, drifting[c], usual)
        known |= isfinite(off)
        z[c] = 0.0 if isnan(off) else off
        for j in range(len(level)):
            if number > _SHORT:
                off = fast - past[(number - _SHORT) % _KEPT, j, c]
                _average(error[0, j], error_mass[0, j], c, off * off, *learning)
            if number > _LONG:
                off = fast - past[(number - _LONG) % _KEPT, j, c]
                _average(error[1, j], error_mass[1, j], c, off * off, *learning)
        if number > 4:
            _average(track, track_mass, c, _trend_error(follow, c) ** 2, *learning)
        _average(slow, slow_mass, c, (follow[1, c] - forecast[c]) ** 2, *learning)
        _average(noise, noise_mass, c, (x[c] - fast) ** 2, *learning)
        past[number % _KEPT, :, c] = level[:, c] / mass[:, c]
        scatter = noise[c] / noise_mass[c] if noise_mass[c] > 0.0 else 0.0
        forecast[c], scale[c], growth[c], drifting[c] = _conclude(
            error, error_mass, past[number % _KEPT], scatter, c
        )
    products = found.products
    if known:
        product = models.product[row]
        products[row] += weight * (1.0 - products[row])
        for c in range(len(x)):
            far = min(max(z[c], -_FAR * bound), _FAR * bound)
            fourth[c] += weight * (far**4 - fourth[c])
            tail[c] = max((fourth[c] / products[row] / _NORMAL) ** 0.25, 1.0)
            z[c] = min(max(z[c] / tail[c], -bound), bound)
        for i in range(len(x)):
            for c in range(len(x)):
                product[i, c] += weight * (z[i] * z[c] - product[i, c])
    if products[row] > 0.0 and (number < 64 or number % 8 == 0):
        # Samples that count: two epochs' errors still resemble each other.
        samples = min(float(number), 2.0 * params.forget) / 2.0
        _whiten(models.product[row], products[row], samples, params.explained, found.whitener[row])


@compiled
def _average(
    total: Floats, mass: Floats, c: int, error: float, weight: float, few: float, bound: float
) -> None:
    """Take a squared error into its running mean, total[c] / mass[c]; none beyond belief."""
    if isnan(error):
        return
    if mass[c] > few:
        usual = total[c] / mass[c]
        if usual > 0.0:
            error = min(error, bound**2 * usual)
    total[c] += weight * (error - total[c])
    mass[c] += weight * (1.0 - mass[c])


@compiled
def _conclude(
    error: Floats, error_mass: Floats, means: Floats, scatter: float, c: int
) -> tuple[float, float, float, float]:
    """Sensor ``c``'s forecast, its usual error and how that grows, from the memories that forecast best.

    Also how much of a wanderer it is.
    """
    best = np.inf
    for j in range(len(means)):
        if error_mass[0, j, c] > 0.0:
            best = min(best, error[0, j, c] / error_mass[0, j, c])
    total, forecast, variance, far, far_trust = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(len(means)):
        if error_mass[0, j, c] > 0.0:
            short = error[0, j, c] / error_mass[0, j, c]
            ratio = best / short if short > 0.0 else 1.0
            trust = ratio * ratio * ratio * ratio
            total += trust
            forecast += trust * means[j, c]
            variance += trust * short
            if error_mass[1, j, c] > 0.0:
                far += trust * (error[1, j, c] / error_mass[1, j, c])
                far_trust += trust
    if not total > 0.0:
        return nan, nan, 0.5, 0.0
    forecast /= total
    variance /= total
    scale = sqrt(variance) if variance > 0.0 else nan
    if not (far_trust > 0.0 and variance > 0.0 and far > 0.0):
        return forecast, scale, 0.5, 0.0
    far /= far_trust
    hurst = 0.5 * log(far / variance) / log(_AGE_LONG / _AGE_SHORT)
    # A level that moves less than single readings scatter is steady, as far as anyone can tell.
    visible = sqrt(far / scatter) - _VISIBLE if scatter > 0.0 else 0.0
    visible = min(max(visible, 0.0), 1.0)
    drifting = min(max((hurst - _WANDERS) / _WANDERS_RANGE, 0.0), 1.0) * visible
    return forecast, scale, min(max(hurst * visible, _LEAST_GROWTH), 1.0), drifting


@compiled
def _whiten(product: Floats, mass: float, samples: float, explained: float, white: Floats) -> None:
    """``white`` = C^(−½): principal directions by their own variance, the others by their mean one."""
    k = len(product)
    shrink = k / (k + samples)
    cov = product / mass
    for i in range(k):
        for c in range(k):
            own = max(cov[i, i], 0.25) if i == c else 0.0
            cov[i, c] = (1.0 - shrink) * cov[i, c] + shrink * own
    values, vectors = np.linalg.eigh(cov)  # the smallest is the first
    total = 0.0
    for i in range(k - 1, -1, -1):
        values[i] = max(values[i], 0.05)
        total += values[i]
    share, others = 0.0, k
    while others > 0 and share < explained * total:
        others -= 1
        share += values[others]
    rest = 0.0
    for i in range(others - 1, -1, -1):
        rest += values[i]
    values[:others] = rest / max(others, 1)
    white[:] = 0.0
    for i in range(k - 1, -1, -1):
        root = sqrt(values[i])
        for a in range(k):
            for c in range(k):
                white[a, c] += vectors[a, i] * vectors[c, i] / root
