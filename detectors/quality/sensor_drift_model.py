"""How the sensors of a machine go together: the model behind `detectors.quality.sensor_drift`."""

from __future__ import annotations

from math import inf, isnan, nan, sqrt
from typing import Annotated, NamedTuple

import numpy as np

from detectors.batch import Bools, Floats, Ints
from detectors.compiled import compiled
from detectors.table import Column

#: The model is worked out again after so many learned readings, and older ones are forgotten beyond.
_REFRESH, _MEMORY = 64, 32768.0
_LEAST = 200.0  # readings before there is a model
_RIDGE = 1e-3
#: Only a sensor that its neighbours predict so well can be said to drift (explained share of variance).
REDUNDANT = 0.97
SLOW = 1.0 / 128.0
_FADE = 1.0 - 1.0 / 2048.0  # of the usual, a stretch
_EACH, _SQUARE = ("k",), ("k", "k")


class Model(NamedTuple):
    """Columns of `detectors.quality.sensor_drift.SensorDrift`; a row a machine."""

    number: Annotated[Floats, Column((), 0.0)]
    learned: Annotated[Ints, Column((), 0)]
    since: Annotated[Ints, Column((), -1)]  # event time of the first reading that was learned
    origin: Annotated[Floats, Column(_EACH, nan)]  # its values: sums are of what is beyond it
    sum: Annotated[Floats, Column(_EACH, 0.0)]
    product: Annotated[Floats, Column(_SQUARE, 0.0)]
    mean: Annotated[Floats, Column(_EACH, 0.0)]
    scale: Annotated[Floats, Column(_EACH, inf)]
    precision: Annotated[Floats, Column(_SQUARE, 0.0)]  # C⁻¹
    redundant: Annotated[Bools, Column(_EACH, False)]
    slow: Annotated[Floats, Column(_EACH, 0.0)]  # means of z over what is checked
    fast: Annotated[Floats, Column(_EACH, 0.0)]
    jumped: Annotated[Bools, Column(_EACH, False)]
    drifting: Annotated[Bools, Column(_EACH, False)]
    peak: Annotated[Floats, Column(_EACH, 0.0)]  # of a drift, until it is over and learned from
    # how far sensors are usually off: the slow means of what is learned
    usual: Annotated[Floats, Column(_EACH, 0.0)]
    learned_slow: Annotated[Floats, Column(_EACH, 0.0)]
    checks: Annotated[Ints, Column((), 0)]


@compiled
def standard(value: float, mean: float, scale: float) -> float:
    """A value in standard deviations, 20 at most: one reading alone must not decide."""
    return min(max((value - mean) / scale, -20.0), 20.0)


@compiled
def off_the_others(precision: Floats, z: Floats, off: Floats) -> float:
    """Fill ``off`` (k,), how far each is off what the others predict; give the joint deviation zᵀC⁻¹z."""
    total = 0.0
    for j in range(len(z)):
        u = 0.0
        for s in range(len(z)):
            u += precision[j, s] * z[s]
        total += u * z[j]
        off[j] = u / sqrt(precision[j, j]) if precision[j, j] > 0.0 else 0.0
    return total


@compiled
def learn(of: Model, rows: Ints, counts: Ints, time: Ints, x: Floats) -> None:
    """The kernel of `SensorDrift.learn`: take in those of a `Batch`'s readings that are whole."""
    number, learned, since, origin = of.number, of.learned, of.since, of.origin
    sums, product = of.sum, of.product
    mean, scale, slow = of.mean, of.scale, of.learned_slow
    width = x.shape[1]
    value = np.zeros(width)
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        if start < stop:
            _learn_return(of, row)
        for i in range(start, stop):
            if not _whole(x[i]):
                continue
            if since[row] < 0:
                since[row] = time[i]
                for s in range(width):
                    origin[row, s] = x[i, s]
            for s in range(width):
                value[s] = x[i, s] - origin[row, s]
                sums[row, s] += value[s]
                z = standard(x[i, s], mean[row, s], scale[row, s])
                slow[row, s] = SLOW * z + (1.0 - SLOW) * slow[row, s]
            for j in range(width):
                for s in range(width):
                    product[row, j, s] += value[j] * value[s]
            number[row] += 1.0
            learned[row] += 1
            if learned[row] % _REFRESH == 0:
                _learn_usual(of, row)
                _refresh(of, row)


@compiled
def _whole(values: Floats) -> bool:
    for value in values:  # noqa: SIM110 (kernels have no generators)
        if isnan(value):
            return False
    return True


@compiled
def _learn_return(of: Model, row: int) -> None:
    """A drift that went back by itself is half believed to be usual."""
    drifting, peak, usual = of.drifting, of.peak, of.usual
    for s in range(peak.shape[1]):
        if not drifting[row, s]:
            if peak[row, s] > 0.0:
                usual[row, s] = max(usual[row, s], (usual[row, s] + 0.6 * peak[row, s]) / 2.0)
            peak[row, s] = 0.0


@compiled
def _learn_usual(of: Model, row: int) -> None:
    """See how far off the slow means of what is learned are."""
    usual, scale, width = of.usual, of.scale, of.usual.shape[1]
    if scale[row].min() == inf:  # there is no model yet
        return
    off = np.zeros(width)
    off_the_others(of.precision[row], of.learned_slow[row], off)
    for s in range(width):
        usual[row, s] = max(abs(off[s]), usual[row, s] * _FADE)
    of.checks[row] += 1


@compiled
def _refresh(of: Model, row: int) -> None:
    """Work out the model again."""
    number, sums, product = of.number, of.sum[row], of.product[row]
    if number[row] > _MEMORY:
        number[row] *= 0.5
        sums *= 0.5
        product *= 0.5
    if number[row] < _LEAST:
        return
    n, width, precision = number[row], len(sums), of.precision[row]
    mean, scale, redundant, origin = of.mean[row], of.scale[row], of.redundant[row], of.origin[row]
    for s in range(width):
        centre = sums[s] / n
        variance = product[s, s] / n - centre * centre
        mean[s] = centre + origin[s]
        scale[s] = sqrt(variance) if variance > 1e-12 * mean[s] ** 2 + 1e-300 else inf
    for j in range(width):
        for s in range(width):
            covariance = product[j, s] / n - sums[j] / n * (sums[s] / n)
            precision[j, s] = covariance / (scale[j] * scale[s])
        precision[j, j] += _RIDGE if scale[j] < inf else 1.0
    _invert(precision)
    for s in range(width):
        redundant[s] = scale[s] < inf and 1.0 - 1.0 / precision[s, s] >= REDUNDANT


@compiled
def _invert(a: Floats) -> None:
    """Put its inverse in the place of ``a`` (k, k), symmetric and positive definite (Gauss and Jordan)."""
    for j in range(len(a)):
        pivot = 1.0 / a[j, j]
        a[j, j] = 1.0
        for s in range(len(a)):
            a[j, s] *= pivot
        for i in range(len(a)):
            if i != j:
                factor = a[i, j]
                a[i, j] = 0.0
                for s in range(len(a)):
                    a[i, s] -= factor * a[j, s]
