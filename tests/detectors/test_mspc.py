"""mspc sees what no single sensor shows, tells wandering from faults, and explains itself."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.batch import Floats
from detectors.mspc.detector import FleetMspc
from tests.detectors.fleets import batch_of


def correlated(rng: np.random.Generator, n: int) -> Floats:
    """Two sensors that follow a load, a third that does not."""
    load = rng.normal(size=n)
    noise = rng.normal(size=(n, 3))
    return np.column_stack(
        [10 + load + 0.2 * noise[:, 0], 50 + 2 * load + 0.4 * noise[:, 1], 5 + 0.1 * noise[:, 2]]
    )


def taught(x: Floats, **params: object) -> FleetMspc:
    made = FleetMspc(x.shape[1], **params)  # type: ignore[arg-type]
    made.resize(1)
    made.reset(0, 0)
    made.learn(batch_of({0: x}))
    return made


def test_parts_add_up_to_the_score() -> None:
    rng = np.random.default_rng(1)
    found = taught(correlated(rng, 400)).score(batch_of({0: correlated(rng, 100)}))
    assert found.contributions.sum(axis=1) == pytest.approx(found.raw)
    assert (found.contributions >= 0).all()


def test_a_broken_relation_is_seen_where_no_value_is_unusual() -> None:
    rng = np.random.default_rng(2)
    slow = np.repeat(rng.normal(size=50), 8)  # a load that lasts, so that smoothing leaves it
    base = np.column_stack([10 + slow, 50 + 2 * slow, 5 + 0.1 * rng.normal(size=400)])
    base += 0.05 * rng.normal(size=base.shape)
    one = taught(np.vstack([base, base[::-1]]))
    usual = one.score(batch_of({0: base[:80]})).raw
    one = taught(np.vstack([base, base[::-1]]))
    broken = base[:80].copy()
    broken[:, 1] = 100 - broken[:, 1]
    assert np.median(one.score(batch_of({0: broken})).raw) > 3 * np.median(usual)


def test_a_step_is_blamed_on_its_sensor_with_what_was_expected() -> None:
    rng = np.random.default_rng(3)
    one = taught(correlated(rng, 600))
    x = correlated(rng, 60)
    x[30:, 2] += 1.0
    found = one.score(batch_of({0: x}))
    assert found.raw[45:].min() > 5 * np.median(found.raw[:30])
    assert (found.contributions[45:].argmax(axis=1) == 2).all()
    assert found.expected[-1, 2] == pytest.approx(5, abs=0.1)
    assert found.deviation[-1, 2] > 5


def test_a_lasting_step_stays_odd_while_nothing_is_learned() -> None:
    rng = np.random.default_rng(4)
    one = taught(correlated(rng, 600))
    x = correlated(rng, 500)
    x[:, 2] += 1.0
    raw = one.score(batch_of({0: x})).raw
    assert raw[400:].min() > 30


def test_a_wandering_sensor_may_go_where_a_steady_one_may_not() -> None:
    rng = np.random.default_rng(5)
    n = 1600
    wandering = np.cumsum(np.repeat(rng.normal(size=n // 8 + 100), 8))[: n + 400] * 0.3
    x = np.column_stack([wandering, rng.normal(size=n + 400)]) + 0.05 * rng.normal(size=(n + 400, 2))
    one = taught(x[:n])
    before = one.score(batch_of({0: x[n : n + 200]}))
    assert np.median(np.abs(before.deviation[:, 0])) < 3, "it has moved, as it always did"
    steady = x[n + 200 :].copy()
    steady[:, 1] += 4
    after = one.score(batch_of({0: steady}))
    assert np.median(after.deviation[100:, 1]) > 6
    assert (after.contributions[100:, 1] > after.contributions[100:, 0]).mean() > 0.9


def test_one_wild_reading_pulls_the_model_no_more_than_a_bounded_one() -> None:
    rng = np.random.default_rng(6)
    x = correlated(rng, 800)
    wild, bounded = x.copy(), x.copy()
    wild[700, 2] = 1e9
    bounded[700, 2] = 5 + 20.0
    probe = batch_of({0: correlated(rng, 50)})
    first, second = taught(wild).score(probe), taught(bounded).score(probe)
    assert first.expected == pytest.approx(second.expected, rel=1e-6)


def test_a_vanished_sensor_is_no_evidence() -> None:
    rng = np.random.default_rng(7)
    x = correlated(rng, 900)
    one, other = taught(x[:600]), taught(x[:600])
    usual = one.score(batch_of({0: x[600:]})).raw
    gone = x[600:].copy()
    gone[20:, 1] = np.nan
    raw = other.score(batch_of({0: gone})).raw
    assert np.isfinite(raw).all()
    assert np.quantile(raw[20:], 0.9) < 1.5 * np.quantile(usual, 0.9)


def test_what_is_missing_has_no_part_though_it_still_counts() -> None:
    rng = np.random.default_rng(9)
    x = correlated(rng, 640)
    x[600:, 2] += 1.0  # clear evidence …
    x[630:, 2] = np.nan  # … that fades, rather than ends, with the sensor
    found = taught(x[:600]).score(batch_of({0: x[600:]}))
    assert (found.contributions[30:, 2] == 0).all()
    assert found.contributions[29, 2] > 0.5 * found.raw[29]
    assert found.raw[30] > 2 * found.contributions[30].sum()


def test_a_sensor_that_is_missing_at_first_is_learned_alike_in_any_batch() -> None:
    rng = np.random.default_rng(10)
    x = correlated(rng, 200)
    x[:11, 1] = np.nan
    one, other = taught(x), taught(x[:3])
    for at in range(3, 200):
        other.learn(batch_of({0: x[at : at + 1]}))
    for name, values in one.dump(0).items():
        np.testing.assert_array_equal(values, other.dump(0)[name], err_msg=name)


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="smooth"):
        FleetMspc(2, smooth=0.5)
    with pytest.raises(ValueError, match="memories"):
        FleetMspc(2, memories=())


def test_a_dump_with_other_sensors_is_refused() -> None:
    rng = np.random.default_rng(8)
    saved = taught(correlated(rng, 100)).dump(0)
    other = FleetMspc(2)
    other.resize(1)
    with pytest.raises(ValueError, match="were changed"):
        other.load(0, saved)


def burst(rng: np.random.Generator, n: int) -> Floats:
    """A sensor that makes an excursion for 12 readings every 200 or so, and two steady ones."""
    x = rng.normal(size=(n, 3))
    for at in range(100, n - 12, 200):
        x[at : at + 12, 0] += rng.choice((-1, 1)) * 8
    return x


def test_a_sensor_that_strays_at_times_does_not_hide_a_steady_one() -> None:
    rng = np.random.default_rng(11)
    x = burst(rng, 3000)
    strays, steps = rng.normal(size=(60, 3)), rng.normal(size=(60, 3))
    strays[40:52, 0] += 8  # as often before
    steps[40:52, 1] += 5  # never before
    usual = taught(x).score(batch_of({0: strays})).raw[40:52].max()
    odd = taught(x).score(batch_of({0: steps})).raw[40:52].max()
    assert odd > 4 * usual


def test_a_healthy_machine_scores_as_many_as_it_has_sensors_though_one_wanders() -> None:
    rng = np.random.default_rng(12)
    n = 4000
    turns = np.cumsum(np.repeat(rng.normal(size=n // 40), 40)) * 0.1  # a slope that changes
    x = np.column_stack([turns, rng.normal(size=n), rng.normal(size=n)])
    x[:, 0] += 0.05 * rng.normal(size=n)
    one = taught(x[:2000])
    raw = []
    for start in range(2000, n, 16):
        part = batch_of({0: x[start : start + 16]})
        raw.append(one.score(part).raw)
        one.learn(part)
    assert 2 < np.mean(np.concatenate(raw)) < 5


def test_a_small_step_that_lasts_is_seen() -> None:
    rng = np.random.default_rng(13)
    x = rng.normal(size=(2000, 3))
    usual = taught(x[:1000]).score(batch_of({0: x[1000:]})).raw
    x[1000:, 1] += 1.5  # little beyond the scatter of single readings
    step = taught(x[:1000]).score(batch_of({0: x[1000:]})).raw
    assert np.median(step[40:]) > np.quantile(usual, 0.99)


def test_a_large_step_is_seen_at_once() -> None:
    rng = np.random.default_rng(14)
    x = rng.normal(size=(1060, 3))
    usual = taught(x[:1000]).score(batch_of({0: x[1000:]})).raw
    x[1030:, 1] += 8
    step = taught(x[:1000]).score(batch_of({0: x[1000:]})).raw
    assert step[31] > 2 * usual.max()


def test_a_dump_of_an_older_yeji_is_taken_up() -> None:
    rng = np.random.default_rng(15)
    x = correlated(rng, 800)
    old = taught(x[:700])
    saved = {n: v for n, v in old.dump(0).items() if n not in ("_fourth", "_tail", "_slow", "_slow_mass")}
    new = FleetMspc(3)
    new.resize(1)
    new.load(0, saved)
    raw = new.score(batch_of({0: x[700:]})).raw
    assert np.median(raw) == pytest.approx(np.median(old.score(batch_of({0: x[700:]})).raw), rel=0.5)
    new.learn(batch_of({0: x[700:]}))
    assert np.isfinite(new.score(batch_of({0: x[700:]})).raw).all()
