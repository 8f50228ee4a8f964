"""A falling health is extrapolated with an interval; a steady one, and one that was repaired, is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.prognosis_coverage import SHAPES, life
from detectors.batch import Floats
from detectors.health.prognosis import FleetPrognosis, PrognosisResult
from tests.detectors.fleets import batch_of, cuts

MINUTE = 60_000


def follow(health: Floats, **params: float) -> list[PrognosisResult]:
    prognosis = FleetPrognosis(**params)
    prognosis.resize(1)
    return prognosis.update(batch_of({0: np.zeros((len(health), 1))}, step=MINUTE), health)


def noisy(path: Floats, seed: int, size: float = 3.0) -> Floats:
    """With noise that resembles itself, as smoothed health does."""
    rng = np.random.default_rng(seed)
    noise = np.zeros(len(path))
    for i in range(1, len(path)):
        noise[i] = 0.98 * noise[i - 1] + rng.normal(0, size * 0.2)
    return np.clip(path + noise, 0, 100)


def test_a_steady_fall_is_met_and_its_interval_narrows() -> None:
    path = np.concatenate((np.full(1000, 100.0), np.linspace(100, 30, 6000)))
    told = [r for r in follow(noisy(path, 1)) if r.remaining is not None]
    assert told[0].index > 1000
    truth = {r.index: (7000 - r.index) * MINUTE / 3.6e6 for r in told}
    inside = [r.low <= truth[r.index] <= (np.inf if r.high is None else r.high) for r in told]
    assert np.mean(inside) > 0.9
    late = [r for r in told if 5000 < r.index < 6500]
    assert late
    assert np.median([abs(r.remaining - truth[r.index]) / truth[r.index] for r in late]) < 0.3
    early = [r.high - r.low for r in told if r.high is not None and r.index < 4000]
    assert np.median([r.high - r.low for r in late if r.high is not None]) < np.median(early)


def test_the_interval_of_growing_damage_begins_before_a_straight_line_ends() -> None:
    n = 6000
    path = 100 - 70 * np.expm1(4 * np.arange(n) / n) / np.expm1(4)
    compared = []
    for r in follow(noisy(path, 2, 1.0)):
        if r.remaining is not None and n // 2 < r.index < 0.95 * n:
            slope = (path[r.index - 100] - path[r.index]) / 100
            compared.append(r.low / ((path[r.index] - 30) / slope * MINUTE / 3.6e6))
    assert np.median(compared) < 0.8


def test_intervals_keep_their_promise_over_lives_of_all_kinds() -> None:
    inside = [life(shape, seed, {})["inside"] for shape in SHAPES for seed in range(1)]
    assert np.nanmean(inside) > 0.8


@pytest.mark.parametrize("level", [100.0, 60.0])
def test_a_steady_health_has_no_prognosis(level: float) -> None:
    told = [r for seed in range(10) for r in follow(noisy(np.full(4000, level), seed))]
    assert len(told) == 10 * 4000 // 32
    assert np.mean([r.remaining is not None for r in told]) < 0.03


def test_after_a_repair_the_old_trend_is_dropped() -> None:
    path = np.concatenate((np.linspace(100, 50, 2000), np.full(3000, 98.0)))
    results = follow(noisy(path, 3, 1.0))
    assert any(r.remaining is not None for r in results if 1000 < r.index < 2000)
    assert all(r.remaining is None for r in results if r.index > 3500)


def test_beyond_the_horizon_nothing_is_told() -> None:
    path = np.linspace(100, 90, 5000)
    assert any(r.remaining is not None for r in follow(noisy(path, 4, 0.2)))
    assert all(r.remaining is None for r in follow(noisy(path, 4, 0.2), horizon=10.0))


def test_a_machine_that_runs_on_under_its_threshold_is_not_told_that_no_time_is_left() -> None:
    results = follow(noisy(np.linspace(100, 20, 4000), 5, 1.0))
    assert all(r.remaining is None or r.remaining > 0.0 for r in results)
    assert any(r.remaining is not None for r in results)
    last = results[-1]
    assert last.health < last.threshold
    assert (last.remaining, last.low, last.high) == (None, None, None)


def test_results_name_reading_time_and_threshold() -> None:
    results = follow(np.linspace(100, 40, 320))
    assert [r.index for r in results] == list(range(31, 320, 32))
    assert results[0].time == batch_of({0: np.zeros((320, 1))}, step=MINUTE).time[31]
    assert results[0].threshold == 30.0


@given(seed=st.integers(0, 10_000), parts=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_splits_and_snapshots_change_nothing(seed: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 700, 2)
    batch = batch_of({3: np.zeros((counts[0], 1)), 1: np.zeros((counts[1], 1))}, step=MINUTE)
    health = noisy(np.concatenate([np.linspace(100, rng.uniform(0, 100), n) for n in counts]), seed)
    health[rng.random(len(health)) < 0.05] = np.nan
    whole, split = FleetPrognosis(), FleetPrognosis()
    for stage in (whole, split):
        stage.resize(4)
    expected = whole.update(batch, health)
    found: list[PrognosisResult] = []
    for part, at in cuts(batch, rng, parts):
        for r in split.update(part, health[at]):
            found.append(
                PrognosisResult(
                    row=r.row,
                    index=int(at[r.index]),
                    time=r.time,
                    health=r.health,
                    threshold=r.threshold,
                    remaining=r.remaining,
                    low=r.low,
                    high=r.high,
                )
            )
        for row in (1, 3):
            saved = split.dump(row)
            split.reset(row, 0)
            split.load(row, saved)
    key = lambda r: r.index  # noqa: E731
    assert repr(sorted(found, key=key)) == repr(sorted(expected, key=key))
