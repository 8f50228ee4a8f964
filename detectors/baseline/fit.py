"""Fits a baseline: centre, scales and correlations of healthy rows, and how far from them health goes."""

from __future__ import annotations

from math import isnan, log, sqrt

import numpy as np

from detectors.baseline.state import Floats32, Growth, Models
from detectors.batch import Bools, Floats
from detectors.compiled import compiled

#: Scaled values count in correlations with at most so much, and in a distance with at most so much.
_BOUND, _FARTHEST = 4.0, 40.0
#: A scale is at least this share of the centre: finer than that no sensor is believed.
_FINEST, _STILL = 0.01, 1e-9
_LEAST_SHRINKAGE, _LEAST_VARIANCE = 0.05, 0.3
_FEW = 8
_SWEEPS = 4
#: The threshold over the farthest healthy block: × (1 + 300 / n), or × 1.5 of what is found by halves that
#: did not see each other, but not more than × (1 + 2500 / n).
_SAMPLES, _MOST_SAMPLES, _UNSEEN = 300.0, 2500.0, 0.4
_LEAST_THRESHOLD = 0.4  # log 1.5: T²/k of its own is 1 on average
_NOTHING = 1e-6


@compiled
def fit(rows: Floats32, known: int, first: int, last: int, origin: Floats, center: Floats, scale: Floats,
        whitener: Floats) -> None:  # fmt: skip
    """Fit ``center``, ``scale`` (k,), ``whitener`` (k, k) to ``known`` rows, without ``first`` … ``last``."""
    k = rows.shape[1]
    many = known - (last - first)
    z = np.zeros((many, k))
    column, off = np.empty(many), np.empty(many)
    for c in range(k):
        n = 0
        for i in range(known):
            value = np.float64(rows[i, c])
            if (i < first or i >= last) and not isnan(value):
                column[n] = value
                n += 1
        center[c], scale[c] = (0.0 if isnan(origin[c]) else origin[c]), 0.0
        if n < _FEW:
            continue
        ordered = np.sort(column[:n])
        middle = 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])
        center[c] += middle
        square = 0.0
        for i in range(n):
            off[i] = abs(column[i] - middle)
            square += off[i] * off[i]
        absolute = np.sort(off[:n])
        robust = 1.4826 * 0.5 * (absolute[(n - 1) // 2] + absolute[n // 2])
        wide = (ordered[min(n - 1, int(n * 0.975))] - ordered[int(n * 0.025)]) / 3.92
        if ordered[n - 1] - ordered[0] > _STILL * max(abs(center[c]), _STILL):
            scale[c] = max(robust, wide, 0.5 * sqrt(square / n), _FINEST * abs(center[c]))
        place = 0
        for i in range(known):
            if i < first or i >= last:
                value = np.float64(rows[i, c])
                if scale[c] > 0.0 and not isnan(value):
                    z[place, c] = min(max((value - middle) / scale[c], -_BOUND), _BOUND)
                place += 1
    _whiten(z, scale, whitener)


@compiled
def _whiten(z: Floats, scale: Floats, whitener: Floats) -> None:
    """``whitener`` = C^(−½), C being the second moments of ``z`` (n, k), shrunk towards independence."""
    n, k = z.shape
    cov = np.zeros((k, k))
    for i in range(n):
        for a in range(k):
            if z[i, a] != 0.0:
                for b in range(a + 1):
                    cov[a, b] += z[i, a] * z[i, b]
    shrink = max(k / (k + float(n)), _LEAST_SHRINKAGE)
    for a in range(k):
        for b in range(a):
            cov[a, b] *= (1.0 - shrink) / n
            cov[b, a] = cov[a, b]
        cov[a, a] = max(cov[a, a] / n * (1.0 - shrink) + shrink, _LEAST_VARIANCE) if scale[a] > 0.0 else 1.0
    values, vectors = np.linalg.eigh(cov)
    whitener[:] = 0.0
    for i in range(k):
        root = sqrt(max(values[i], _LEAST_SHRINKAGE * _LEAST_VARIANCE))
        for a in range(k):
            for b in range(k):
                whitener[a, b] += vectors[a, i] * vectors[b, i] / root


@compiled
def distance(x: Floats, center: Floats, scale: Floats, whitener: Floats, z: Floats, white: Floats) -> float:
    """log T²/k of smoothed sensors ``x`` (k,); fills in ``z``, the scaled ones, and ``white``, its parts.

    A missing one counts as the likeliest beside the others (Gauss & Seidel's way).
    """
    k = len(x)
    moving = missing = 0
    white[:] = 0.0
    for c in range(k):
        z[c] = 0.0
        if scale[c] > 0.0:
            moving += 1
            value = (x[c] - center[c]) / scale[c]
            if isnan(value):
                missing += 1
            else:
                z[c] = min(max(value, -_FARTHEST), _FARTHEST)
    for j in range(k):
        if z[j] != 0.0:
            for c in range(k):
                white[c] += whitener[j, c] * z[j]
    if missing:
        for _ in range(_SWEEPS):
            for j in range(k):
                if scale[j] > 0.0 and isnan(x[j]):
                    back, precision = 0.0, 0.0
                    for c in range(k):
                        back += whitener[j, c] * white[c]
                        precision += whitener[j, c] * whitener[j, c]
                    z[j] -= back / precision
                    for c in range(k):
                        white[c] -= whitener[j, c] * back / precision
    total = 0.0
    for c in range(k):
        total += white[c] * white[c]
    return log(max(total / max(moving - missing, 1), _NOTHING))


@compiled
def refit(models: Models, growth: Growth, row: int, place: int, known: Bools) -> None:
    """Fit baseline ``place`` of ``row`` to what it has grown to; ``known`` (1,): whether any sensor moves."""
    rows, origin = growth.rows[row], growth.origin[row]
    stored, blocks, learned = growth.stored[row], growth.blocks[row], float(growth.learned[row])
    center, scale, whitener = models.center[row, place], models.scale[row, place], models.whitener[row, place]
    farthest, far = growth.farthest[row], growth.distance[row]
    k = rows.shape[1]
    z, white, x = np.empty(k), np.empty(k), np.empty(k)

    # how far the farthest are by the half of the rows that they are not in
    unseen = log(_NOTHING)
    if stored >= 2 * _FEW:
        half = stored // 2
        for side in range(2):
            if side == 0:
                fit(rows, stored, 0, half, origin, center, scale, whitener)
            else:
                fit(rows, stored, half, stored, origin, center, scale, whitener)
            for i in range(blocks):
                if (2 * i < blocks) == (side == 0):
                    _absolute(farthest[i], origin, x)
                    unseen = max(unseen, distance(x, center, scale, whitener, z, white))

    fit(rows, stored, 0, 0, origin, center, scale, whitener)
    seen = log(_NOTHING)
    for i in range(blocks):
        _absolute(farthest[i], origin, x)
        far[i] = distance(x, center, scale, whitener, z, white)
        seen = max(seen, far[i])
    usual = np.empty(stored)
    for i in range(stored):
        _absolute(rows[i], origin, x)
        usual[i] = distance(x, center, scale, whitener, z, white)
    usual = np.sort(usual)
    moving = 0
    for c in range(k):
        moving += scale[c] > 0.0
    optimism = log(1.0 + moving / learned)
    middle = usual[stored // 2] + optimism
    high = max(usual[min(stored - 1, int(0.9 * stored))] + optimism, middle + 0.1)
    bound = min(unseen + _UNSEEN, seen + log(1.0 + _MOST_SAMPLES / learned))
    limit = max(seen + log(1.0 + _SAMPLES / learned), bound, _LEAST_THRESHOLD)
    levels = models.levels[row, place]
    levels[0], levels[1], levels[2] = middle, high, max(limit, high + 0.5)
    known[0] = moving > 0


@compiled
def _absolute(kept: Floats32, origin: Floats, x: Floats) -> None:
    """``x`` (k,) = a row that is kept relative to ``origin``."""
    for c in range(len(x)):
        x[c] = np.float64(kept[c]) + origin[c]
