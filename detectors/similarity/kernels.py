"""The kernels of `detectors.similarity.detector`: its score, and what it learns from an epoch of readings."""

from __future__ import annotations

from math import exp, inf, isfinite, isnan, nan, sqrt
from typing import Annotated, NamedTuple

import numpy as np

from detectors.batch import Floats, Ints
from detectors.compiled import compiled
from detectors.table import Column

#: Readings to an epoch: models change only when a machine has learned so many.
EPOCH = 16
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
_NAN = float("nan")


class Params(NamedTuple):
    """The parameters of `detectors.similarity.detector.FleetSimilarity`."""

    resolution: float
    bandwidth: float
    smooth: float
    memory: float


class Memory(NamedTuple):
    """What a machine's model remembers."""

    waiting: Annotated[Floats, Column((EPOCH, "k"), _NAN)]  # readings of the running epoch
    learned: Annotated[Ints, Column((), 0)]
    used: Annotated[Ints, Column((), 0)]  # states in use
    state: Annotated[Floats, Column(("states", "k"))]
    visits: Annotated[Floats, Column(("states",))]
    mean: Annotated[Floats, Column(("k",))]  # of each sensor, over a long time …
    square: Annotated[Floats, Column(("k",))]  # … and of its square about `origin`
    mass: Annotated[Floats, Column(("k",))]
    origin: Annotated[Floats, Column(("k",), _NAN)]
    usual: Annotated[Floats, Column(("k",))]  # mean square of the smoothed residual
    usual_mass: Annotated[Floats, Column(("k",))]
    follow: Annotated[Floats, Column(("k",))]  # the smoothed residual over what is learned
    filter: Annotated[Floats, Column(("k",))]  # and over what is scored
    product: Annotated[Floats, Column(("k", "k"))]  # z zᵀ, its weight, and C^(−½)
    products: Annotated[Floats, Column(())]
    whitener: Annotated[Floats, Column(("k", "k"))]
    axes: Annotated[Floats, Column(("axes", "k"))]  # unit vectors, in standard deviations


# -- score


