"""The fleets against River itself: random streams, gaps, constants, windows that end inside a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from river import anomaly, compose, feature_extraction, preprocessing, sketch

from detectors.base import FleetDetector
from detectors.batch import Batch, Floats, Ints
from detectors.checks.fleet import batch_of
from detectors.half_space_trees.detector import FleetHalfSpaceTrees
from detectors.half_space_trees.forests import draw_tree
from detectors.loda.detector import FleetLoda
from detectors.loda.histograms import FleetHistograms, add_value, density
from detectors.one_class_svm import FleetOneClassSVM
from detectors.scaling import FleetMinMaxScaler, FleetStandardScaler

# Rounded values meet thresholds and extremes again; large and small ones strain the arithmetic.
VALUES = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-100, 100).map(lambda v: round(v, 2)),
    st.floats(-1e9, 1e9, allow_nan=False),
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[Floats, int]:
    """(machines, n, width) readings with gaps, and a seed for how they are cut into batches."""
    machines, n, width = draw(st.integers(1, 4)), draw(st.integers(1, 60)), draw(st.integers(1, 4))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    kind = draw(st.sampled_from(["normal", "few values", "drawn"]))
    if kind == "normal":
        x = rng.normal(size=(machines, n, width)) * 10.0 ** rng.integers(-3, 4, width)
    elif kind == "few values":
        x = rng.integers(0, 3, (machines, n, width)).astype(float)
    else:
        pool = np.array(draw(st.lists(VALUES, min_size=1, max_size=20)))
        x = rng.choice(pool, (machines, n, width))
    gaps = draw(st.sampled_from([0.0, 0.0, 0.1, 0.5]))
    for machine in range(0, machines, 2):  # others have none: both ways are taken in one batch
        x[machine][rng.random((n, width)) < gaps] = np.nan
    if draw(st.booleans()):
        x[:, :, 0] = 4.25
    return x, seed


def as_dict(reading: Floats) -> dict[int, float]:
    """What River gets: missing values are not in it."""
    return {i: float(value) for i, value in enumerate(reading) if not math.isnan(value)}


def cut(x: Floats, rows: Ints, rng: np.random.Generator) -> list[tuple[Batch, list[tuple[int, int]]]]:
    """All readings in batches of any size, machines in any order; and which reading stands where."""
    machines, n, _ = x.shape
    done = np.zeros(machines, dtype=np.int64)
    out = []
    while (done < n).any():
        most = int(rng.choice([1, 3, n]))
        counts = np.minimum(n - done, rng.integers(0, most + 1, machines))
        order = rng.permutation(machines)
        where = [(int(j), int(i)) for j in order for i in range(done[j], done[j] + counts[j])]
        out.append((batch_of(rows[order], x[order], done[order], counts[order]), where))
        done = done + counts
    return out


def one_by_one(models: Sequence[Any], x: Floats) -> Floats:
    """River's scores, (machines, n): each reading is scored, then learned."""
    scores = np.empty(x.shape[:2])
    for j, model in enumerate(models):
        for i, reading in enumerate(x[j]):
            features = as_dict(reading)
            scores[j, i] = model.score_one(features)
            model.learn_one(features)
    return scores


def fleet_of(made: FleetDetector, machines: int, seed: int) -> tuple[FleetDetector, Ints]:
    rows = np.random.default_rng(seed).permutation(machines + 3)[:machines]
    made.resize(machines + 3)
    for j, row in enumerate(rows):
        made.reset(int(row), seed=j)
    return made, rows


# -- HalfSpaceTrees: bit for bit


def trees_and_river(
    x: Floats, seed: int, n_trees: int, height: int, window: int, scaled: bool
) -> tuple[FleetHalfSpaceTrees, Ints, Floats]:
    machines, _, width = x.shape
    x[:, 0] = np.nan_to_num(x[:, 0])  # River fails when the first reading is empty
    made = FleetHalfSpaceTrees(
        width, n_trees, height, window, forests=0, features="first", scaled=scaled, moments=seed % 2 == 0
    )
    _, rows = fleet_of(made, machines, seed)
    models: list[Any] = [anomaly.HalfSpaceTrees(n_trees, height, window, seed=j) for j in range(machines)]
    if scaled:
        models = [preprocessing.MinMaxScaler() | model for model in models]
    return made, rows, one_by_one(models, x)


@settings(max_examples=120, deadline=None)
@given(streams(), st.integers(1, 4), st.integers(1, 6), st.integers(2, 40), st.booleans())
def test_half_space_trees_score_learn(
    stream: tuple[Floats, int], n_trees: int, height: int, window: int, scaled: bool
) -> None:
    x, seed = stream
    made, rows, expected = trees_and_river(x, seed, n_trees, height, window, scaled)
    for batch, where in cut(x, rows, np.random.default_rng(seed)):
        raw = made.score_learn(batch)
        for (j, i), found in zip(where, raw, strict=True):
            # Before the first window is full River says 0, the fleet that it cannot say.
            assert found == expected[j, i] or (i < window and math.isnan(found) and expected[j, i] == 0)


