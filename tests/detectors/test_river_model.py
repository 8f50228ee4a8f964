"""River's own objects as a kind, and the pickles that they are kept in."""

from __future__ import annotations

import os
import pickle
import zlib
from hashlib import blake2b

import numpy as np
import pytest
from river import anomaly, preprocessing

from detectors.checks.fleet import batch_of, readings, whole
from detectors.registry import build
from detectors.river.model import FleetRiver
from detectors.river.safe_pickle import pack, unpack


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("HalfSpaceTrees", {"n_trees": 3, "height": 4, "window_size": 20, "seed": 3}),
        ("LocalOutlierFactor", {"n_neighbors": 5}),
        ("OneClassSVM", {"nu": 0.2}),
        ("LODA", {"n_random_cuts": 5, "seed": 3}),
    ],
)
def test_is_the_river_pipeline(model: str, params: dict[str, object]) -> None:
    x = readings(np.random.default_rng(1), 1, 120, 2)
    x[0, 50:60, 1] = np.nan
    fleet = build("river", 2, model=f"river.anomaly.{model}", params=params, start=30)
    fleet.resize(1)
    fleet.reset(0, seed=77)
    rivers = preprocessing.StandardScaler() | getattr(anomaly, model)(**params)
    rows, one = np.array([0]), np.array([1])
    for i, reading in enumerate(x[0]):
        batch = batch_of(rows, x, np.array([i]), one)
        features = {j: float(v) for j, v in enumerate(reading) if v == v}
        raw = fleet.score(batch).raw[0]
        assert np.isnan(raw) if i < 30 else raw == pytest.approx(rivers.score_one(features), rel=1e-9)
        fleet.learn(batch)
        rivers.learn_one(features)


def test_each_machine_has_its_own_seed() -> None:
    fleet = FleetRiver(2, "river.anomaly.HalfSpaceTrees", {"n_trees": 2})
    fleet.resize(2)
    fleet.reset(0, 1)
    fleet.reset(1, 2)
    assert (fleet.models[0].seed, fleet.models[1].seed) == (1, 2)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"model": "os.system"}, "no AnomalyDetector"),
        ({"model": "river.anomaly.Missing"}, "no AnomalyDetector"),
        ({"model": "river.anomaly.LODA", "params": {"bins": 3}}, "no parameter 'bins'.*n_bins"),
        ({"sign": 2}, "sign"),
    ],
)
def test_what_is_no_model_is_refused(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("river", 2, **params)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("true",)


class Sneaky:
    """Through a class that is allowed, to one that is not."""

    def __reduce__(self) -> tuple[object, ...]:
        import functools

        return functools.partial, (os.system, "true")


@pytest.mark.parametrize("thing", [Evil(), Sneaky(), eval, pickle.loads])
def test_a_pickle_cannot_run_code(thing: object) -> None:
    data = pack(thing)
    with pytest.raises(ValueError, match="not taken"):
        unpack(data)


def test_rivers_data_sets_are_closed() -> None:
    body = zlib.compress(b"criver.datasets\nCreditCard\n.")
    with pytest.raises(ValueError, match="not taken"):
        unpack(blake2b(body, digest_size=16).digest() + body)


def test_damage_is_told() -> None:
    data = bytearray(pack(anomaly.LODA()))
    data[len(data) // 2] ^= 1
    with pytest.raises(ValueError, match="checksum"):
        unpack(bytes(data))


def test_a_model_of_another_kind_is_refused() -> None:
    x = readings(np.random.default_rng(2), 1, 20, 2)
    fleets = [FleetRiver(2, f"river.anomaly.{name}") for name in ("LODA", "OneClassSVM")]
    for fleet in fleets:
        fleet.resize(1)
        fleet.reset(0, 1)
        fleet.learn(whole(np.array([0]), x))
    with pytest.raises(ValueError, match=r"LODA, this class has river\.anomaly\.OneClassSVM"):
        fleets[1].load(0, fleets[0].dump(0))
