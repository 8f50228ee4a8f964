"""What half-space trees say was usual: each sensor's mean and deviation over the last full window."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.checks.fleet import batch_of
from detectors.half_space_trees.detector import FleetHalfSpaceTrees

WINDOW = 20


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([0.0, 1e6]), st.sampled_from([0.0, 0.3]))
def test_moments_are_those_of_the_last_full_window(seed: int, width: int, level: float, gaps: float) -> None:
    rng = np.random.default_rng(seed)
    x = level + rng.normal(size=(2, 110, width))
    x[rng.random(x.shape) < gaps] = np.nan
    x[1, 50:, 0] = np.nan  # a sensor that fell silent: what was known of it before stays
    fleet = FleetHalfSpaceTrees(width, n_trees=1, height=2, window_size=WINDOW)
    fleet.resize(4)
    rows = np.array([3, 1])
    for row in rows:
        fleet.reset(int(row), seed=1)
    done = np.zeros(2, dtype=np.int64)
    while (done < 110).any():
        counts = np.minimum(110 - done, rng.integers(0, 30, 2))
        fleet.learn(batch_of(rows, x, done, counts))
        done += counts
    found = fleet.score(batch_of(rows, x, np.full(2, 109), np.ones(2, dtype=np.int64))).evidence(np.arange(2))
    for j in range(2):
        mean, deviation = np.full(width, np.nan), np.full(width, np.nan)
        for start in range(0, 100, WINDOW):
            for column in range(width):
                part = x[j, start : start + WINDOW, column]
                part = part[~np.isnan(part)]
                if len(part):
                    mean[column], deviation[column] = part.mean(), part.std()
        np.testing.assert_allclose(found.expected[j], mean, rtol=1e-12)
        off = np.full(width, np.nan)
        known = deviation > 1e-9
        off[known] = ((x[j, 109] - mean) / deviation)[known]
        np.testing.assert_allclose(found.deviation[j][known], off[known], rtol=1e-6, atol=1e-7)