@settings(max_examples=60, deadline=None)
@given(streams(), st.integers(1, 3), st.integers(1, 5), st.integers(2, 30))
def test_half_space_trees_score_and_learn_apart(
    stream: tuple[Floats, int], n_trees: int, height: int, window: int
) -> None:
    """Learned whole batches at a time, the models stand where River's do after the same readings."""
    x, seed = stream
    machines, _, width = x.shape
    x[:, 0] = np.nan_to_num(x[:, 0])
    made = FleetHalfSpaceTrees(width, n_trees, height, window, forests=0, features="first")
    _, rows = fleet_of(made, machines, seed)
    models = [
        preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(n_trees, height, window, seed=j)
        for j in range(machines)
    ]
    for batch, where in cut(x, rows, np.random.default_rng(seed)):
        raw = made.score(batch).raw
        expected = [models[j].score_one(as_dict(x[j, i])) for j, i in where]
        for found, wanted in zip(raw, expected, strict=True):
            assert found == wanted or (math.isnan(found) and wanted == 0)
        made.learn(batch)
        for j, i in where:
            models[j].learn_one(as_dict(x[j, i]))


@pytest.mark.slow
@pytest.mark.parametrize(("height", "window"), [(8, 250), (15, 300)])
def test_half_space_trees_at_full_size(height: int, window: int) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2, 800, 8))
    made, rows, expected = trees_and_river(x, 2, 2 if height > 8 else 10, height, window, True)
    raw = np.empty((2, 800))
    for batch, where in cut(x, rows, rng):
        for (j, i), found in zip(where, made.score_learn(batch), strict=True):
            raw[j, i] = found
    assert np.isnan(raw[:, :window]).all()
    np.testing.assert_array_equal(raw[:, window:], expected[:, window:])


def test_a_window_that_ends_inside_a_batch() -> None:
    x = np.random.default_rng(4).normal(size=(1, 700, 3))
    made, rows, expected = trees_and_river(x, 2, 5, 6, 100, True)
    raw = made.score_learn(batch_of(rows, x, np.array([0]), np.array([700])))
    np.testing.assert_array_equal(raw[100:], expected[0, 100:])


def test_many_machines_share_forests_of_their_seed() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 120, 3))
    made = FleetHalfSpaceTrees(3, 3, 5, 20, forests=4)
    _, rows = fleet_of(made, 40, 6)
    models = [preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(3, 5, 20, seed=j % 4) for j in range(40)]
    expected = one_by_one(models, x)
    for batch, where in cut(x, rows, rng):
        for (j, i), found in zip(where, made.score_learn(batch), strict=True):
            assert found == expected[j, i] or i < 20
    assert len(made.forests) == 4


@pytest.mark.parametrize("height", [1, 4, 8])
def test_trees_are_drawn_as_river_draws_them(height: int) -> None:
    import random

    from river.tree.padded import make_padded_tree

    ours, rivers = random.Random(9), random.Random(9)
    for _ in range(3):
        feature, threshold = draw_tree(ours, range(5), height)
        limits = dict.fromkeys(range(5), (0.0, 1.0))
        nodes = [make_padded_tree(limits, height, 0.15, rivers, r_mass=0, l_mass=0)]
        for node in range(1, 2**height):
            branch = nodes[node - 1]
            assert (branch.feature, branch.threshold) == (feature[node], threshold[node])
            nodes += branch.children


# -- scalers


@settings(max_examples=60, deadline=None)
@given(streams())
def test_min_max_scaler(stream: tuple[Floats, int]) -> None:
    _check_scaler(stream, FleetMinMaxScaler, preprocessing.MinMaxScaler, exact=True)


@settings(max_examples=60, deadline=None)
@given(streams())
def test_standard_scaler(stream: tuple[Floats, int]) -> None:
    _check_scaler(stream, FleetStandardScaler, preprocessing.StandardScaler, exact=False)


def _check_scaler(stream: tuple[Floats, int], kind: Any, rivers: Any, exact: bool) -> None:
    x, seed = stream
    machines, _, width = x.shape
    made = kind(width)
    rows = np.random.default_rng(seed).permutation(machines + 2)[:machines]
    made.resize(machines + 2)
    for row in rows:
        made.reset(int(row), 0)
    models = [rivers() for _ in range(machines)]
    for batch, where in cut(x, rows, np.random.default_rng(seed)):
        before = made.scale(batch.row_of, batch.x)
        for (j, i), scaled in zip(where, before, strict=True):
            same_reading(as_dict(scaled), models[j].transform_one(as_dict(x[j, i])), exact)
        after = made.learn_scale(batch)
        for (j, i), scaled in zip(where, after, strict=True):
            models[j].learn_one(as_dict(x[j, i]))
            same_reading(as_dict(scaled), models[j].transform_one(as_dict(x[j, i])), exact)


def same_reading(ours: dict[int, float], rivers: dict[int, float], exact: bool) -> None:
    rivers = {i: value for i, value in rivers.items() if not math.isnan(value)}  # no extremes yet
    assert ours.keys() == rivers.keys()
    for i, value in ours.items():
        assert value == rivers[i] if exact else math.isclose(value, rivers[i], rel_tol=1e-12, abs_tol=1e-300)


