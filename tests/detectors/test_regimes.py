"""A machine's regimes are found, scored by themselves, and new ones are taken as the rules say."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.batch import Floats
from detectors.regimes import FleetRegimes
from tests.detectors.fleets import batch_of

WIDTH = 4
IDLE, RUN, FAST = (
    np.array(level, dtype=float) for level in ([0, 0, 20, 5], [50, 10, 60, 5], [90, 30, 95, 5])
)


def stretch(rng: np.random.Generator, level: Floats, n: int) -> Floats:
    return level + rng.normal(size=(n, WIDTH)) * [0.5, 0.2, 0.5, 0.1]


def taught(rng: np.random.Generator, **params: object) -> FleetRegimes:
    made = FleetRegimes(WIDTH, **params)  # type: ignore[arg-type]
    made.resize(1)
    made.reset(0, 0)
    x = np.vstack([stretch(rng, level, 160) for level in (IDLE, RUN) * 3])
    made.learn(batch_of({0: x}))
    return made


def test_known_regimes_are_usual_and_a_fault_within_one_is_not() -> None:
    rng = np.random.default_rng(1)
    one = taught(rng)
    x = np.vstack([stretch(rng, IDLE, 60), stretch(rng, RUN, 120)])
    x[120:, 3] += 3.0  # small beside the difference of the regimes
    raw = one.score(batch_of({0: x}, first={0: 960})).raw
    assert np.median(raw[150:]) > 20 * np.nanmedian(raw[:120])


def test_a_new_regime_has_no_score_while_the_machine_is_commissioned_and_is_learned() -> None:
    rng = np.random.default_rng(2)
    one = taught(rng, commissioning=24.0)
    x = stretch(rng, FAST, 240)
    raw = one.score(batch_of({0: x[:100]}, first={0: 960})).raw
    assert np.isnan(raw[20:]).all()
    one.learn(batch_of({0: x}, first={0: 960}))
    after = one.score(batch_of({0: stretch(rng, FAST, 50)}, first={0: 1200})).raw
    assert np.isfinite(after).all()
    assert np.median(after) < 50


def test_afterwards_it_is_a_fault_until_a_crew_says_otherwise() -> None:
    rng = np.random.default_rng(3)
    one = taught(rng, commissioning=0.2)
    far = batch_of({0: stretch(rng, FAST, 50)}, first={0: 5000})
    raw = one.score(far).raw
    assert np.median(raw[20:]) > 1000
    one.accept(0)
    one.learn(batch_of({0: stretch(rng, FAST, 200)}, first={0: 5050}))
    after = one.score(batch_of({0: stretch(rng, FAST, 50)}, first={0: 5250})).raw
    assert np.median(after) < 50


def test_a_tag_tells_the_regime() -> None:
    rng = np.random.default_rng(4)
    one = taught(rng, tag=0)
    assert int(one._own["known"][0]) == 2


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="tag"):
        FleetRegimes(2, tag=2)
    with pytest.raises(ValueError, match="another kind"):
        FleetRegimes(2, inner="regimes")
