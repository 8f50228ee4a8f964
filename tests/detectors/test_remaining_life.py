"""The remaining-life model predicts unseen runs, keeps the promise of its intervals, and learns on."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.remaining_life.model import LEAST_RUNS, ConformalBands, Form, RemainingLife
from detectors.remaining_life.run_features import Run, RunFeatures
from tests.detectors.run_to_failure import fleet

CAP = 60.0


def model_of(runs: list[Run], **params: object) -> RemainingLife:
    model = RemainingLife(cap=CAP, spans=(8.0, 32.0), components=2, folds=3, most_readings=80, **params)
    model.learn_history(runs)
    return model


@pytest.fixture(scope="module")
def model() -> RemainingLife:
    return model_of(fleet(0, 30))


def test_unseen_runs_are_predicted_and_their_intervals_hold_the_truth(model: RemainingLife) -> None:
    error, clock, inside, width = [], [], [], []
    life = np.mean([run.age[-1] for run in model.runs])
    for run in fleet(1, 40):
        truth = run.remaining(CAP)
        estimate = model.follow().update(run.age, run.x)
        error.append(np.mean((estimate.remaining - truth) ** 2))
        clock.append(np.mean((np.clip(life - run.age, 0, CAP) - truth) ** 2))
        inside.append(np.mean((estimate.low <= truth) & (truth <= estimate.high)))
        width.append(np.mean(estimate.high - estimate.low))
    assert np.sqrt(np.mean(error)) < 0.5 * np.sqrt(np.mean(clock))
    assert np.mean(inside) >= 0.87
    assert np.mean(width) < 0.6 * CAP


def test_the_split_changes_no_bit_and_nothing_is_told_from_the_future(model: RemainingLife) -> None:
    (run,) = fleet(2, 1)
    whole = model.follow().update(run.age, run.x)
    follower, parts = model.follow(), []
    for part in np.array_split(np.arange(len(run.age)), 7):
        parts.append(follower.update(run.age[part], run.x[part]))
    for name in ("remaining", "low", "high"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name)
        )


def test_intervals_enclose_the_estimate_within_the_cap(model: RemainingLife) -> None:
    for run in fleet(3, 5):
        estimate = model.follow().update(run.age, run.x)
        assert (estimate.low >= 0).all()
        assert (estimate.low <= estimate.remaining).all()
        assert (estimate.remaining <= estimate.high).all()
        assert (estimate.high <= CAP).all()


def test_missing_values_and_dead_sensors_are_survived(model: RemainingLife) -> None:
    (run,) = fleet(4, 1)
    rng = np.random.default_rng(0)
    x = np.where(rng.random(run.x.shape) < 0.3, np.nan, run.x)
    x[:, 0] = np.nan
    estimate = model.follow().update(run.age, x)
    assert np.isfinite(estimate.remaining).all()
    assert abs(estimate.remaining[-1]) < 25


def test_runs_that_verdicts_end_are_learned_online() -> None:
    early, late = fleet(5, LEAST_RUNS), fleet(6, 40)
    model = RemainingLife(cap=CAP, spans=(8.0, 32.0), components=2, folds=3, most_readings=80)
    for run in early[:-1]:
        model.learn_run(run)
    assert not model.ready
    with pytest.raises(RuntimeError, match="5 runs to failure are known"):
        model.follow()
    model.learn_run(early[-1])
    unseen = fleet(7, 15)

    def error() -> float:
        return float(
            np.mean(
                [
                    np.mean((model.follow().update(r.age, r.x).remaining - r.remaining(CAP)) ** 2)
                    for r in unseen
                ]
            )
        )

    before = error()
    for run in late:
        model.learn_run(run)
    assert error() < 0.8 * before


def test_a_wrong_run_is_refused() -> None:
    model = RemainingLife()
    with pytest.raises(ValueError, match="two readings"):
        model.learn_run(Run(np.array([1.0]), np.zeros((1, 2))))
    with pytest.raises(ValueError, match="must rise"):
        model.learn_run(Run(np.array([1.0, 1.0]), np.zeros((2, 2))))
    model.learn_run(Run(np.array([1.0, 2.0]), np.zeros((2, 2))))
    with pytest.raises(ValueError, match="3 sensors; this model's runs have 2"):
        model.learn_run(Run(np.array([1.0, 2.0]), np.zeros((2, 3))))
    with pytest.raises(ValueError, match="coverage"):
        RemainingLife(coverage=1.0)


def test_constant_sensors_have_no_direction() -> None:
    runs = [Run(run.age, np.column_stack([run.x, np.full(len(run.x), 7.0)])) for run in fleet(8, 8)]
    features = RunFeatures(runs, CAP, (8.0,), 2)
    assert np.isfinite(features.of(runs[0].age, runs[0].x)).all()
    assert np.abs(features.directions[-1]).max() < 1e-6


def test_bands_weigh_runs_not_readings() -> None:
    bands = ConformalBands(100.0, bands=1)
    for size in range(19):  # nineteen short runs that were right …
        bands.add(np.full(2, 50.0), np.full(2, 50.0 + 0.01 * size))
    bands.add(np.full(1000, 50.0), np.full(1000, 90.0))  # … and one long one that was not
    low, high = bands.around(np.array([50.0]), 0.8)
    assert low[0] >= 50.0
    assert high[0] < 51.0
    low, high = bands.around(np.array([50.0]), 0.99)
    assert high[0] == 90.0


def bearings(seed: int, runs: int) -> list[Run]:
    """Lives of 2 to 70 hours, a reading every three minutes; temperatures show what is left."""
    rng = np.random.default_rng(seed)
    found = []
    for life in np.exp(rng.uniform(np.log(2.0), np.log(70.0), runs)):
        age = np.linspace(0.0, life, int(20 * life))
        heat = -4.0 * np.log(life - age + 0.1)
        room = rng.normal(20.0, 3.0)  # each on a day of its own
        x = np.column_stack([20.0 + room + heat, 18.0 + room + 0.8 * heat, np.full(len(age), 20.0)])
        found.append(Run(age, x + rng.normal(0, 1.0, x.shape)))
    return found


def test_few_lives_of_any_length_are_told_by_their_logarithm() -> None:
    runs, unseen = bearings(0, 8), bearings(1, 12)
    model = RemainingLife(cap=125.0)
    model.learn_history(runs)
    assert model.form is Form.PLAIN
    usual = np.median([run.age[-1] for run in runs])
    ours, null, falls = [], [], []
    for run in unseen:
        truth = run.remaining(125.0)
        told = model.follow().update(run.age, run.x).remaining
        ours.append(np.mean(np.abs(told - truth)))
        null.append(np.mean(np.abs(np.maximum(usual - run.age, 0.0) - truth)))
        last = told[-len(told) // 5 :]
        falls.append(last[-3:].mean() < last[:3].mean())
    assert np.mean(ours) < 0.7 * np.mean(null)
    assert np.mean(falls) > 0.8


def test_many_lives_are_told_by_features_that_bend(model: RemainingLife) -> None:
    assert model.form is Form.BENT
