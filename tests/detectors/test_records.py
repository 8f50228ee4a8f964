"""Records grow rare by themselves; a level never seen is odd, once."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.records import FleetRecords
from tests.detectors.fleets import batch_of


def fresh(**params: object) -> FleetRecords:
    made = FleetRecords(1, **params)  # type: ignore[arg-type]
    made.resize(1)
    made.reset(0, 0)
    return made


def test_a_record_is_odd_and_the_same_again_is_not() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 1, (500, 1))
    x[300], x[400] = 1.5, 1.5
    raw = fresh(scales=(1.0,)).score(batch_of({0: x})).raw
    assert raw[300] > 20
    assert raw[400] < 2
    assert np.delete(raw, 300)[200:].max() < 2


def test_a_new_level_is_odd_once_and_a_slow_shift_shows_in_the_slow_scale() -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(0, 1, (1200, 1))
    x[600:] = 0.6 + 0.4 * x[600:]  # within the range, but its mean is not
    raw = fresh(scales=(1.0, 32.0)).score(batch_of({0: x})).raw
    odd = np.flatnonzero(raw > 20)
    odd = odd[odd > 200]
    assert 600 < odd.min() < 700
    assert odd.max() < 900
    assert np.nanmax(fresh(scales=(1.0,)).score(batch_of({0: x})).raw[200:]) < 20


def test_readings_that_were_scored_are_not_followed_twice() -> None:
    x = np.random.default_rng(3).normal(size=(100, 1))
    one, other = fresh(), fresh()
    batch = batch_of({0: x})
    one.score(batch)
    other.score(batch)
    other.learn(batch)
    assert all(np.array_equal(one.dump(0)[name], value) for name, value in other.dump(0).items())


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="scales"):
        FleetRecords(1, scales=())
