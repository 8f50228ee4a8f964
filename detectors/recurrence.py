"""Smoothing along each machine's readings, with the same bits however they are split into batches."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from detectors.batch import Batch, Bools, Floats, Ints


def smoothed(batch: Batch, values: Floats, last: Floats, weight: float) -> Floats:
    """Exponentially weighted mean y ← y + weight·(v − y) along each machine's readings.

    ``values`` (n, …); ``last`` (m, …) is y before the machine's first reading here. NaN in ``values``
    leaves y as it is. Gives y (n, …). The filter runs one reading after the other, so that a batch cut
    in two gives the same bits.

    >>> b = Batch(np.array([0]), np.array([3]), np.arange(3), np.zeros((3, 1)))
    >>> smoothed(b, np.array([4.0, np.nan, 8.0]), np.array([0.0]), 0.5).tolist()
    [2.0, 2.0, 5.0]
    """
    if not len(batch):
        return values.copy()
    if not values.any() and not last.any():
        return np.zeros(values.shape)
    flat = values.reshape(len(batch), -1)
    start = last.reshape(len(batch.rows), -1)
    if not np.isnan(flat).any():
        out = batch.flat(_filter(batch.dense(flat), start, weight))
        return out.reshape(values.shape)
    out = np.empty_like(flat)
    for column in range(flat.shape[1]):  # each with its own gaps closed up
        known = ~np.isnan(flat[:, column])
        part = batch.select(known)
        dense = part.dense(flat[known, column])
        if len(dense):
            dense = _filter(dense, start[:, column], weight)
        # a missing value repeats the last one before it, or the start
        seen = np.cumsum(known) - 1
        before = np.concatenate(([0], np.cumsum(part.counts)[:-1]))[batch.column_of]
        inside = seen >= before
        ys = part.flat(dense) if len(dense) else np.empty(0)
        out[:, column] = start[batch.column_of, column]
        out[inside, column] = ys[seen[inside]]
    return out.reshape(values.shape)


def _filter(dense: Floats, start: Floats, weight: float) -> Floats:
    keep = 1.0 - weight
    result: Floats = lfilter([weight], [1.0, -keep], dense, axis=0, zi=(keep * start)[None])[0]
    return result


def last_index(batch: Batch, true: Bools) -> Ints:
    """(n, …) index of the machine's latest reading, up to and with this one, where ``true`` (n, …) holds.

    -1 when there is none in this batch.

    >>> b = Batch(np.array([0, 1]), np.array([3, 1]), np.arange(4), np.zeros((4, 1)))
    >>> last_index(b, np.array([False, True, False, False])).tolist()
    [-1, 1, 1, -1]
    """
    extra = (1,) * (true.ndim - 1)
    index = np.arange(len(batch)).reshape(-1, *extra)
    if true.all():
        return np.broadcast_to(index, true.shape)
    if not true.any():
        return np.full(true.shape, -1, dtype=np.int64)
    at = np.where(true, index, -1)
    at = np.maximum.accumulate(at, axis=0)
    found: Ints = np.where(at >= batch.starts[batch.column_of].reshape(-1, *extra), at, -1)
    return found


def held(batch: Batch, true: Bools, broken: Bools, count: Ints, since: Ints) -> tuple[Ints, Ints]:
    """How often ``true`` (n, …) came since ``broken`` (n, …) last did, and when (ms) it first did so.

    ``count`` and ``since`` (m, …) are what stood before the machine's first reading here. Where the
    count is 0 the time means nothing and is 0.

    >>> b = Batch(np.array([0]), np.array([4]), np.array([10, 20, 30, 40]), np.zeros((4, 1)))
    >>> yes = np.array([True, True, False, True])
    >>> held(b, yes, ~yes, np.array([2]), np.array([5]))
    (array([3, 4, 0, 1]), array([ 5,  5,  0, 40]))
    """
    if not len(batch):
        return np.zeros(true.shape, dtype=np.int64), np.zeros(true.shape, dtype=np.int64)
    true = true & ~broken
    total = np.cumsum(true, axis=0)
    before = np.concatenate((np.zeros_like(total[:1]), total))
    cut = last_index(batch, broken)
    at_cut = np.take_along_axis(total, np.maximum(cut, 0), axis=0)
    at_start = before[batch.starts][batch.column_of]
    number = np.where(cut >= 0, total - at_cut, count[batch.column_of] + total - at_start)
    first = last_index(batch, true & (number == 1))
    times = np.where((first >= 0) & (first > cut), batch.time[first], since[batch.column_of])
    return number, np.where(number > 0, times, 0)


def latched(batch: Batch, on: Bools, off: Bools, before: Bools) -> Bools:
    """(n, …) True from where ``on`` holds until ``off`` does; neither = as before. ``before`` (m, …).

    >>> b = Batch(np.array([0]), np.array([4]), np.arange(4), np.zeros((4, 1)))
    >>> on, off = np.array([0, 1, 0, 0], dtype=bool), np.array([0, 0, 0, 1], dtype=bool)
    >>> latched(b, on, off, np.array([False])).tolist()
    [False, True, True, False]
    """
    if not on.any() and not before.any():
        return np.zeros(on.shape, dtype=bool)
    set_at, reset_at = last_index(batch, on), last_index(batch, off & ~on)
    return np.where((set_at < 0) & (reset_at < 0), before[batch.column_of], set_at > reset_at)
