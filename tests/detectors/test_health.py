"""Health falls with damage, stays while nothing is wrong, comes back after a repair, and forgets nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.batch import Batch, Floats
from detectors.health.health import FleetHealth
from detectors.health.wear import FleetWear
from tests.detectors.fleets import batch_of, cuts

DAY = 86_400_000


def health_of(score: Floats) -> Floats:
    health = FleetHealth()
    health.resize(1)
    batch = batch_of({0: np.zeros((len(score), 1))})
    return health.update(batch, score, np.ones(len(score), dtype=np.uint8), np.zeros(len(score)))


def calibrated(rng: np.random.Generator, surprise: Floats) -> Floats:
    """Scores whose surprise is exponential with the given mean."""
    return -np.expm1(-rng.exponential(surprise))


def test_a_healthy_machine_stays_near_100() -> None:
    health = health_of(calibrated(np.random.default_rng(0), np.ones(20_000)))
    assert np.mean(health == 100) > 0.95
    assert health.min() > 90


def test_health_falls_with_damage_and_recovers_after_repair() -> None:
    surprise = np.concatenate((np.ones(500), np.linspace(1, 28, 2000), np.ones(1000)))
    health = health_of(calibrated(np.random.default_rng(1), surprise))
    stages = [health[i : i + 200].mean() for i in (300, 900, 1300, 1700, 2100)]
    assert stages == sorted(stages, reverse=True)
    assert stages[-1] < 40
    assert health[-200:].min() > 90


def test_at_a_lasting_alarm_threshold_health_is_about_three_quarters() -> None:
    assert health_of(np.full(2000, 0.999))[-1] == pytest.approx(76, abs=1)


def test_an_unknown_score_changes_nothing() -> None:
    score = np.full(400, 0.9999)
    score[200:] = np.nan
    health = health_of(score)
    assert (health[200:] == health[199]).all()


def test_a_certain_anomaly_is_no_error() -> None:
    assert health_of(np.ones(1000))[-1] == 0.0


def wear_of(x: Floats, step: int = 30_000) -> Floats:
    wear = FleetWear(x.shape[1])
    wear.resize(1)
    return wear.update(batch_of({0: x}, step=step), np.zeros(len(x), dtype=bool))


N = 40_000  # two weeks at 30 s


def noise(seed: int) -> Floats:
    return np.random.default_rng(seed).normal(0, 1, (N, 3))


def day(amplitude: float) -> Floats:
    return amplitude * np.sin(2 * np.pi * np.arange(N) * 30_000 / DAY)[:, None]


def test_creeping_wear_is_seen_though_it_is_slow() -> None:
    distance = wear_of(noise(0) + np.linspace(0, 10, N)[:, None] * [0, 1, 0])
    assert distance[-1] > 8
    monthly = distance[N // 4 :: N // 8]
    assert (np.diff(monthly) > 0).all()


NATURES = {
    "noise": noise(1),
    "day": noise(2) + day(3),
    "heavy tails": np.random.default_rng(4).standard_t(2, (N, 3)),
    "quantised": np.round(noise(5)),
    "constant": np.ones((N, 3)),
    "on off": noise(6) + 5.0 * np.repeat(np.random.default_rng(6).integers(0, 2, N // 400), 400)[:, None],
    "missing": np.where(np.random.default_rng(7).random((N, 3)) < 0.7, np.nan, noise(7)),
    "nothing": np.full((N, 3), np.nan),
}


@pytest.mark.parametrize("nature", NATURES)
def test_wandering_is_not_wear(nature: str) -> None:
    assert wear_of(NATURES[nature]).max() < 6.0


def test_a_random_walk_is_the_worst_and_does_not_end_a_machine() -> None:
    worst = [wear_of(np.cumsum(noise(seed), axis=0)).max() for seed in range(3, 8)]
    assert max(worst) < 9.6  # health 30, the threshold of prognosis


def test_a_repaired_machine_is_as_new() -> None:
    x = noise(8)
    x[20_000:30_000, 0] += 20.0
    distance = wear_of(x)
    assert distance[29_000] > 6
    assert distance[-1] < 2


@given(seed=st.integers(0, 10_000), parts=st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_splits_and_snapshots_change_nothing(seed: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (1400, 2))
    x[rng.random(x.shape) < 0.2] = np.nan
    batch = batch_of({2: x[:1100], 0: x[1100:]}, step=600_000)
    score, alarmed = rng.random(len(batch)), rng.random(len(batch)) < 0.01
    state = np.ones(len(batch), dtype=np.uint8)
    wears, healths = [FleetWear(2) for _ in range(2)], [FleetHealth() for _ in range(2)]
    for stage in (*wears, *healths):
        stage.resize(3)
        for row in range(3):
            stage.reset(row, row)
    distance = wears[0].update(batch, alarmed)
    health = healths[0].update(batch, score, state, distance)
    found, found_health = np.empty(len(batch)), np.empty(len(batch))
    for part, at in cuts(batch, rng, parts):
        found[at] = wears[1].update(part, alarmed[at])
        found_health[at] = healths[1].update(part, score[at], state[at], found[at])
        for stage in (wears[1], healths[1]):
            for row in (0, 2):
                saved = stage.dump(row)
                stage.reset(row, 0)
                stage.load(row, saved)
    np.testing.assert_array_equal(found, distance)
    np.testing.assert_array_equal(found_health, health)
    for row in (0, 2):
        for kind, values in wears[0].dump(row).items():
            np.testing.assert_array_equal(values, wears[1].dump(row)[kind])


def test_an_empty_batch_is_taken() -> None:
    wear, health = FleetWear(2), FleetHealth()
    wear.resize(1)
    health.resize(1)
    empty = Batch(np.array([0]), np.array([0]), np.empty(0, dtype=np.int64), np.empty((0, 2)))
    distance = wear.update(empty, np.empty(0, dtype=bool))
    assert health.update(empty, np.empty(0), np.empty(0, dtype=np.uint8), distance).shape == (0,)