# -- LODA


@settings(max_examples=40, deadline=None)
@given(streams(), st.integers(2, 12), st.integers(1, 8))
def test_loda(stream: tuple[Floats, int], bins: int, cuts: int) -> None:
    x, seed = stream
    machines, _, width = x.shape
    x[:, 0] = np.nan_to_num(x[:, 0])
    made = FleetLoda(width, bins, cuts, start=1, projections=0)
    models = [
        preprocessing.StandardScaler() | anomaly.LODA(n_bins=bins, n_random_cuts=cuts, seed=j)
        for j in range(machines)
    ]
    close_to_river(made, models, x, seed, 1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=120), st.integers(2, 12))
@example([1.0] * 5, 2)
def test_histogram(values: list[float], bins: int) -> None:
    ours, rivers = FleetHistograms(1, bins), sketch.Histogram(max_bins=bins)
    ours.resize(1)
    ours.reset(0, 0)
    for value in values:
        if rivers.n:
            found = density(ours.left, ours.right, ours.count, ours.total, 0, 0, value)
            assert found == anomaly.LODA._density(rivers, value)
        add_value(ours.left, ours.right, ours.count, 0, 0, value)
        ours.total[0] += 1
        rivers.update(value)
        used = len(rivers)
        assert ours.left[0, 0, :used].tolist() == [one.left for one in rivers]
        assert ours.right[0, 0, :used].tolist() == [one.right for one in rivers]
        assert ours.count[0, 0, :used].tolist() == [one.count for one in rivers]
        assert np.isinf(ours.right[0, 0, used:]).all()


# -- OneClassSVM


@settings(max_examples=40, deadline=None)
@given(streams(), st.sampled_from([0.05, 0.1, 0.5]))
def test_one_class_svm_linear(stream: tuple[Floats, int], nu: float) -> None:
    x, seed = stream
    made = FleetOneClassSVM(x.shape[2], nu=nu, components=0, start=0)
    models = [preprocessing.StandardScaler() | anomaly.OneClassSVM(nu=nu) for _ in x]
    close_to_river(made, models, x, seed, 1e-9)


@settings(max_examples=25, deadline=None)
@given(streams())
def test_one_class_svm_with_cosines(stream: tuple[Floats, int]) -> None:
    x, seed = stream
    x[:, 0] = np.nan_to_num(x[:, 0])  # River draws the cosines of a sensor when it first sees it
    made = FleetOneClassSVM(x.shape[2], components=5, gamma=0.7, start=0, embeddings=0)
    models = [
        compose.Pipeline(
            preprocessing.StandardScaler(),
            feature_extraction.RBFSampler(gamma=0.7, n_components=5, seed=j),
            anomaly.OneClassSVM(),
        )
        for j in range(len(x))
    ]
    close_to_river(made, models, x, seed, 1e-9, sign=-1)


def close_to_river(
    made: FleetDetector, models: Sequence[Any], x: Floats, seed: int, relative: float, sign: int = 1
) -> None:
    """Learned as River learns, reading by reading; what is cut is how many machines share a batch."""
    machines, n, _ = x.shape
    _, rows = fleet_of(made, machines, seed)
    expected = sign * one_by_one(models, x)
    rng = np.random.default_rng(seed)
    scale = np.maximum(1.0, np.abs(expected))
    for step in range(n):
        order = rng.permutation(machines)
        edge = int(rng.integers(0, machines + 1))
        for part in (order[:edge], order[edge:]):
            if len(part):
                counts = np.ones(len(part), dtype=np.int64)
                batch = batch_of(rows[part], x[part], np.full(len(part), step), counts)
                raw = made.score(batch).raw
                known = ~np.isnan(raw)
                off = np.abs(raw - expected[part, step]) / scale[part, step]
                assert (off[known] <= relative).all()
                assert (known | np.isnan(batch.x).all(axis=1) | (step == 0)).all()
                made.learn(batch)


SAMPLE: Callable[[int], Floats] = lambda n: np.random.default_rng(1).normal(size=(1, n, 2))  # noqa: E731


def test_learning_in_blocks_is_learning_one_by_one() -> None:
    """LODA and OneClassSVM too: a block learned at once leaves what River has after its readings."""
    x = SAMPLE(200)
    for made, model, sign in (
        (FleetLoda(2, projections=0), preprocessing.StandardScaler() | anomaly.LODA(seed=0), 1),
        (FleetOneClassSVM(2, components=0), preprocessing.StandardScaler() | anomaly.OneClassSVM(), 1),
    ):
        made.resize(1)
        made.reset(0, 0)
        rows = np.array([0])
        made.learn(batch_of(rows, x, np.array([0]), np.array([150])))
        for reading in x[0, :150]:
            model.learn_one(as_dict(reading))
        raw = made.score(batch_of(rows, x, np.array([150]), np.array([50]))).raw
        expected = [sign * model.score_one(as_dict(reading)) for reading in x[0, 150:]]
        np.testing.assert_allclose(raw, expected, rtol=1e-9)
