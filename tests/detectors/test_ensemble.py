"""Joined scores stay calibrated, and say who raised them."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.decision.ensemble import combine


@pytest.mark.parametrize("weights", [[1.0, 1.0], [3.0, 1.0], [1.0, 1.0, 1.0]])
def test_independent_scores_stay_calibrated(weights: list[float]) -> None:
    scores = np.random.default_rng(2).random((400_000, len(weights)))
    joined, _ = combine(scores, np.array(weights))
    for level, tolerance in ((0.5, 0.08), (0.9, 0.08), (0.99, 0.1), (0.999, 0.2)):
        assert np.mean(joined >= level) / (1 - level) == pytest.approx(1, abs=tolerance), level


def test_detectors_that_agree_change_nothing() -> None:
    score = np.array([0.2, 0.5, 0.99, 1 - 1e-9])
    joined, shares = combine(np.column_stack([score, score]), np.ones(2))
    assert joined == pytest.approx(score)
    assert shares == pytest.approx(np.full((4, 2), 0.5))


def test_one_sure_detector_is_enough_and_is_named() -> None:
    joined, shares = combine(np.array([[0.0, 1 - 1e-8], [1 - 1e-8, 0.999]]), np.ones(2))
    assert (joined > 1 - 1e-7).all()
    assert shares.argmax(axis=1).tolist() == [1, 0]
    assert shares.sum(axis=1) == pytest.approx(np.ones(2))


def test_what_is_missing_is_left_out() -> None:
    joined, shares = combine(np.array([[np.nan, 0.7], [np.nan, np.nan]]), np.array([5.0, 1.0]))
    assert joined[0] == pytest.approx(0.7)
    assert np.isnan(joined[1])
    assert shares.tolist() == [[0.0, 1.0], [0.0, 0.0]]


def test_a_single_detector_is_passed_through() -> None:
    score = np.array([[0.1], [np.nan], [0.9]])
    joined, shares = combine(score, np.ones(1))
    assert np.array_equal(joined, score[:, 0], equal_nan=True)
    assert shares.tolist() == [[1.0], [0.0], [1.0]]
