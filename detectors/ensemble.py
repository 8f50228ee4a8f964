"""Several detectors' calibrated scores as one that is calibrated too: the Cauchy combination.

Liu & Xie, "Cauchy combination test", JASA 2020: the weighted mean of cot(π p) of the p-values p is Cauchy
again, exactly when they are independent or all the same, and in the tail however they depend.
"""

from __future__ import annotations

import numpy as np

from detectors.batch import Floats

#: p-values from here on count alike: a detector that is sure of "normal" must not silence the others.
_DULL = 0.9
_SMALLEST = 1e-15


def combine(scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Join the scores (n, d) of d detectors with ``weights`` (d,): score (n,), shares (n, d).

    ``shares`` say who raised the score; rows sum to 1. A detector that says NaN is left out; where all
    do, the score is NaN and the shares are 0.

    >>> score, shares = combine(np.array([[0.5, 0.9999], [0.3, np.nan]]), np.ones(2))
    >>> score.round(4).tolist(), shares.round(2).tolist()
    ([0.9998, 0.3], [[0.0, 1.0], [1.0, 0.0]])
    """
    n, d = scores.shape
    if d == 1:
        return scores[:, 0].copy(), np.where(np.isnan(scores), 0.0, 1.0)
    total, weight, raising = np.zeros(n), np.zeros(n), np.zeros(n)
    parts = np.zeros((n, d))
    for i in range(d):
        rare = 1 - np.ascontiguousarray(scores[:, i])
        says = ~np.isnan(rare)
        evidence = 1 / np.tan(np.pi * np.clip(np.where(says, rare, 0.5), _SMALLEST, _DULL))
        total += np.where(says, weights[i] * evidence, 0.0)
        weight += np.where(says, weights[i], 0.0)
        parts[:, i] = np.where(says, weights[i] * np.maximum(evidence, 1e-6), 0.0)
        raising += parts[:, i]
    some = weight > 0
    rare = np.arctan2(np.where(some, weight, 1.0), total) / np.pi  # arccot, in (0, 1)
    score = np.where(some, 1 - rare, np.nan)
    return score, parts / np.where(some, raising, 1.0)[:, None]
