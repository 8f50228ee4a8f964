"""mspc sees what no single sensor shows, tells wandering from faults, and explains itself."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.batch import Floats
from detectors.mspc import FleetMspc
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