@compiled
def score(
    params: Params, of: Memory, rows: Ints, counts: Ints, x: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Raw scores (n,), contributions, expected values and deviations (n, k) of readings ``x`` (n, k)."""
    n, k = x.shape
    raw, parts, expected, deviation = np.empty(n), np.empty((n, k)), np.empty((n, k)), np.empty((n, k))
    z, white, distance = np.empty(k), np.empty(k), np.empty(of.state.shape[1])
    all_state, all_axes, all_filter, all_whitener = of.state, of.axes, of.filter, of.whitener
    used, products = of.used, of.products
    weight, sharp = 1.0 / params.smooth, 0.5 / params.bandwidth**2
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        state, axes = all_state[row, : used[row]], all_axes[row]
        filtered, whitener = all_filter[row], all_whitener[row]
        spread = _spread(of, row)
        size = _usual(of, row, spread)
        for i in range(start, stop):
            _expect(x[i], state, spread, axes, sharp, distance, expected[i])
            for c in range(k):
                off = x[i, c] - expected[i, c]
                if size[c] > 0.0:
                    off = min(max(off, -_FARTHEST * size[c]), _FARTHEST * size[c]) if not isnan(off) else nan
                if not isnan(off):
                    filtered[c] = weight * off + (1.0 - weight) * filtered[c]
                z[c], deviation[i, c] = 0.0, nan
                if isfinite(filtered[c] / size[c]) and not isnan(x[i, c]):
                    z[c] = min(max(filtered[c] / size[c], -_FARTHEST), _FARTHEST)
                    deviation[i, c] = z[c]
            white[:] = 0.0
            for j in range(k):
                for c in range(k):
                    white[c] += whitener[j, c] * z[j]
            total = 0.0
            for c in range(k):
                total += white[c] * white[c]
                parts[i, c] = 0.0 if isnan(x[i, c]) else white[c] * white[c]
            raw[i] = total if products[row] > 0.0 else nan
    return raw, parts, expected, deviation


@compiled
def _spread(of: Memory, row: int) -> Floats:
    """(k,) long-run standard deviation of each sensor."""
    mean, square = of.mean[row], of.square[row]
    spread = np.empty(len(mean))
    for c in range(len(mean)):
        spread[c] = sqrt(max(square[c] - mean[c] * mean[c], 0.0))
    return spread


@compiled
def _usual(of: Memory, row: int, spread: Floats) -> Floats:
    """(k,) usual size of the smoothed residual; NaN for a sensor that never moved."""
    usual, mass = of.usual[row], of.usual_mass[row]
    size = np.full(len(usual), nan)
    for c in range(len(usual)):
        if mass[c] > 0.0 and spread[c] > 0.0:
            # Quantised sensors can agree exactly for long: a hundredth of their movement is no surprise.
            size[c] = max(sqrt(usual[c] / mass[c]), 0.01 * spread[c])
    return size


@compiled
def _expect(
    x: Floats, state: Floats, spread: Floats, axes: Floats, sharp: float, distance: Floats, out: Floats
) -> int:
    """``out`` (k,): what the states say of a reading (k,), with load; returns the nearest state, -1 = none.

    ``distance`` (states,) becomes the squared distances from the states.
    """
    nearest = _compare(x, state, spread, sharp, distance, out)
    if nearest >= 0:
        _add_load(x, spread, axes, out)
    return nearest


@compiled
def _compare(x: Floats, state: Floats, spread: Floats, sharp: float, distance: Floats, out: Floats) -> int:
    """As `_expect`, without load."""
    k = len(x)
    out[:] = nan
    if not len(state):
        return -1
    known, scale = 0.0, _scale(spread)
    for c in range(k):
        known += not isnan(x[c])
    nearest = 0
    for s in range(len(state)):
        distance[s] = _distance(x, state[s], scale) / max(known, 1.0)
        if distance[s] < distance[nearest]:
            nearest = s
    out[:] = 0.0
    total = 0.0
    for s in range(len(state)):
        weight = exp((distance[nearest] - distance[s]) * sharp)
        total += weight
        for c in range(k):
            out[c] += weight * state[s, c]
    for c in range(k):
        out[c] /= total
    return nearest


@compiled
def _scale(spread: Floats) -> Floats:
    """1 / spread; 0 of a sensor that never moved."""
    scale = np.zeros(len(spread))
    for c in range(len(spread)):
        if spread[c] > 0.0:
            scale[c] = 1.0 / spread[c]
    return scale


@compiled
def _distance(x: Floats, state: Floats, scale: Floats) -> float:
    """Sum of squared distances, in spreads, over the sensors that have a value."""
    total = 0.0
    for c in range(len(x)):
        gap = (x[c] - state[c]) * scale[c]
        gap *= gap
        total += 0.0 if isnan(gap) else min(gap, _CLIP)
    return total


@compiled
def _add_load(x: Floats, spread: Floats, axes: Floats, expected: Floats) -> None:
    """Add to what is ``expected`` of a reading the part of its residual that is a change of load."""
    k = len(x)
    left, part = np.zeros(k), np.zeros(k)
    square, along = 0.0, 0.0
    for c in range(k):
        if spread[c] > 0.0 and not isnan(x[c]):
            left[c] = (x[c] - expected[c]) / spread[c]
        square += left[c] * left[c]
    for axis in range(len(axes)):
        length = 0.0
        for c in range(k):
            length += left[c] * axes[axis, c]
        along += length * length
        for c in range(k):
            part[c] += min(max(length, -_EXTRAPOLATED), _EXTRAPOLATED) * axes[axis, c]
    share = along / square if square > 0.0 else along
    share = min(max((share - _ALONG) / (1.0 - _ALONG) * 2.0, 0.0), 1.0)
    for c in range(k):
        expected[c] += part[c] * spread[c] * share


# -- learn


@compiled
def learn(params: Params, of: Memory, rows: Ints, counts: Ints, x: Floats) -> None:
    """Learn readings ``x`` (n, k) believed healthy; models change at the end of each machine's epochs."""
    waiting, learned = of.waiting, of.learned
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        for i in range(start, stop):
            waiting[row, learned[row] % EPOCH] = x[i]
            learned[row] += 1
            if learned[row] % EPOCH == 0:
                _end_epoch(params, of, row)


@compiled
def _end_epoch(params: Params, of: Memory, row: int) -> None:
    """Learn the epoch that waits."""
    x = of.waiting[row].copy()
    _disbelieve(x, _spread(of, row), of.mass[row])
    _move_moments(params, of, row, x)
    used = of.used[row]
    if used == 0:
        _first(of, row, x)
        return
    spread, sharp = _spread(of, row), 0.5 / params.bandwidth**2
    state, axes = of.state[row, :used], of.axes[row]
    distance, plain, residual = np.empty(used), np.empty(x.shape), np.empty(x.shape)
    nearest, near = np.empty(EPOCH, dtype=np.int64), np.empty(EPOCH)
    for step in range(EPOCH):
        nearest[step] = _compare(x[step], state, spread, sharp, distance, plain[step])
        near[step] = distance[nearest[step]]
        expected = plain[step].copy()
        _add_load(x[step], spread, axes, expected)
        residual[step] = x[step] - expected
    _move_usual(params, of, row, residual, spread)
    _remember(params, of, row, x, plain, nearest, near, spread)


@compiled
def _disbelieve(x: Floats, spread: Floats, mass: Floats) -> None:
    """Drop the values of ``x`` (epoch, k) that neither the epoch's others nor the past support."""
    found, away = np.empty(len(x)), np.empty(len(x))
    for c in range(x.shape[1]):
        n = 0
        for step in range(len(x)):
            if not isnan(x[step, c]):
                found[n] = x[step, c]
                n += 1
        if n == 0 or not mass[c] > 0.0:
            continue
        middle = _middle(found, n)
        for i in range(n):
            away[i] = abs(found[i] - middle)
        reach = _BELIEVED * max(1.5 * _middle(away, n), spread[c])
        for step in range(len(x)):
            if abs(x[step, c] - middle) > reach > 0.0:
                x[step, c] = nan


@compiled
def _middle(values: Floats, n: int) -> float:
    """The (lower) median of the first ``n`` values, which it sorts."""
    for i in range(1, n):
        value, at = values[i], i
        while at > 0 and values[at - 1] > value:
            values[at] = values[at - 1]
            at -= 1
        values[at] = value
    middle: float = values[(n - 1) // 2]
    return middle


@compiled
def _move_moments(params: Params, of: Memory, row: int, x: Floats) -> None:
    """Long-run mean and mean square of each sensor, about its first value."""
    mean, square, mass, origin = of.mean[row], of.square[row], of.mass[row], of.origin[row]
    for c in range(x.shape[1]):
        total, squares, number = 0.0, 0.0, 0.0
        for step in range(len(x)):
            if not isnan(x[step, c]):
                if isnan(origin[c]):
                    origin[c] = x[step, c]
                value = x[step, c] - origin[c]
                total += value
                squares += value * value
                number += 1.0
        mass[c] = min(mass[c] + number, params.memory)
        weight = 1.0 / max(mass[c], 1.0)
        mean[c] += weight * (total - number * mean[c])
        square[c] += weight * (squares - number * square[c])


@compiled
def _move_usual(params: Params, of: Memory, row: int, residual: Floats, spread: Floats) -> None:
    """The usual size of the smoothed residual; one epoch moves it by a bounded step."""
    k = residual.shape[1]
    follow, all_usual, all_mass = of.follow[row], of.usual[row], of.usual_mass[row]
    squares, number = np.zeros(k), np.zeros(k)
    for step in range(len(residual)):
        for c in range(k):
            if not isnan(residual[step, c]):
                follow[c] += (residual[step, c] - follow[c]) / params.smooth
                squares[c] += follow[c] * follow[c]
                number[c] += 1.0
    _correlate(params, of, row, spread)
    for c in range(k):
        if number[c] > 0.0:
            mass, sample = all_mass[c], squares[c] / number[c]
            if mass > 8.0:
                sample = min(sample, 25.0 * (all_usual[c] / mass))
            now = min(mass + 1.0, params.memory / EPOCH)
            keep = 1.0 if now > mass else 1.0 - 1.0 / max(now, 1.0)
            all_usual[c] = keep * all_usual[c] + sample
            all_mass[c] = keep * mass + 1.0


@compiled
def _correlate(params: Params, of: Memory, row: int, spread: Floats) -> None:
    """Learn how the smoothed residuals go together; every few epochs, draw conclusions."""
    size, follow, k = _usual(of, row, spread), of.follow[row], len(spread)
    z, known = np.zeros(k), False
    for c in range(k):
        if not isnan(size[c]):
            known |= isfinite(follow[c] / size[c])
            z[c] = min(max(follow[c] / size[c], -_BOUND), _BOUND)
    if not known or of.usual_mass[row].max() < _LEAST:
        return
    product, products = of.product[row], of.products
    products[row] = min(products[row] + 1.0, params.memory / EPOCH)
    weight = 1.0 / products[row]
    for i in range(k):
        for c in range(k):
            product[i, c] += weight * (z[i] * z[c] - product[i, c])
    number = of.learned[row] // EPOCH
    if number < 64 or number % 16 == 0:
        _whiten(product, products[row], of.whitener[row])
        if of.axes.shape[1] > 0:
            _aim(of.state[row, : of.used[row]], spread, of.axes[row])


@compiled
def _whiten(product: Floats, samples: float, white: Floats) -> None:
    """``white`` = C^(−½), C shrunk towards independence as long as samples are few."""
    k = len(product)
    shrink = k / (k + samples)
    cov = np.empty((k, k))
    for i in range(k):
        for c in range(k):
            own = max(product[i, i], 0.25) if i == c else 0.0
            cov[i, c] = (1.0 - shrink) * product[i, c] + shrink * own
    values, vectors = np.linalg.eigh(cov)
    white[:] = 0.0
    for i in range(k):
        scale = 1.0 / sqrt(max(values[i], 0.05))
        for a in range(k):
            for c in range(k):
                white[a, c] += vectors[a, i] * vectors[c, i] * scale


@compiled
def _aim(state: Floats, spread: Floats, axes: Floats) -> None:
    """The main axes of the remembered states, each state once: how a machine moves with its load."""
    k = len(spread)
    away = np.zeros(state.shape)
    for c in range(k):
        if spread[c] > 0.0:
            middle = 0.0
            for s in range(len(state)):
                away[s, c] = state[s, c] / spread[c]
                middle += away[s, c]
            middle /= len(state)
            for s in range(len(state)):
                away[s, c] -= middle
    cov = np.zeros((k, k))
    for s in range(len(state)):
        for i in range(k):
            for c in range(k):
                cov[i, c] += away[s, i] * away[s, c]
    _, vectors = np.linalg.eigh(cov)  # the longest is the last
    for axis in range(len(axes)):
        axes[axis] = vectors[:, k - 1 - axis]


@compiled
def _first(of: Memory, row: int, x: Floats) -> None:
    """The first state: the mean of the first epoch that has any value."""
    some = False
    for c in range(x.shape[1]):
        total, number = 0.0, 0
        for step in range(len(x)):
            if not isnan(x[step, c]):
                total += x[step, c]
                number += 1
        of.state[row, 0, c] = total / max(number, 1)
        some |= number > 0
    of.visits[row, 0] = 1.0
    of.used[row] = 1 if some else 0


@compiled
def _remember(
    params: Params,
    of: Memory,
    row: int,
    x: Floats,
    expected: Floats,
    nearest: Ints,
    near: Floats,
    spread: Floats,
) -> None:
    """Move the states towards the readings that are like them, and keep the one that is like none."""
    state, visits = of.state[row], of.visits[row]
    moved = np.zeros(state.shape)
    farthest = -1
    for step in range(len(x)):
        s = nearest[step]
        if near[step] <= params.resolution**2:
            visits[s] += 1.0
            for c in range(x.shape[1]):
                if not isnan(x[step, c]):
                    moved[s, c] += x[step, c] - state[s, c]
        elif farthest < 0 or near[step] > near[farthest]:
            farthest = step
    for s in range(len(state)):
        weight = 1.0 / max(min(visits[s], params.memory / 4.0), 1.0)
        for c in range(x.shape[1]):
            state[s, c] += moved[s, c] * weight
    if farthest < 0:
        return
    value = x[farthest].copy()
    for c in range(len(value)):
        if isnan(value[c]):
            value[c] = expected[farthest, c]
    if of.used[row] < len(state):
        _put(state, visits, of.used[row], value)
        of.used[row] += 1
    else:
        _replace(state, visits, value, near[farthest], spread)


@compiled
def _put(state: Floats, visits: Floats, place: int, value: Floats) -> None:
    state[place] = value
    visits[place] = 1.0


@compiled
def _replace(state: Floats, visits: Floats, value: Floats, distance: float, spread: Floats) -> None:
    """Remember ``value`` (k,), ``distance`` squared from the nearest state, where there is no more room.

    The two states that are most alike become their common mean, if they are more alike than that; the
    place that this frees takes the new one.
    """
    closest, one, other, scale = inf, 0, 1, _scale(spread)
    for i in range(len(state)):
        for j in range(i + 1, len(state)):
            between = _distance(state[i], state[j], scale) / len(value)
            if between < closest:
                closest, one, other = between, i, j
    if closest < distance:
        share = visits[one] / (visits[one] + visits[other])
        for c in range(len(value)):
            state[one, c] = share * state[one, c] + (1.0 - share) * state[other, c]
        visits[one] += visits[other]
        _put(state, visits, other, value)
