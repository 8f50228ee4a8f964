"""Similarity models: the past comes back as normal, broken relations do not."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.batch import Batch, Floats
from detectors.similarity.detector import FleetSimilarity
from tests.detectors.fleets import batch_of


def pump(load: Floats, rng: np.random.Generator) -> Floats:
    """(n, 4): sensors that follow ``load`` (n,) each in its own way."""
    clean = np.column_stack([load, load**2, np.sqrt(load), 3 - 0.5 * load])
    return clean + rng.normal(0, 0.01, clean.shape)


def trained(x: Floats) -> FleetSimilarity:
    model = FleetSimilarity(x.shape[1])
    model.resize(1)
    model.reset(0, 0)
    model.learn(batch_of({0: x}))
    return model


def scored(model: FleetSimilarity, x: Floats) -> Floats:
    raw: Floats = model.score(batch_of({0: x})).raw
    return raw


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def shifts(rng: np.random.Generator) -> Floats:
    """Two modes in turn, and the ways between them."""
    mode = np.repeat([1.0, 2.0] * 8, 200)
    load = np.convolve(np.pad(mode, 10, mode="edge"), np.ones(21) / 21, mode="valid")
    return pump(load, rng)


def test_a_mode_seen_long_ago_is_still_normal(shifts, rng):
    model = trained(shifts)
    model.learn(batch_of({0: pump(np.full(3000, 1.0), rng)}))  # the other mode is not seen for long
    back = scored(model, pump(np.full(100, 2.0), rng))
    here = scored(model, pump(np.full(100, 1.0), rng))
    assert np.median(back[20:]) < 5 * np.median(here[20:])


def test_a_broken_relation_within_the_usual_range_is_seen_and_its_sensor_named(shifts, rng):
    model = trained(shifts)
    x = pump(np.full(60, 2.0), rng)
    usual = scored(model, x)
    x[30:, 1] -= 2.0  # 2 in place of 4: a value that the sensor has at other loads
    found = model.score(batch_of({0: x}))
    assert found.raw[-1] > 20 * usual.max()
    assert found.contributions[-1].argmax() == 1
    assert found.expected[-1, 1] == pytest.approx(4.0, abs=0.2)
    assert found.deviation[-1, 1] < -5


def test_a_broken_sensor_does_not_choose_what_it_is_compared_with(shifts, rng):
    model = trained(shifts)
    x = pump(np.full(60, 2.0), rng)
    x[:, 0] = 50.0
    found = model.score(batch_of({0: x}))
    assert found.expected[-1, 1:] == pytest.approx([4.0, 2**0.5, 2.0], abs=0.1)


def test_states_stay_within_their_number(rng):
    model = FleetSimilarity(2, states=6)
    model.resize(1)
    model.reset(0, 0)
    corners = rng.uniform(-1, 1, (4000, 2))
    model.learn(batch_of({0: corners}))
    assert model._of["used"][0] == 6
    kept = model._of["state"][0]
    assert np.isfinite(kept).all()
    assert (np.abs(kept) <= 1).all()
    spread = np.linalg.norm(kept[:, None] - kept[None], axis=2)[~np.eye(6, dtype=bool)]
    assert spread.min() > 0.2, "states that are alike are joined to make room"


def test_one_reading_moves_the_usual_size_by_a_bounded_step(shifts):
    model = trained(shifts)
    before = model._of["usual"][0] / model._of["usual_mass"][0]  # squared
    wild = shifts[-160:].copy()
    wild[5] += 1e6
    model.learn(batch_of({0: wild}))
    assert (model._of["usual"][0] / model._of["usual_mass"][0] < 9 * before).all()


def test_a_constant_sensor_and_a_missing_one_give_no_evidence(rng):
    x = np.column_stack([pump(rng.uniform(1, 2, 640), rng), np.full(640, 5.0), np.full(640, np.nan)])
    model = trained(x)
    found = model.score(batch_of({0: x[:50]}))
    assert np.isfinite(found.raw).all()
    assert not found.contributions[:, 4:].any()
    assert np.isnan(found.deviation[:, 4:]).all()


def test_nothing_is_said_before_anything_is_known():
    model = FleetSimilarity(2)
    model.resize(1)
    model.reset(0, 0)
    empty = Batch(np.array([0]), np.array([0]), np.empty(0, dtype=np.int64), np.empty((0, 2)))
    model.learn(empty)
    assert len(model.score(empty).raw) == 0
    assert np.isnan(model.score(batch_of({0: np.ones((3, 2))})).raw).all()


@pytest.mark.parametrize("wrong", [{"states": 1}, {"resolution": 0}, {"bandwidth": -1}, {"smooth": 0.5}])
def test_parameters_that_cannot_be_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FleetSimilarity(2, **wrong)
