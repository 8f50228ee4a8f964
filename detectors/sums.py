"""Sums whose rounding does not depend on how many readings are summed beside each other."""

from __future__ import annotations

from detectors.batch import Floats


def fold(terms: Floats) -> Floats:
    """Sum over the last axis by adding its halves, again and again.

    NumPy's own sums choose their order by the arrays' shapes and strides, and its matrix products by the
    processor too: the same reading could then score differently in another batch.

    >>> import numpy as np
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
