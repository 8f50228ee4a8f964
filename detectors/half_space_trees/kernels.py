"""Kernels of `detectors.half_space_trees`: readings go down their machines' trees, one after the other."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.batch import Bools, Floats, Ints
from detectors.compiled import compiled
from detectors.half_space_trees.forests import Columns, Masses
from detectors.moments import Moments, add_to_moments, turn_moments
from detectors.scaling import to_unit, widen

Nodes = NDArray[np.uint32]


class Trees(NamedTuple):
    """What `FleetHalfSpaceTrees` keeps: t trees of h levels with l leaves, a row a machine."""

    forest: Ints  # (m,)
    counter: Ints  # (m,) readings in the running window
    ready: Bools  # (m,) whether a window was filled
    now: Masses  # (m, t, l) the running window's readings at each leaf
    last: Masses  # (m, t, l) those of the last full window
    path: Masses  # (m, t, l) each leaf's score, see `tabulate`
    low: Floats  # (m, k)
    high: Floats  # (m, k)
    moments: Moments
    height: int
    window: int
    stop: int


@compiled
def _walk(feature: Columns, threshold: Floats, forest: int, x: Floats, height: int, node: Nodes) -> None:
    """Walk the reading ``x`` (k,) down the trees of ``forest``; ``node`` (t,) tells the leaves it comes to.

    All trees go down a level before any goes further: so the processor has t steps to do at a time, where a
    walk by itself is a chain of look-ups that wait for each other. (Unsigned numbers, since of others
    Numba asks first whether they count from the end.)
    """
    for t in range(len(node)):
        node[t] = 1
    for _ in range(height):
        for t in range(len(node)):
            at = node[t]
            node[t] = 2 * at + (x[feature[forest, t, at]] >= threshold[forest, t, at])
    for t in range(len(node)):
        node[t] -= 1 << height


@compiled
def _walk_busier(
    feature: Columns,
    threshold: Floats,
    forest: int,
    x: Floats,
    height: int,
    node: Nodes,
    now: Masses,
    row: int,
) -> None:
    """As `_walk`; where a value is missing it takes the running window's busier branch, as River's does."""
    for t in range(len(node)):
        at = 1
        for depth in range(height):
            value = x[feature[forest, t, at]]
            right = value >= threshold[forest, t, at]
            if value != value:
                below = 1 << (height - depth - 1)  # leaves of either branch
                middle = (2 * (at - (1 << depth)) + 1) * below
                more = 0
                for leaf in range(middle, middle + below):
                    more += int(now[row, t, leaf]) - int(now[row, t, leaf - below])
                right = more > 0
            at = 2 * at + right
        node[t] = at - (1 << height)


@compiled
def pass_readings(
    trees: Trees,
    feature: Columns,
    threshold: Floats,
    rows: Ints,
    counts: Ints,
    x: Floats,
    raw: Floats,
    scoring: bool,
    learning: bool,
    scaled: bool,
    telling: bool,
) -> None:
    """Score, learn, or score and then learn the readings ``x`` (n, k) of a batch; scores go to ``raw`` (n,).

    ``scaled``: scale values first. ``telling``: keep moments, too.
    """
    # Taken out of the tuple once: within the loops each look-up in it would cost more than the work.
    forest, ready, now, path = trees.forest, trees.ready, trees.now, trees.path
    counter, low, high = trees.counter, trees.low, trees.high
    centre, missed, sums = trees.moments.centre, trees.moments.missed, trees.moments.sums
    height, window = trees.height, trees.window
    n_trees = now.shape[1]
    least, top = n_trees * window, n_trees * window * ((2 << height) - 1)
    node = np.empty(n_trees, dtype=np.uint32)
    unit = np.empty(x.shape[1])
    i = -1
    for m in range(len(rows)):
        row = rows[m]
        for _ in range(counts[m]):
            i += 1
            gap = to_unit(low, high, row, x, i, unit) if scaled else _copy(x, i, unit)
            walked = False
            if scoring:
                raw[i] = math.nan
                if ready[row]:
                    if gap:
                        _walk_busier(feature, threshold, forest[row], unit, height, node, now, row)
                    else:
                        _walk(feature, threshold, forest[row], unit, height, node)
                    walked = True
                    total = 0
                    for t in range(n_trees):
                        total += int(path[row, t, node[t]])
                    raw[i] = 1 - (least + 2 * total) / top
            if learning:
                if scaled and widen(low, high, row, x, i):
                    gap = to_unit(low, high, row, x, i, unit)
                    walked = False
                if not walked:
                    if gap:
                        _walk_busier(feature, threshold, forest[row], unit, height, node, now, row)
                    else:
                        _walk(feature, threshold, forest[row], unit, height, node)
                for t in range(n_trees):
                    now[row, t, node[t]] += 1
                if telling:
                    add_to_moments(centre, missed, sums, row, x, i)
                counter[row] += 1
                if counter[row] >= window:
                    _turn(trees, row, telling)


@compiled
def _copy(x: Floats, i: int, out: Floats) -> bool:
    gap = False
    for j in range(len(out)):
        out[j] = x[i, j]
        gap |= x[i, j] != x[i, j]
    return gap


@compiled
def _turn(trees: Trees, row: int, telling: bool) -> None:
    """The window of ``row`` is full: it is scored by it from now on."""
    now, last = trees.now, trees.last
    for t in range(now.shape[1]):
        for leaf in range(now.shape[2]):
            last[row, t, leaf] = now[row, t, leaf]
            now[row, t, leaf] = 0
    if telling:
        turn_moments(trees.moments, row, trees.window)
    trees.counter[row] = 0
    trees.ready[row] = True
    tabulate(trees, row)


@compiled
def tabulate(trees: Trees, row: int) -> None:
    """Each leaf's path score: the sum of mass × 2**depth down to it, or to where the mass is under ``stop``.

    Kept is half of it without the root's part, which every path has: that fits in two bytes.
    """
    last, path, stop = trees.last, trees.path, trees.stop
    leaves = last.shape[2]
    mass = np.empty(2 * leaves, dtype=np.int64)
    total = np.zeros(2 * leaves, dtype=np.int64)
    for t in range(last.shape[1]):
        for leaf in range(leaves):
            mass[leaves + leaf] = last[row, t, leaf]
        for node in range(leaves - 1, 0, -1):
            mass[node] = mass[2 * node] + mass[2 * node + 1]
        for depth in range(trees.height):
            for node in range(1 << depth, 2 << depth):
                weight = (1 << depth) if mass[node] >= stop else 0
                total[2 * node] = total[node] + weight * mass[2 * node]
                total[2 * node + 1] = total[node] + weight * mass[2 * node + 1]
        for leaf in range(leaves):
            path[row, t, leaf] = total[leaves + leaf]
