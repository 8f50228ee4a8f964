"""Several detectors' calibrated scores as one that is calibrated too: the Cauchy combination.

Liu & Xie, "Cauchy combination test", JASA 2020: the weighted mean of cot(π p) of the p-values p is Cauchy
again, exactly when they are independent or all the same, and in the tail however they depend.
"""

from __future__ import annotations

import numpy as np

from detectors.batch import Floats
from detectors.compiled import compiled

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
    if scores.shape[1] == 1:
        return scores[:, 0].copy(), np.where(np.isnan(scores), 0.0, 1.0)
    score, shares = np.empty(len(scores)), np.zeros(scores.shape)
    _combine(scores, weights, score, shares)
    return score, shares


@compiled
def _combine(scores: Floats, weights: Floats, score: Floats, shares: Floats) -> None:
    """Fill in ``score`` (n,) and ``shares`` (n, d), which are 0."""
    n, d = scores.shape
    for i in range(n):
        total = weight = raising = 0.0
        for j in range(d):
            rare = 1 - scores[i, j]
            if not np.isnan(rare):
                evidence = 1 / np.tan(np.pi * min(max(rare, _SMALLEST), _DULL))
                total += weights[j] * evidence
                weight += weights[j]
                shares[i, j] = weights[j] * max(evidence, 1e-6)
                raising += shares[i, j]
        if weight > 0:
            score[i] = 1 - np.arctan2(weight, total) / np.pi  # arccot, in (0, 1)
            for j in range(d):
                shares[i, j] /= raising
        else:
            score[i] = np.nan
