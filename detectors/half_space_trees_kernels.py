"""Kernels of `detectors.half_space_trees`: readings go down their machines' trees, one after the other."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.batch import Bools, Floats, Ints
from detectors.compiled import compiled
from detectors.forests import Columns, Masses
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
def walk(
    trees: Trees, feature: Columns, threshold: Floats, row: int, x: Floats, gap: bool, node: Nodes
) -> None:
    """Walk the reading ``x`` (k,) down the trees of ``row``; ``node`` (t,) tells the leaves it came to.

    All trees go down a level before any goes further: so the processor has t steps to do at a time, where a
    walk by itself is a chain of look-ups that wait for each other. (Unsigned numbers, since of others
    Numba asks first whether they count from the end.)

    Where a value is missing (``gap`` says that one may be) the walk takes the busier branch of the running
    window, as River's does.
    """
    forest = trees.forest[row]
    for t in range(len(node)):
        node[t] = 1
    for depth in range(trees.height):
        for t in range(len(node)):
            at = node[t]
            value = x[feature[forest, t, at]]
            right = value >= threshold[forest, t, at]
            if gap and value != value:
                right = _right_is_busier(trees, row, t, at, depth)
            node[t] = 2 * at + right
    for t in range(len(node)):
        node[t] -= 1 << trees.height


@compiled
def _right_is_busier(trees: Trees, row: int, t: int, node: int, depth: int) -> bool:
    """Whether more of the running window's readings are below the node's right child than its left."""
    below = 1 << (trees.height - depth - 1)  # leaves
    middle = (2 * node + 1) * below - 2 * below * (1 << depth)
    more = 0
    for j in range(below):
        more += int(trees.now[row, t, middle + j]) - int(trees.now[row, t, middle - below + j])
    return more > 0


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
    n_trees, leaves = trees.now.shape[1], trees.now.shape[2]
    top = n_trees * trees.window * (2 * leaves - 1)
    node = np.empty(n_trees, dtype=np.uint32)
    unit = np.empty(x.shape[1])
    i = -1
    for m in range(len(rows)):
        row = rows[m]
        for _ in range(counts[m]):
            i += 1
            gap = to_unit(trees.low, trees.high, row, x, i, unit) if scaled else _copy(x, i, unit)
            walked = False
            if scoring:
                raw[i] = math.nan
                if trees.ready[row]:
                    walk(trees, feature, threshold, row, unit, gap, node)
                    walked = True
                    total = 0
                    for t in range(n_trees):
                        total += int(trees.path[row, t, node[t]])
                    raw[i] = 1 - (n_trees * trees.window + 2 * total) / top
            if learning:
                if scaled and widen(trees.low, trees.high, row, x, i):
                    gap = to_unit(trees.low, trees.high, row, x, i, unit)
                    walked = False
                if not walked:
                    walk(trees, feature, threshold, row, unit, gap, node)
                for t in range(n_trees):
                    trees.now[row, t, node[t]] += 1
                if telling:
                    add_to_moments(trees.moments, row, x, i)
                trees.counter[row] += 1
                if trees.counter[row] == trees.window:
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
    if telling:
        turn_moments(trees.moments, row, trees.window)
    trees.last[row] = trees.now[row]
    trees.now[row] = 0
    trees.counter[row] = 0
    trees.ready[row] = True
    tabulate(trees, row)


@compiled
def tabulate(trees: Trees, row: int) -> None:
    """Each leaf's path score: the sum of mass × 2**depth down to it, or to where the mass is under ``stop``.

    Kept is half of it without the root's part, which every path has: that fits in two bytes.
    """
    n_trees, leaves = trees.last.shape[1], trees.last.shape[2]
    mass = np.empty(2 * leaves, dtype=np.int64)
    total = np.zeros(2 * leaves, dtype=np.int64)
    for t in range(n_trees):
        for leaf in range(leaves):
            mass[leaves + leaf] = trees.last[row, t, leaf]
        for node in range(leaves - 1, 0, -1):
            mass[node] = mass[2 * node] + mass[2 * node + 1]
        weight = 1
        for depth in range(1, trees.height + 1):
            for node in range(1 << depth, 2 << depth):
                above = node >> 1
                total[node] = total[above] + (weight * mass[node] if mass[above] >= trees.stop else 0)
            weight *= 2
        for leaf in range(leaves):
            trees.path[row, t, leaf] = total[leaves + leaf]
