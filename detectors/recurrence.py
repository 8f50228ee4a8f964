"""Smoothing along each machine's readings, with the same bits however they are split into batches."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from detectors.batch import Batch, Floats


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
