"""Whatever the scores are like, alarms settle at the budget."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.decision.budget import FleetBudget
from tests.detectors.fleets import batch_of

HOUR = 3_600_000


def budget(days: float = 1.0, detectors: int = 1) -> FleetBudget:
    made = FleetBudget(detectors, days)
    made.resize(1)
    made.reset(0, 0)
    return made


@pytest.mark.parametrize("days", [0.5, 2.0])
def test_a_detector_that_cries_wolf_is_held_to_the_budget(days: float) -> None:
    """Its evidence has twice the scale it should have: 3.4 alarms a day without this."""
    rng, one = np.random.default_rng(4), budget(days)
    x = batch_of({0: np.zeros((1, 1))})
    alarms, hours = 0, 24 * 400
    for hour in range(hours):
        score = -np.expm1(-2.0 * rng.exponential(size=(1, 1)))
        if one.apply(x, score)[0, 0] >= 0.98:
            alarms += 1
            one.count(0, np.ones(1))
        one.settle(np.array([0]), np.array([hour * HOUR]))
    assert alarms / (hours / 24) == pytest.approx(1 / days, rel=0.2)


def test_the_body_of_the_scores_is_left_alone_and_order_is_kept() -> None:
    one = budget()
    for _ in range(3):
        one.count(0, np.ones(1))
    one.settle(np.array([0]), np.array([0]))
    score = np.array([0.0, 0.3, 0.9, 0.99, 0.9999, np.nan])[:, None]
    after = one.apply(batch_of({0: np.zeros((6, 1))}), score)
    assert after[:3].tolist() == score[:3].tolist()
    assert (after[3:5] < score[3:5]).all()
    assert after[3, 0] < after[4, 0]
    assert np.isnan(after[5, 0])


def test_only_the_detector_that_raised_it_pays_and_a_confirmed_fault_gives_it_back() -> None:
    one = budget(detectors=2)
    one.count(0, np.array([1.0, 0.0]))
    one.settle(np.array([0]), np.array([0]))
    assert one["log"][0].tolist() == [0.5, 0.0]
    one.credit(0)
    assert one["log"][0].tolist() == [0.0, 0.0]
    one.debit(0)
    one.settle(np.array([0]), np.array([24 * HOUR]))
    assert one["log"][0] == pytest.approx(np.zeros(2)), "a day without an alarm gives a step back"
