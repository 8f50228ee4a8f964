"""Calibrated scores mean what they say: a share 1 − p of healthy readings reaches p."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.batch import Batch
from detectors.decision.calibration import FleetCalibrator
from tests.detectors.fleets import batch_of, cuts

MACHINES = 200


def fleet(machines: int, readings: int) -> Batch:
    return batch_of({row: np.zeros((readings, 1)) for row in range(machines)})


def calibrator(machines: int) -> FleetCalibrator:
    made = FleetCalibrator()
    made.resize(machines)
    for row in range(machines):
        made.reset(row, seed=row)
    return made


DISTRIBUTIONS = {
    "exponential": lambda rng, n: rng.exponential(size=n),
    "chi-square": lambda rng, n: rng.chisquare(8, size=n),
    "half normal": lambda rng, n: np.abs(rng.normal(size=n)),
    "far from 0": lambda rng, n: 1e6 + rng.normal(size=n),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("known", [150, 1000])
def test_healthy_readings_reach_a_score_as_often_as_it_says(name: str, known: int) -> None:
    rng, draw = np.random.default_rng(3), DISTRIBUTIONS[name]
    one = calibrator(MACHINES)
    one.learn(fleet(MACHINES, known), draw(rng, MACHINES * known))
    score = one.score(fleet(MACHINES, 500), draw(rng, MACHINES * 500))
    for level, tolerance in ((0.5, 0.05), (0.9, 0.1), (0.99, 0.35), (0.999, 0.8)):
        assert np.mean(score >= level) / (1 - level) == pytest.approx(1, abs=tolerance), level
    assert ((score >= 0) & (score < 1)).all()


def test_equal_scores_are_never_called_rare() -> None:
    one = calibrator(1)
    one.learn(fleet(1, 400), np.full(400, 7.0))
    batch = fleet(1, 3)
    constant, above, below = one.score(batch, np.array([7.0, 8.0, 6.0])).tolist()
    assert constant == 0.0
    assert above > 0.999
    assert below == 0.0


def test_says_nothing_of_nothing_and_before_it_knows_enough() -> None:
    one = calibrator(2)
    batch = batch_of({0: np.zeros((19, 1)), 1: np.zeros((40, 1))})
    one.learn(batch, np.arange(59.0))
    score = one.score(batch_of({0: np.zeros((1, 1)), 1: np.zeros((2, 1))}), np.array([5.0, 5.0, np.nan]))
    assert np.isnan(score).tolist() == [True, False, True]


def test_follows_what_is_healthy_now() -> None:
    one = calibrator(1)
    rng = np.random.default_rng(1)
    one.learn(fleet(1, 512), rng.exponential(size=512))
    before = one.score(fleet(1, 1), np.array([20.0]))[0]
    one.quicken(np.array([0]))
    one.learn(fleet(1, 600), 10 * rng.exponential(size=600))
    after = one.score(fleet(1, 1), np.array([20.0]))[0]
    assert before > 0.9999
    assert 0.7 < after < 0.95


def test_its_quantiles_are_those_of_the_scores_that_it_keeps() -> None:
    rng, one = np.random.default_rng(7), calibrator(1)
    for stretch in range(1, 400):
        if stretch == 200:
            one.quicken(np.array([0]))
        one.learn(fleet(1, 16), rng.integers(0, 100, 16) + 0.5)  # many ties
        kept, knots = np.sort(one.dump(0)["kept"]), one.dump(0)["tail"][:-2]
        if len(kept) >= 20:
            smallest = [int(np.ceil((len(kept) + 1) * share)) for share in (0.25, 0.5, 0.7, 0.8, 0.85, 0.9)]
            assert knots.tolist() == [kept[number - 1] for number in smallest]
    again = calibrator(1)
    again.load(0, one.dump(0))
    for both in (one, again):  # what is kept next goes where it belongs after a restart too
        both.quicken(np.array([0]))
        both.learn(fleet(1, 160), np.arange(160.0))
    assert np.array_equal(one.dump(0)["tail"], again.dump(0)["tail"])


def test_evidence_is_the_mean_of_what_scores_say() -> None:
    rng, one = np.random.default_rng(8), calibrator(3)
    one.learn(fleet(2, 320), rng.exponential(size=640))
    batch, raw = (
        batch_of({0: np.zeros((16, 1)), 1: np.zeros((9, 1)), 2: np.zeros((4, 1))}),
        rng.exponential(size=29),
    )
    raw[20] = np.nan
    score = one.score(batch, raw)
    mean = one.evidence(batch, raw, most=2.0)
    assert mean[0] == pytest.approx(np.minimum(-np.log1p(-score[:16]), 2.0).mean())
    assert np.isnan(mean[1:]).all(), "one is missing; the third machine knows nothing yet"


def test_cutting_batches_changes_no_bit_and_a_dump_goes_on() -> None:
    rng = np.random.default_rng(5)
    batch = batch_of({0: np.zeros((700, 1)), 3: np.zeros((90, 1)), 2: np.zeros((333, 1))})
    raw = rng.exponential(size=len(batch))
    raw[rng.random(len(batch)) < 0.1] = np.nan
    whole, cut, other = calibrator(4), calibrator(4), calibrator(4)
    whole.learn(batch, raw)
    for part, at in cuts(batch, rng, 9):
        cut.learn(part, raw[at])
    for row in (0, 2, 3):
        other.load(row, whole.dump(row))
    again = rng.exponential(size=len(batch)) * 4
    expected = whole.score(batch, again)
    assert np.array_equal(cut.score(batch, again), expected)
    assert np.array_equal(other.score(batch, again), expected)


def test_a_dump_of_another_size_is_refused() -> None:
    small, one = FleetCalibrator(size=64), calibrator(1)
    small.resize(1)
    one.learn(fleet(1, 200), np.arange(200.0))
    with pytest.raises(ValueError, match="do not fit"):
        small.load(0, one.dump(0))
