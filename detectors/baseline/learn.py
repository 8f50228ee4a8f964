"""Grows a baseline by readings believed healthy, and fits it again at every √2 times as many."""

from __future__ import annotations

from math import isnan, nan

import numpy as np

from detectors.baseline.fit import distance, refit
from detectors.baseline.state import BLOCKS, MODELS, PATIENCE, ROWS, YOUNG, Growth, Models, Watch
from detectors.batch import Bools, Floats, Ints
from detectors.compiled import compiled

_GROWTH = 1.41421356
#: What is left of a raised threshold when a baseline has grown by √2.
_FORGIVEN = 0.7
#: The first baseline is kept as it was when it had been fitted to so many readings.
_YOUNG = 200
#: This many readings that a crew calls healthy are a baseline of their own.
_MANY = 32


@compiled
def learn(
    smooth: float,
    first: int,
    most: int,
    longest: int,
    watch: Watch,
    models: Models,
    growth: Growth,
    rows: Ints,
    counts: Ints,
    time: Ints,
    x: Floats,
) -> None:
    """Learn readings ``x`` (n, k) believed healthy.

    A baseline is fitted with its ``first`` readings and grows to ``most``, or for ``longest`` ms.
    """
    k = x.shape[1]
    z, white = np.empty(k), np.empty(k)
    all_follow, all_origin = growth.follow, growth.origin
    count, done, accepting, due, learned, growing = (
        models.used, growth.done, growth.accepting, growth.due, growth.learned, growth.place,
    )  # fmt: skip
    known, now, missed = np.zeros(1, np.bool_), np.empty(k), growth.missed
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        follow, origin = all_follow[row], all_origin[row]
        accepted = accepting[row]
        if accepted and stop - start >= _MANY:
            begin_anew(watch, models, growth, row)
        for i in range(start, stop):
            for c in range(k):
                value = x[i, c]
                if isnan(value):
                    missed[row, c] += 1
                    continue
                missed[row, c] = 0
                if isnan(origin[c]):
                    origin[c] = value
                if isnan(follow[c]) or (accepted and i == start):
                    follow[c] = value
                follow[c] += (value - follow[c]) / smooth
            if done[row] and not accepted:
                continue
            for c in range(k):
                now[c] = nan if missed[row, c] > PATIENCE else follow[c]
            place = growing[row]
            if 0 < place < count[row] and not accepted:
                # of another baseline's: that this one does not know is no news
                far = distance(
                    now, models.center[row, place], models.scale[row, place], models.whitener[row, place],
                    z, white,
                )  # fmt: skip
                if far > models.levels[row, place, 2]:
                    continue
            _take(models, growth, row, now, time[i], accepted, z, white)
            if not accepted and learned[row] >= first and learned[row] >= due[row]:
                _renew(first, most, longest, watch, models, growth, row, time[i], known)
        if accepted and stop > start:
            accepting[row] = False
            if growth.stored[row] >= 16:
                _renew(first, most, longest, watch, models, growth, row, time[stop - 1], known)


@compiled
def begin_anew(watch: Watch, models: Models, growth: Growth, row: int) -> None:
    """What is learned next is a baseline beside those that there are."""
    _make_room(models, row)
    growth.place[row] = models.used[row]
    growth.stored[row] = growth.blocks[row] = growth.filled[row] = growth.learned[row] = 0
    growth.stride[row], growth.length[row] = 1, 4
    growth.due[row], growth.since[row], growth.done[row] = 0.0, -1, False
    watch.standing[row] = watch.over[row] = 0


@compiled
def _make_room(models: Models, row: int) -> None:
    """Make room for one more baseline; the oldest but the first goes when there are too many.

    The place after the last in use is free then.
    """
    if models.used[row] < MODELS:
        return
    for place in range(1, MODELS - 1):
        models.center[row, place] = models.center[row, place + 1]
        models.scale[row, place] = models.scale[row, place + 1]
        models.whitener[row, place] = models.whitener[row, place + 1]
        models.levels[row, place] = models.levels[row, place + 1]
    models.used[row] = MODELS - 1


@compiled
def _take(
    models: Models, growth: Growth, row: int, follow: Floats, time: int, every: bool, z: Floats, white: Floats
) -> None:
    """Keep a row, thinned, and the farthest of its block."""
    learned, stored, stride, filled, blocks, length = (
        growth.learned, growth.stored, growth.stride, growth.filled, growth.blocks, growth.length,
    )  # fmt: skip
    rows, farthest, far, origin = (
        growth.rows[row],
        growth.farthest[row],
        growth.distance[row],
        growth.origin[row],
    )
    k = len(follow)
    if growth.since[row] < 0:
        growth.since[row] = time
    if every or learned[row] % stride[row] == 0:
        if stored[row] == ROWS:
            for i in range(ROWS // 2):
                rows[i] = rows[2 * i]
            stored[row] = ROWS // 2
            stride[row] *= 2
        if every or learned[row] % stride[row] == 0:
            for c in range(k):
                rows[stored[row], c] = np.float32(follow[c] - origin[c])
            stored[row] += 1
    place = growth.place[row]
    off = 0.0
    if place < models.used[row]:
        off = distance(
            follow, models.center[row, place], models.scale[row, place], models.whitener[row, place], z, white
        )
    if filled[row] == 0 and blocks[row] == BLOCKS:
        for i in range(BLOCKS // 2):
            best = 2 * i if far[2 * i] >= far[2 * i + 1] else 2 * i + 1
            farthest[i] = farthest[best]
            far[i] = far[best]
        blocks[row] = BLOCKS // 2
        length[row] *= 2
    at = blocks[row]
    if filled[row] == 0 or off > far[at]:
        far[at] = off
        for c in range(k):
            farthest[at, c] = np.float32(follow[c] - origin[c])
    filled[row] += 1
    if filled[row] >= length[row]:
        blocks[row] += 1
        filled[row] = 0
    learned[row] += 1


@compiled
def _renew(
    first: int,
    most: int,
    longest: int,
    watch: Watch,
    models: Models,
    growth: Growth,
    row: int,
    time: int,
    known: Bools,
) -> None:
    """Fit the baseline that grows, unless commissioning goes on."""
    if time < watch.closed[row]:
        return
    refit(models, growth, row, growth.place[row], known)
    learned = growth.learned[row]
    growth.due[row] = max(growth.due[row], float(first))
    while growth.due[row] <= learned:
        growth.due[row] *= _GROWTH
    if known[0]:
        models.used[row] = growth.place[row] + 1
        if growth.place[row] == 0 and models.young[row] < _YOUNG:
            keep_young(models, row, learned)
        watch.closed[row] = -1
        watch.lenience[row] *= _FORGIVEN
        growth.done[row] = learned >= most or time - growth.since[row] >= longest


@compiled
def keep_young(models: Models, row: int, learned: int) -> None:
    """Keep the first baseline, fitted to ``learned`` readings, as it is now: scores rank by it."""
    models.center[row, YOUNG] = models.center[row, 0]
    models.scale[row, YOUNG] = models.scale[row, 0]
    models.whitener[row, YOUNG] = models.whitener[row, 0]
    models.levels[row, YOUNG] = models.levels[row, 0]
    models.young[row] = learned
