"""A model goes from a fleet to River, or back, in the middle of a stream, and nobody can tell."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from river import anomaly, feature_extraction, preprocessing

from detectors.base import FleetDetector
from detectors.batch import Floats
from detectors.checks.fleet import batch_of, readings
from detectors.half_space_trees.detector import FleetHalfSpaceTrees
from detectors.loda.detector import FleetLoda
from detectors.one_class_svm import FleetOneClassSVM
from detectors.registry import build
from detectors.river.bridge import from_river, to_river

SENSORS = ("flow", "pressure", "speed")
ROW, SEED = 2, 5


def trees(**params: Any) -> FleetHalfSpaceTrees:
    return FleetHalfSpaceTrees(3, n_trees=4, height=5, window_size=30, **params)


FLEETS: dict[str, tuple[Any, int]] = {
    "trees": (lambda: trees(), 1),
    "trees unscaled": (lambda: trees(scaled=False, moments=False), 1),
    "svm": (lambda: FleetOneClassSVM(3, components=0, start=0), 1),
    "svm with cosines": (lambda: FleetOneClassSVM(3, components=4, start=0), -1),
    "loda": (lambda: FleetLoda(3, n_random_cuts=6, start=1), 1),
}


def rivers_own() -> dict[str, Any]:
    """The same models, made by River alone."""
    hst = {"n_trees": 4, "height": 5, "window_size": 30, "seed": 99}
    return {
        "trees": preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(**hst),
        "trees unscaled": anomaly.HalfSpaceTrees(**hst),
        "svm": preprocessing.StandardScaler() | anomaly.OneClassSVM(),
        "svm with cosines": preprocessing.StandardScaler()
        | feature_extraction.RBFSampler(gamma=0.5, n_components=4, seed=SEED)
        | anomaly.OneClassSVM(),
        "loda": preprocessing.StandardScaler() | anomaly.LODA(n_random_cuts=6, seed=SEED),
    }


def fleet(name: str) -> FleetDetector:
    made: FleetDetector = FLEETS[name][0]()
    made.resize(4)
    made.reset(ROW, SEED)
    return made


def stream(n: int, scaled: bool) -> Floats:
    rng = np.random.default_rng(11)
    x = rng.random((1, n, 3)) if not scaled else readings(rng, 1, n, 3)
    x[0, 10:][rng.random((n - 10, 3)) < 0.05] = np.nan
    return x


def features(reading: Floats) -> dict[str, float]:
    return {name: float(v) for name, v in zip(SENSORS, reading, strict=True) if v == v}


def go_on(detector: FleetDetector, model: Any, x: Floats, start: int, sign: int) -> None:
    """Both score and learn the rest of the stream, and agree."""
    rows, one = np.array([ROW]), np.array([1])
    for i in range(start, x.shape[1]):
        batch = batch_of(rows, x, np.array([i]), one)
        raw = detector.score(batch).raw[0]
        expected = sign * model.score_one(features(x[0, i]))
        if not np.isnan(raw):
            assert raw == pytest.approx(expected, rel=1e-9, abs=1e-12)
        detector.learn(batch)
        model.learn_one(features(x[0, i]))


@pytest.mark.parametrize("learned", [0, 7, 95])
@pytest.mark.parametrize("name", FLEETS)
def test_out_of_the_fleet(name: str, learned: int) -> None:
    detector, x = fleet(name), stream(160, scaled="unscaled" not in name)
    if learned:
        detector.learn(batch_of(np.array([ROW]), x, np.array([0]), np.array([learned])))
    model = to_river(detector, ROW, SENSORS)
    go_on(detector, pickle.loads(pickle.dumps(model)), x, learned, FLEETS[name][1])


@pytest.mark.parametrize("learned", [0, 7, 95])
@pytest.mark.parametrize("name", FLEETS)
def test_into_the_fleet(name: str, learned: int) -> None:
    detector, x = fleet(name), stream(160, scaled="unscaled" not in name)
    detector.learn(batch_of(np.array([ROW]), x[:, ::-1], np.array([0]), np.array([40])))  # must not show
    model = rivers_own()[name]
    for reading in x[0, :learned]:
        model.learn_one(features(reading))
    from_river(detector, ROW, model, SENSORS)
    if name.startswith("trees") and not learned:
        model = to_river(detector, ROW, SENSORS)  # River's own has yet to draw its trees, from its own seed
    go_on(detector, model, x, learned, FLEETS[name][1])


@pytest.mark.parametrize("name", FLEETS)
def test_there_and_back_changes_nothing(name: str) -> None:
    detector, x = fleet(name), stream(100, scaled="unscaled" not in name)
    detector.learn(batch_of(np.array([ROW]), x, np.array([0]), np.array([100])))
    before = detector.dump(ROW)
    from_river(detector, ROW, to_river(detector, ROW, SENSORS), SENSORS)
    for key, array in detector.dump(ROW).items():
        if not key.startswith(("moments", "forest")):
            np.testing.assert_array_equal(array, before[key])


def test_a_dump_of_trees_from_elsewhere_holds_them() -> None:
    detector, model, x = fleet("trees"), rivers_own()["trees"], stream(90, scaled=True)
    for reading in x[0]:
        model.learn_one(features(reading))
    from_river(detector, ROW, model, SENSORS)
    moved = fleet("trees")
    moved.load(ROW, detector.dump(ROW))
    go_on(moved, model, stream(120, scaled=True), 0, 1)


def test_a_dump_of_trees_over_more_sensors_is_refused() -> None:
    wide = trees(scaled=False, moments=False)
    narrow = FleetHalfSpaceTrees(1, n_trees=4, height=5, window_size=30, scaled=False, moments=False)
    for made in (wide, narrow):
        made.resize(1)
        made.reset(0, SEED)
    wide.learn(batch_of(np.array([0]), stream(40, scaled=False), np.array([0]), np.array([40])))
    with pytest.raises(ValueError, match="more sensors than the 1"):
        narrow.load(0, wide.dump(0))


def test_what_does_not_fit_is_refused_and_changes_nothing() -> None:
    detector, x = fleet("trees"), stream(60, scaled=True)
    detector.learn(batch_of(np.array([ROW]), x, np.array([0]), np.array([60])))
    before = detector.dump(ROW)
    taller = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(n_trees=4, height=6, window_size=30)
    stranger = rivers_own()["trees"]
    stranger.learn_one({"flow": 1.0, "noise": 2.0})
    for model, message in (
        (taller, "height is 6, the fleet's 5"),
        (stranger, "'noise'"),
        (rivers_own()["loda"], "StandardScaler . LODA.*MinMaxScaler . HalfSpaceTrees"),
        (anomaly.HalfSpaceTrees(n_trees=4, height=5, window_size=30), "HalfSpaceTrees"),
    ):
        with pytest.raises(ValueError, match=message):
            from_river(detector, ROW, model, SENSORS)
    with pytest.raises(ValueError, match="2 sensors are named"):
        to_river(detector, ROW, SENSORS[:2])
    for key, array in detector.dump(ROW).items():
        np.testing.assert_array_equal(array, before[key])


def test_other_random_draws_are_refused() -> None:
    for name, model in (
        ("loda", preprocessing.StandardScaler() | anomaly.LODA(n_random_cuts=6, seed=SEED + 1)),
        (
            "svm with cosines",
            preprocessing.StandardScaler()
            | feature_extraction.RBFSampler(gamma=0.5, n_components=4, seed=SEED + 1)
            | anomaly.OneClassSVM(),
        ),
    ):
        model.learn_one(dict.fromkeys(SENSORS, 0.5))
        with pytest.raises(ValueError, match="are not those that the fleet draws"):
            from_river(fleet(name), ROW, model, SENSORS)


def test_kinds_that_river_does_not_have() -> None:
    detector = build("robust-univariate", 3)
    with pytest.raises(ValueError, match="robust-univariate"):
        to_river(detector, 0, SENSORS)
