"""Take a machine's model out of a fleet as a River object, and River's objects in: they go on identically.

>>> from detectors.batch import Batch
>>> fleet = FleetHalfSpaceTrees(2, n_trees=3, height=4, window_size=20)
>>> fleet.resize(1); fleet.reset(0, seed=7)
>>> x = np.random.default_rng(1).normal(size=(100, 2))
>>> fleet.learn(Batch(np.array([0]), np.array([100]), np.arange(100), x))
>>> model = to_river(fleet, 0, ("flow", "pressure"))
>>> ours = fleet.score(Batch(np.array([0]), np.array([1]), np.array([100]), x[:1])).raw[0]
>>> bool(ours == model.score_one({"flow": x[0, 0], "pressure": x[0, 1]}))
True
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from river import anomaly, compose, feature_extraction, optim, preprocessing, sketch, utils
from river.sketch.histogram import Bin
from river.tree.padded import PaddedBranch, PaddedLeaf

from detectors.base import FleetDetector
from detectors.half_space_trees.detector import FleetHalfSpaceTrees
from detectors.half_space_trees.forests import all_masses
from detectors.loda.detector import FleetLoda
from detectors.one_class_svm import FleetOneClassSVM
from detectors.scaling import FleetMinMaxScaler, FleetStandardScaler


def has_counterpart(detector: FleetDetector) -> bool:
    """Whether River has such a model."""
    return isinstance(detector, FleetHalfSpaceTrees | FleetOneClassSVM | FleetLoda)


def to_river(detector: FleetDetector, row: int, sensors: Sequence[str]) -> Any:
    """The model of ``row`` as a River pipeline over features named ``sensors`` (in the columns' order).

    ValueError for a kind that River does not have.
    """
    if len(sensors) != detector.width:
        raise ValueError(f"{len(sensors)} sensors are named, the models have {detector.width}")
    if isinstance(detector, FleetHalfSpaceTrees):
        model = _trees_to_river(detector, row, sensors)
        return _min_max_to_river(detector.scaler, row, sensors) | model if detector.scaler else model
    if isinstance(detector, FleetOneClassSVM):
        steps = [_standard_to_river(detector.scaler, row, sensors)]
        if detector.components:
            steps.append(_cosines_to_river(detector, row, sensors))
        return compose.Pipeline(*steps, _svm_to_river(detector, row, sensors))
    if isinstance(detector, FleetLoda):
        return _standard_to_river(detector.scaler, row, sensors) | _loda_to_river(detector, row, sensors)
    raise ValueError(f"River has no counterpart of detector kind {detector.kind}")


def from_river(detector: FleetDetector, row: int, model: Any, sensors: Sequence[str]) -> None:
    """Let ``row`` go on from a River model: what `to_river` returns, or the same pipeline made elsewhere.

    ``sensors`` names the columns. ValueError when the fleet's parameters or sensors are not the model's;
    nothing is changed then.
    """
    if len(sensors) != detector.width:
        raise ValueError(f"{len(sensors)} sensors are named, the models have {detector.width}")
    steps = list(model.steps.values()) if isinstance(model, compose.Pipeline) else [model]
    if isinstance(detector, FleetHalfSpaceTrees):
        wanted: list[type] = [preprocessing.MinMaxScaler] if detector.scaler else []
        _check_steps(steps, [*wanted, anomaly.HalfSpaceTrees])
        _trees_from_river(detector, row, steps, sensors)
    elif isinstance(detector, FleetOneClassSVM):
        wanted = [feature_extraction.RBFSampler] if detector.components else []
        _check_steps(steps, [preprocessing.StandardScaler, *wanted, anomaly.OneClassSVM])
        _svm_from_river(detector, row, steps, sensors)
    elif isinstance(detector, FleetLoda):
        _check_steps(steps, [preprocessing.StandardScaler, anomaly.LODA])
        _loda_from_river(detector, row, steps, sensors)
    else:
        raise ValueError(f"River has no counterpart of detector kind {detector.kind}")


def _check_steps(steps: Sequence[Any], wanted: Sequence[type]) -> None:
    if [type(step) for step in steps] != list(wanted):
        raise ValueError(
            f"the model is {' | '.join(type(step).__name__ for step in steps)}; "
            f"this fleet takes {' | '.join(one.__name__ for one in wanted)}"
        )


def _check_same(what: str, model: Any, fleet: Any) -> None:
    if model != fleet:
        raise ValueError(f"the model's {what} is {model}, the fleet's {fleet}")


def _columns(sensors: Sequence[str], used: set[Any]) -> dict[Any, int]:
    """Each sensor's column. ValueError when the model uses others."""
    strangers = used - set(sensors)
    if strangers:
        raise ValueError(
            f"the model has sensor {sorted(map(str, strangers))[0]!r}, the fleet has {', '.join(sensors)}"
        )
    return {name: column for column, name in enumerate(sensors)}


# -- scalers


def _min_max_to_river(scaler: FleetMinMaxScaler, row: int, sensors: Sequence[str]) -> Any:
    seen = [i for i in range(len(sensors)) if scaler.low[row, i] <= scaler.high[row, i]]
    return preprocessing.MinMaxScaler._from_state(
        min={sensors[i]: float(scaler.low[row, i]) for i in seen},
        max={sensors[i]: float(scaler.high[row, i]) for i in seen},
    )


def _min_max_from_river(model: Any, sensors: Sequence[str]) -> dict[str, Any]:
    _check_same("scaler's window", model.window_size, None)
    columns = _columns(sensors, set(model.min))
    low, high = np.full(len(sensors), np.inf), np.full(len(sensors), -np.inf)
    for name in model.min:
        low[columns[name]], high[columns[name]] = model.min[name].get(), model.max[name].get()
    return {"low": low, "high": high}


def _standard_to_river(scaler: FleetStandardScaler, row: int, sensors: Sequence[str]) -> Any:
    seen = [i for i in range(len(sensors)) if scaler.count[row, i]]
    return preprocessing.StandardScaler._from_state(
        counts={sensors[i]: int(scaler.count[row, i]) for i in seen},
        means={sensors[i]: float(scaler.mean[row, i]) for i in seen},
        vars={sensors[i]: float(scaler.var[row, i]) for i in seen},
    )


def _standard_from_river(model: Any, sensors: Sequence[str]) -> dict[str, Any]:
    _check_same("scaler's window", model.window_size, None)
    _check_same("scaler's with_std", model.with_std, True)
    columns = _columns(sensors, set(model.counts))
    state: dict[str, Any] = {"count": np.zeros(len(sensors), dtype=np.int64)}
    state |= {"mean": np.zeros(len(sensors)), "var": np.zeros(len(sensors))}
    for name, count in model.counts.items():
        state["count"][columns[name]] = count
        state["mean"][columns[name]] = model.means[name]
        state["var"][columns[name]] = model.vars[name]
    return state


# -- half-space trees


def _trees_to_river(fleet: FleetHalfSpaceTrees, row: int, sensors: Sequence[str]) -> Any:
    seed = int(fleet.seed[row])
    model = anomaly.HalfSpaceTrees(
        n_trees=fleet.n_trees,
        height=fleet.height,
        window_size=fleet.window_size,
        seed=seed % fleet.share if fleet.share else seed,
    )
    trees = fleet.trees
    if trees.forest[row]:
        feature, threshold = (array.tolist() for array in fleet.forests.nodes(int(trees.forest[row])))
        running, last = (all_masses(mass).tolist() for mass in (trees.now[row], trees.last[row]))
        for i in range(fleet.n_trees):
            nodes: list[Any] = [None] * (2 * fleet.leaves)
            for node in range(2 * fleet.leaves - 1, 0, -1):
                masses = {"l_mass": running[i][node], "r_mass": last[i][node]}
                if node >= fleet.leaves:
                    nodes[node] = PaddedLeaf(**masses)
                else:
                    nodes[node] = PaddedBranch(
                        nodes[2 * node],
                        nodes[2 * node + 1],
                        feature=sensors[feature[i][node]],
                        threshold=threshold[i][node],
                        **masses,
                    )
            model.trees.append(nodes[1])
        model._tree_nodes = [list(tree.iter_dfs()) for tree in model.trees]
    model.counter = int(trees.counter[row])
    model._first_window = not trees.ready[row]
    return model


def _trees_from_river(
    fleet: FleetHalfSpaceTrees, row: int, steps: Sequence[Any], sensors: Sequence[str]
) -> None:
    model = steps[-1]
    for name in ("n_trees", "height", "window_size"):
        _check_same(name, getattr(model, name), getattr(fleet, name))
    feature = np.zeros((fleet.n_trees, fleet.leaves), dtype=np.int64)
    threshold = np.zeros((fleet.n_trees, fleet.leaves))
    masses = np.zeros((2, fleet.n_trees, fleet.leaves), dtype=fleet.trees.now.dtype)
    columns = _columns(sensors, {node.feature for node in _inner(model)})
    for i, tree in enumerate(model.trees):
        nodes = [tree]
        for node in range(1, 2 * fleet.leaves):
            here = nodes[node - 1]
            if node < fleet.leaves:
                feature[i, node], threshold[i, node] = columns[here.feature], here.threshold
                nodes += here.children
            else:
                masses[:, i, node - fleet.leaves] = here.l_mass, here.r_mass
    state = fleet.dump(row)
    if fleet.scaler:
        scaler = _min_max_from_river(steps[0], sensors)
        state |= {f"scaler.{name}": value for name, value in scaler.items()}
    if model.trees:
        state = {name: value for name, value in state.items() if not name.startswith("forest.")}
        state |= {"forest.feature": feature, "forest.threshold": threshold}
    state |= {
        "counter": np.array([model.counter]),
        "ready": np.array([not model._first_window]),
        "now": masses[0],
        "last": masses[1],
    }
    fleet.reset(row, int(fleet.seed[row]))
    fleet.load(row, {name: value for name, value in state.items() if not name.startswith("moments.")})


def _inner(model: Any) -> list[Any]:
    return [node for tree in model.trees for node in tree.iter_dfs() if isinstance(node, PaddedBranch)]


# -- one-class SVM


def _svm_to_river(fleet: FleetOneClassSVM, row: int, sensors: Sequence[str]) -> Any:
    model = anomaly.OneClassSVM(
        nu=2 * fleet.l2, optimizer=optim.SGD(fleet.rate), intercept_lr=fleet.intercept_rate
    )
    weights: dict[Any, float] = {}
    for i, name in enumerate(sensors):
        if fleet.scaler.count[row, i]:
            for j, weight in enumerate(fleet.weight[row, i].tolist()):
                weights[(name, j) if fleet.components else name] = weight
    model._weights = utils.VectorDict(weights)
    model.intercept = float(fleet.intercept[row])
    model.optimizer.n_iterations = int(fleet.learned[row])
    return model


def _cosines_to_river(fleet: FleetOneClassSVM, row: int, sensors: Sequence[str]) -> Any:
    seed = int(fleet.seed[row])
    seed = seed % fleet.share if fleet.share else seed
    frequency, phase = fleet.embedding(seed)
    model = feature_extraction.RBFSampler(gamma=fleet.gamma, n_components=fleet.components, seed=seed)
    model.offsets = phase.tolist()
    model.weights.update(zip(sensors, frequency.tolist(), strict=True))
    return model


def _svm_from_river(fleet: FleetOneClassSVM, row: int, steps: Sequence[Any], sensors: Sequence[str]) -> None:
    model = steps[-1]
    _check_same("nu", model.nu, 2 * fleet.l2)
    _check_same("optimizer", type(model.optimizer), optim.SGD)
    _check_same("learning rate", model.optimizer.learning_rate, fleet.rate)
    _check_same("intercept_lr", model.intercept_lr.get(0), fleet.intercept_rate)
    names = {key[0] if fleet.components else key for key in model.weights}
    columns = _columns(sensors, names)
    if fleet.components:
        seed = int(fleet.seed[row])
        frequency, phase = fleet.embedding(seed % fleet.share if fleet.share else seed)
        own = {name: frequency[columns[name]].tolist() for name in steps[1].weights}
        if steps[1].offsets != phase.tolist() or dict(steps[1].weights) != own:
            raise ValueError("the model's cosines are not those that the fleet draws for this machine's seed")
    weight = np.zeros((fleet.width, fleet.terms))
    for key, value in model.weights.items():
        name, j = key if fleet.components else (key, 0)
        weight[columns[name], j] = value
    state = {
        "seed": fleet.seed[row : row + 1].copy(),
        "learned": np.array([model.optimizer.n_iterations]),
        "intercept": np.array([float(model.intercept)]),
        "weight": weight,
    }
    scaler = _standard_from_river(steps[0], sensors)
    fleet.load(row, state | {f"scaler.{name}": value for name, value in scaler.items()})


# -- LODA


def _loda_to_river(fleet: FleetLoda, row: int, sensors: Sequence[str]) -> Any:
    held, seed = fleet.histograms, int(fleet.seed[row])
    seed = seed % fleet.share if fleet.share else seed
    model = anomaly.LODA(n_bins=held.bins, n_random_cuts=fleet.cuts, seed=seed)
    total = int(held.total[row])
    if total:
        chosen, weights = (array.tolist() for array in fleet.projections(seed))
        model.features_ = sorted(sensors)
        for cut in range(fleet.cuts):
            terms = zip(chosen[cut], weights[cut], strict=True)
            model.projections_.append({sensors[column]: weight for column, weight in terms})
            histogram = sketch.Histogram(max_bins=held.bins)
            histogram.n = total
            bins = zip(held.left[row, cut], held.right[row, cut], held.count[row, cut], strict=True)
            histogram.data = [Bin(float(a), float(b), int(n)) for a, b, n in bins if math.isfinite(b)]
            model.histograms_.append(histogram)
    return model


def _loda_from_river(fleet: FleetLoda, row: int, steps: Sequence[Any], sensors: Sequence[str]) -> None:
    model, held = steps[-1], fleet.histograms
    _check_same("n_bins", model.n_bins, held.bins)
    _check_same("n_random_cuts", model.n_random_cuts, fleet.cuts)
    _columns(sensors, set(model.features_))
    left, right = np.full((2, fleet.cuts, held.bins), np.inf)
    count = np.zeros((fleet.cuts, held.bins), dtype=np.int32)
    total = 0
    if model.projections_:
        seed = int(fleet.seed[row])
        chosen, weights = fleet.projections(seed % fleet.share if fleet.share else seed)
        for cut, (projection, histogram) in enumerate(
            zip(model.projections_, model.histograms_, strict=True)
        ):
            own = {sensors[i]: w for i, w in zip(chosen[cut], weights[cut].tolist(), strict=True)}
            if projection != own:
                raise ValueError(
                    "the model's projections are not those that the fleet draws for this machine's seed"
                )
            for i, one in enumerate(histogram.data):
                left[cut, i], right[cut, i], count[cut, i] = one.left, one.right, one.count
            total = histogram.n
    state: dict[str, Any] = {"seed": fleet.seed[row : row + 1].copy()}
    histograms = {"total": np.array([total]), "left": left, "right": right, "count": count}
    state |= {f"histograms.{name}": value for name, value in histograms.items()}
    scaler = _standard_from_river(steps[0], sensors)
    fleet.load(row, state | {f"scaler.{name}": value for name, value in scaler.items()})
