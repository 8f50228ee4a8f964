"""Fixed limits: delays, deadband, missing values, and the zones of ISO 20816-3."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.decision.limits import FleetLimits, Limit, standing
from detectors.vibration.iso20816 import ISO_20816_3, zone
from tests.detectors.fleets import START, batch_of, cuts

HIGH = Limit(sensor=0, name="high", value=10.0, deadband=1.0)
LOW = Limit(sensor=0, name="low", value=-10.0, above=False, deadband=1.0)


def walk(values: list[float], limit: Limit = HIGH, **delays: int) -> list[tuple[int, bool, int]]:
    limits = FleetLimits((limit,), **delays)
    limits.resize(1)
    found = limits.check(batch_of({0: np.array(values)[:, None]}))
    return [(t.index, t.raised, (t.onset - START) // 1000) for t in found]


def test_crossing_raises_and_only_the_deadband_clears() -> None:
    assert walk([9, 10, 9.5, 11, 9.01, 8.9, 9]) == [(1, True, 1), (5, False, 1)]


def test_a_low_limit_is_the_mirror() -> None:
    assert walk([-9, -10, -9.5, -11, -9.01, -8.9, -9], LOW) == [(1, True, 1), (5, False, 1)]


def test_delays_are_waited_for() -> None:
    values = [11.0, 0, 11, 11, 11, 11, 0, 0, 11, 0, 0, 0, 0]
    assert walk(values, on_delay=3000, off_delay=2000) == [(5, True, 2), (11, False, 2)]
    assert walk(values, min_readings=3) == [(4, True, 2), (6, False, 2)]


def test_missing_values_change_nothing() -> None:
    assert walk([11, np.nan, np.nan, 11, np.nan, 11], min_readings=3) == [(5, True, 0)]
    assert walk([11, np.nan, 0, np.nan, np.nan, 0], off_delay=3000) == [(0, True, 0), (5, False, 0)]


@pytest.mark.parametrize(
    ("key", "inside"),
    [(key, dict(zip("ABCD", (b[0] / 2, b[0], b[1], b[2]), strict=True))) for key, b in ISO_20816_3.items()],
)
def test_each_zone_begins_at_its_boundary(key: str, inside: dict[str, float]) -> None:
    assert {name: zone(v, ISO_20816_3[key]) for name, v in inside.items()} == {n: n for n in "ABCD"}


@given(
    seed=st.integers(0, 10_000),
    on_delay=st.sampled_from([0, 2000, 5000]),
    off_delay=st.sampled_from([0, 3000]),
    min_readings=st.integers(1, 3),
)
@settings(max_examples=100, deadline=None)
def test_splits_and_snapshots_change_nothing(
    seed: int, on_delay: int, off_delay: int, min_readings: int
) -> None:
    rng = np.random.default_rng(seed)
    limits = (HIGH, LOW, Limit(1, "trip", 12.0, severity=4))
    whole = FleetLimits(limits, on_delay, off_delay, min_readings)
    parts = FleetLimits(limits, on_delay, off_delay, min_readings)
    whole.resize(4)
    parts.resize(4)
    x = np.cumsum(rng.normal(0, 4, (80, 2)), axis=0)
    x[rng.random(x.shape) < 0.1] = np.nan
    batch = batch_of({3: x[:50], 1: x[50:]})
    expected = [(t.row, t.index, t.limit, t.raised, t.onset, t.value) for t in whole.check(batch)]
    found = []
    for part, at in cuts(batch, rng):
        found += [(t.row, int(at[t.index]), t.limit, t.raised, t.onset, t.value) for t in parts.check(part)]
        for row in (1, 3):
            parts.load(row, parts.dump(row))
    key = lambda t: (t[1], t[2].name)  # noqa: E731
    assert sorted(found, key=key) == sorted(expected, key=key)
    for row in (1, 3):
        for kind, values in whole.dump(row).items():
            np.testing.assert_array_equal(values, parts.dump(row)[kind])


def test_a_limit_stands_from_its_crossing_to_its_return_in_any_split() -> None:
    limits = FleetLimits((HIGH, LOW))
    limits.resize(2)
    batch = batch_of(
        {1: np.array([9.0, 11, 9.5, -11, -9.5, 0, 1])[:, None], 0: np.array([0.0, 12, 12])[:, None]}
    )
    before = limits.raised_of(batch.rows)
    whole = standing(batch, before, limits.check(batch))
    assert whole.astype(int).tolist() == [0, 1, 1, 1, 1, 0, 0, 0, 1, 1]
    rng = np.random.default_rng(0)
    split = FleetLimits((HIGH, LOW))
    split.resize(2)
    found = np.zeros(len(batch), dtype=bool)
    for part, at in cuts(batch, rng, 4):
        before = split.raised_of(part.rows)
        found[at] = standing(part, before, split.check(part))
    np.testing.assert_array_equal(found, whole)
