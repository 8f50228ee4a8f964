"""Sums whose rounding does not depend on how many readings are summed beside each other, or in which batch.

NumPy's own sums choose their order by the arrays' shapes and strides, and its matrix products by the
processor too: the same reading could then score differently in another batch.
"""

from __future__ import annotations

import numpy as np

from detectors.batch import Batch, Floats
from detectors.compiled import compiled


def fold(terms: Floats) -> Floats:
    """Sum over the last axis by adding its halves, again and again.

    >>> fold(np.array([[1.0, 2.0, 3.0], [0.5, 0.25, 0.25]])).tolist()
    [6.0, 1.0]
    """
    while terms.shape[-1] > 1:
        half = terms.shape[-1] // 2
        left, middle, right = terms[..., :half], terms[..., half:-half], terms[..., -half:]
        terms = left + right
        if middle.shape[-1]:
            terms[..., 0] += middle[..., 0]
    total: Floats = terms[..., 0] if terms.shape[-1] else terms.sum(axis=-1)
    return total


@compiled
def fold_row(terms: Floats) -> float:
    """As `fold`, of one row (n,), in a kernel; ``terms`` is used up.

    >>> fold_row(np.array([1.0, 2.0, 3.0]))
    6.0
    """
    n = len(terms)
    while n > 1:
        half = n // 2
        for i in range(half):
            terms[i] += terms[n - half + i]
        if n % 2:
            terms[0] += terms[half]
        n = half
    return terms[0] if n else 0.0


def add_in_order(batch: Batch, start: Floats, terms: Floats) -> Floats:
    """To each machine's ``start`` (m, …) add its readings' ``terms`` (n, …), one after the other.

    >>> b = Batch(np.array([0, 1]), np.array([2, 1]), np.zeros(3, dtype=int), np.zeros((3, 1)))
    >>> add_in_order(b, np.array([10.0, 20.0]), np.array([1.0, 2.0, 3.0])).tolist()
    [13.0, 23.0]
    """
    total = start.copy()
    steps = int(batch.counts.max(initial=0))
    if len(batch.rows) < steps:  # few machines, many readings: a run a machine
        for column, (first, count) in enumerate(
            zip(batch.starts.tolist(), batch.counts.tolist(), strict=True)
        ):
            run = np.concatenate([total[column : column + 1], terms[first : first + count]])
            total[column] = np.add.accumulate(run, axis=0)[-1]
    elif int(batch.counts.min(initial=0)) == steps:
        block = terms.reshape(len(batch.rows), steps, *terms.shape[1:])
        for step in range(steps):
            total += block[:, step]
    else:  # the machines with most readings first: those that still have one stand together
        order = np.argsort(-batch.counts, kind="stable")
        first_of, left = batch.starts[order], np.sort(batch.counts)
        run = total[order]
        for step in range(steps):
            some = len(left) - int(np.searchsorted(left, step, side="right"))
            run[:some] += terms.take(first_of[:some] + step, axis=0)
        total[order] = run
    return total
