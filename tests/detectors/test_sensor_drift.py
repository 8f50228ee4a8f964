"""The model of how sensors go together is that of the readings it learned."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.quality.sensor_drift import SensorDrift
from tests.detectors.fleets import batch_of


@pytest.mark.parametrize("width", [3, 8, 32])
def test_the_model_is_the_inverse_of_the_correlations(width: int) -> None:
    rng = np.random.default_rng(width)
    x = 1e4 + rng.normal(size=(640, 2)) @ rng.normal(size=(2, width)) + rng.normal(0, 0.2, (640, width))
    x[:, 1] = 7.0  # a constant goes with nothing
    missing = x[:100].copy()
    missing[:, 0] = np.nan
    drift = SensorDrift(width)
    drift.resize(2)
    drift.learn(batch_of({1: np.concatenate((missing, x))}))
    z = (x - x.mean(axis=0)) / np.where(np.arange(width) == 1, np.inf, x.std(axis=0))
    correlation = z.T @ z / len(z) + np.diag(np.where(np.arange(width) == 1, 1.0, 1e-3))
    precision = np.linalg.inv(correlation)
    np.testing.assert_allclose(drift["mean"][1], x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(drift["precision"][1], precision, rtol=1e-6, atol=1e-6)
    foretold = 1.0 - 1.0 / np.diagonal(precision) >= 0.97
    assert drift["redundant"][1].tolist() == (foretold & (np.arange(width) != 1)).tolist()
    assert drift["redundant"][1].any() == (width > 3)
    assert not drift["number"][0]
