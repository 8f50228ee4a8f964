"""The baseline: what it learns, what cannot move it, and what it takes for usual."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.baseline.detector import FleetBaseline
from detectors.baseline.score import THRESHOLD
from detectors.batch import Batch, Floats, Ints

MINUTE, DAY = 60_000, 86_400_000
START = 1_700_006_400_000  # a midnight
ROW = np.array([0])


def made(width: int) -> FleetBaseline:
    detector = FleetBaseline(width)
    detector.resize(1)
    detector.reset(0, 1)
    return detector


def batch(x: Floats, first: int = 0, step: int = MINUTE) -> Batch:
    time: Ints = START + step * (first + np.arange(len(x)))
    return Batch(ROW, np.array([len(x)]), time, x)


def watched(detector: FleetBaseline, x: Floats, step: int = MINUTE) -> Floats:
    """Evidence (n,) that decides, as a monitor has it: a block is learned when it and the next were quiet."""
    out = np.full(len(x), np.nan)
    before: tuple[Batch, bool] | None = None
    for start in range(0, len(x), 16):
        part = batch(x[start : start + 16], start, step)
        found = detector.score(part).decisive
        assert found is not None
        out[start : start + 16] = found
        loud = bool((np.nan_to_num(found) >= THRESHOLD).sum() >= 5)
        if before is not None and not (before[1] or loud):
            detector.learn(before[0])
        before = part, loud
    return out


def sensors(n: int, width: int = 4, seed: int = 1) -> Floats:
    rng = np.random.default_rng(seed)
    load = rng.normal(size=(n, 1))
    values: Floats = 50.0 + 0.6 * load + 0.8 * rng.normal(size=(n, width))
    return values


def test_quiet_on_noise_from_the_first_hundred_readings_on() -> None:
    found = watched(made(4), sensors(6000))
    assert np.isnan(found[:100]).all()
    assert np.isfinite(found[160:]).all()
    assert (found[160:] >= THRESHOLD).sum() < 5
    assert np.median(found[1000:]) == pytest.approx(np.log(2), rel=0.15), "half are under a half"
    assert np.mean(found[1000:] >= np.log(10)) == pytest.approx(0.1, abs=0.03)


def test_a_creep_is_not_learned_once_the_baseline_is_fixed() -> None:
    detector = FleetBaseline(4, most=2000)
    detector.resize(1)
    detector.reset(0, 1)
    x = sensors(9000)
    x[3000:, 2] += np.linspace(0, 12, 6000)
    found = watched(detector, x)
    raw = detector.score(batch(x[-50:], 9000)).raw
    over = np.flatnonzero(found >= THRESHOLD)
    assert 3000 < over[0] < 6000, "before half of it is over"
    assert np.median(raw) > np.median(found[1000:2000]) + 3, "and it still ranks far above health"


def test_a_wear_that_was_learned_from_the_first_hour_on_still_ranks_higher_and_higher() -> None:
    """Too slow to alarm while the baseline grows along with it; the young baseline does not."""
    detector = made(4)
    x = sensors(6000)
    x[:, 2] += np.linspace(0, 12, 6000)
    found = watched(detector, x)
    ranks = [np.median(ranked(x, upto)) for upto in (500, 2000, 4000, 6000)]
    assert ranks == sorted(ranks), "the further it is worn, the higher"
    assert ranks[-1] > np.log(100) > ranks[0]
    assert ranks[-1] > np.median(found[-60:]) + 1, "higher than by what grew along"


def ranked(x: Floats, upto: int) -> Floats:
    """Evidence (60,) that the score ranks by, of the readings before ``upto``."""
    detector = made(x.shape[1])
    watched(detector, x[: upto - 60])
    return detector.score(batch(x[upto - 60 : upto], upto - 60)).raw


def test_autocorrelated_noise_stays_within_the_budget() -> None:
    rng = np.random.default_rng(11)
    called = 0
    for _ in range(3):
        x = np.zeros((14_400, 5))
        noise = rng.normal(size=x.shape)
        for i in range(1, len(x)):
            x[i] = 0.95 * x[i - 1] + noise[i]
        over = (np.nan_to_num(watched(made(5), 20.0 + x)) >= THRESHOLD).astype(int)
        five = np.convolve(over, np.ones(5, dtype=int), "valid") == 5
        called += int((np.diff(five.astype(int)) == 1).sum())
    assert called <= 1, "30 machine-days"


def test_a_step_that_stands_is_beside_the_first_baseline_and_said_to_have_moved() -> None:
    detector = made(4)
    x = sensors(4000)
    x[2000:, 1] += 8.0
    found = watched(detector, x)
    alarm = np.flatnonzero(found >= THRESHOLD)
    assert 2000 <= alarm[0] < 2010
    assert found[2000 + 200 :].max() < THRESHOLD, "after two hours it is usual"
    assert detector.score(batch(x[-20:], 4000)).raw.min() > np.log(100), "and is still seen in the score"
    since, seen, _ = detector.moved(ROW)
    assert START + 2000 * MINUTE <= since[0] < seen[0] <= START + 2200 * MINUTE
    now, evidence = detector.movement(0)
    assert np.argmax(evidence.contributions) == 1
    assert now[1] - evidence.expected[1] == pytest.approx(8.0, abs=0.5)
    assert abs(evidence.deviation[[0, 2, 3]]).max() < 3 < evidence.deviation[1]


def test_back_at_the_first_baseline_nothing_has_moved() -> None:
    detector = made(4)
    x = sensors(3000)
    x[1500:2000, 1] += 8.0
    found = watched(detector, x)
    since, _, returned = detector.moved(ROW)
    assert since[0] == -1
    assert START + 2000 * MINUTE < returned[0] < START + 2100 * MINUTE
    assert found[2010:].max() < THRESHOLD, "what was normal first still is"


def test_a_word_settles_what_has_moved_or_rejects_it() -> None:
    x = sensors(2400)
    x[2000:, 1] += 8.0
    settled, rejected = made(4), made(4)
    for detector in (settled, rejected):
        watched(detector, x)
    settled.settle(0)
    rejected.reject(0, START + 2000 * MINUTE)
    more = batch(x[-60:], 2400)
    first, second = settled.score(more), rejected.score(more)
    assert settled.moved(ROW)[0][0] == rejected.moved(ROW)[0][0] == -1
    assert np.median(first.raw) < np.log(10), "ranked by the new level"
    assert np.median(second.raw) > THRESHOLD, "a fault, as it was"


def test_a_growing_fault_does_not_become_usual() -> None:
    detector = made(4)
    x = sensors(3000)
    x[2000:, 1] += np.exp(np.linspace(np.log(4), np.log(20), 1000))
    found = watched(detector, x)
    assert np.mean(found[2050:] >= THRESHOLD) > 0.95


def test_a_machine_that_starts_for_the_first_time_is_commissioned_for_two_days() -> None:
    rng = np.random.default_rng(3)
    minutes = np.arange(5 * 1440)
    on = ((minutes % 1440) // 60 >= 6) & ((minutes % 1440) // 60 < 22)
    x = np.outer(on, [12.0, 160.0, 30.0, 1480.0]) + rng.normal(size=(len(on), 4)) * [0.2, 0.5, 0.3, 2.0]
    found = watched(made(4), x)
    raised = found >= THRESHOLD
    assert np.convolve(raised, np.ones(5), "valid").max() < 5, "no five in a row: nobody is called"
    assert np.isfinite(found[2 * 1440 + 200 :]).all()


def test_what_goes_by_itself_raises_the_threshold_within_bounds() -> None:
    detector = made(4)
    x = sensors(1500)
    peaks = []
    for at in (400, 600, 800, 1000, 1200):
        x[at : at + 12] += 3.0
        peaks.append(at + 8)
    found = watched(detector, x)
    assert found[peaks[0]] >= THRESHOLD > found[peaks[-1]]
    deaf = sensors(40, seed=2) + np.array([0.0, 30.0, 0.0, 0.0])
    assert detector.score(batch(deaf, 1500)).decisive[-1] > THRESHOLD, "beyond doubt it alarms"  # type: ignore[index]


def test_a_sensor_that_is_away_is_no_evidence() -> None:
    detector = made(4)
    watched(detector, sensors(600))
    x = sensors(80, seed=5)
    x[10:, 3] = np.nan
    found = detector.score(batch(x, 600))
    assert found.decisive is not None
    assert found.decisive.max() < THRESHOLD
    assert (found.contributions[10:, 3] == 0).all()


def test_a_broken_relation_is_told_by_what_the_others_say() -> None:
    rng = np.random.default_rng(7)
    load = rng.normal(size=(1200, 1)) * 5
    x = 100 + load + 0.2 * rng.normal(size=(1200, 3))
    detector = made(3)
    watched(detector, x)
    odd = np.tile(x[-1:], (12, 1))
    odd[:, 0] = odd[:, 1] + 4.0  # nothing unusual by itself
    found = detector.score(batch(odd, 1200))
    assert found.raw[-1] > THRESHOLD
    assert np.argmax(found.contributions[-1]) == 0
    assert found.expected[-1, 0] == pytest.approx(odd[-1, 1], abs=1.5)
    assert found.deviation[-1, 0] > 3


def test_what_a_crew_calls_healthy_is_a_baseline_at_once() -> None:
    detector = made(4)
    watched(detector, sensors(800))
    other = sensors(120, seed=9) + np.array([0.0, 0.0, 9.0, 0.0])
    detector.accept(0)
    detector.learn(batch(other[:60], 800))
    found = detector.score(batch(other[60:], 860)).decisive
    assert found is not None
    assert found[5:].max() < THRESHOLD


@pytest.mark.parametrize("params", [{"smooth": 0.5}, {"first": 5}, {"most": 50}, {"days": 0.0}])
def test_impossible_parameters_are_refused(params: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="baseline"):
        FleetBaseline(2, **params)  # type: ignore[arg-type]
