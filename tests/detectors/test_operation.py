"""What a machine is asked to do is told apart from its wear, found or declared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.batch import Floats
from detectors.remaining_life.model import RemainingLife
from detectors.remaining_life.operation import Operation
from detectors.remaining_life.run_features import Run
from tests.detectors.run_to_failure import fleet

CAP = 60.0


def in_regimes(seed: int, runs: int, regimes: int = 4) -> list[Run]:
    """Runs to failure whose machines are set to one of some regimes at each reading, by column 0."""
    rng = np.random.default_rng(seed)
    moved = np.random.default_rng(99).normal(0, 40, (regimes, 6))
    found = []
    for run in fleet(seed, runs):
        regime = rng.integers(0, regimes, len(run.age))
        setting = 10.0 * regime + rng.normal(0, 0.01, len(regime))
        found.append(Run(run.age, np.column_stack([setting, run.x + moved[regime]])))
    return found


def at_loads(seed: int, runs: int) -> list[Run]:
    """Runs to failure under a load that varies without levels: column 0."""
    rng = np.random.default_rng(seed)
    found = []
    for run in fleet(seed, runs):
        load = rng.uniform(0, 1, len(run.age))
        moved = np.outer(load, np.linspace(-40, 60, 6)) + np.outer(load**2, np.linspace(30, -20, 6))
        found.append(Run(run.age, np.column_stack([load, run.x + moved])))
    return found


def operation(runs: list[Run], operating: tuple[int, ...] | None = None) -> Operation:
    return Operation(
        np.concatenate([run.x for run in runs]),
        np.concatenate([run.remaining(CAP) for run in runs]),
        operating,
    )


def error(train: list[Run], unseen: list[Run], operating: tuple[int, ...] | None) -> float:
    model = RemainingLife(
        cap=CAP, spans=(8.0, 32.0), components=2, folds=3, most_readings=80, operating=operating
    )
    model.learn_history(train)
    off = [model.follow().update(run.age, run.x).remaining - run.remaining(CAP) for run in unseen]
    return float(np.sqrt(np.mean(np.concatenate(off) ** 2)))


def test_the_setting_is_found_and_its_regimes_with_it() -> None:
    found = operation(in_regimes(0, 20))
    assert found.columns == (0,)
    assert found.regimes == 4
    z, _ = found.standard(in_regimes(1, 1)[0].x)
    assert np.abs(z[:30, 1:]).mean() < 2  # in units of the regime, not of the 40 between them


def test_without_regimes_nothing_is_found() -> None:
    found = operation(fleet(0, 20))
    assert found.columns == ()
    assert found.regimes == 1


def test_a_counter_of_wear_is_not_operation() -> None:
    runs = [
        Run(run.age, np.column_stack([np.floor(5 * run.age / run.age[-1]), run.x])) for run in fleet(0, 20)
    ]
    assert operation(runs).columns == ()


def test_a_coarse_sensor_that_explains_nothing_is_not_operation() -> None:
    rng = np.random.default_rng(3)
    runs = [
        Run(run.age, np.column_stack([run.x, rng.random(len(run.age)) < 0.3]).astype(float))
        for run in fleet(0, 20)
    ]
    assert operation(runs).columns == ()


def test_regimes_hide_wear_no_longer() -> None:
    train, unseen = in_regimes(0, 30), in_regimes(1, 30)
    plain = error(fleet(0, 30), fleet(1, 30), None)
    assert error(train, unseen, None) < 1.25 * plain  # nearly as if there were none …
    assert error(train, unseen, ()) > 1.5 * plain  # … as it is not when they are taken for condition


def test_a_declared_load_without_levels_is_regressed_out() -> None:
    train, unseen = at_loads(0, 30), at_loads(1, 30)
    assert operation(train).columns == ()
    assert error(train, unseen, (0,)) < 0.8 * error(train, unseen, None)


def test_without_its_setting_a_machine_is_where_it_was_set_last() -> None:
    found = operation(in_regimes(0, 20))
    x = in_regimes(1, 1)[0].x[:20]
    known, latest = found.standard(x)
    again = x[-1:].copy()
    again[:, 0] = np.nan
    np.testing.assert_array_equal(found.standard(again, latest)[0][:, 1:], known[-1:, 1:])


def test_a_regime_that_was_not_learned_leaves_the_latest_values() -> None:
    runs = in_regimes(0, 20)
    rare = Run(runs[0].age[:3], np.column_stack([np.full(3, 90.0), np.full((3, 6), 1e6)]))
    found = operation([*runs, rare])
    assert found.regimes == 4
    known, latest = found.standard(runs[1].x[:20])
    np.testing.assert_array_equal(found.standard(rare.x[:1], latest)[0][0], known[-1])


def test_a_sensor_that_is_never_there_is_survived() -> None:
    runs = [Run(run.age, np.column_stack([run.x, np.full(len(run.x), np.nan)])) for run in in_regimes(0, 20)]
    found = operation(runs)
    assert found.columns == (0,)
    z, _ = found.standard(runs[0].x)
    assert np.isfinite(z).all()
    assert not z[:, -1].any()


@pytest.fixture(scope="module")
def known() -> dict[str, tuple[Operation, Floats]]:
    return {
        "found": (operation(in_regimes(0, 15)), in_regimes(1, 1)[0].x[:60]),
        "declared": (operation(at_loads(0, 15), (0,)), at_loads(1, 1)[0].x[:60]),
    }


@given(st.sampled_from(["found", "declared"]), st.integers(1, 59), st.integers(0, 2**32 - 1))
def test_the_split_changes_no_bit(
    known: dict[str, tuple[Operation, Floats]], kind: str, at: int, seed: int
) -> None:
    of, x = known[kind]
    x = np.where(np.random.default_rng(seed).random(x.shape) < 0.2, np.nan, x)
    whole, latest = of.standard(x)
    first, between = of.standard(x[:at])
    second, last = of.standard(x[at:], between)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)
    np.testing.assert_array_equal(last.z, latest.z)
