"""Every registered kind of detector, held to what a monitor relies on."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from detectors.base import FleetDetector
from detectors.registry import KINDS, build, detector_class, parameters
from detectors.seeds import machine_seed
from tests.detectors.checks import batch_of, learn_blocks, readings, run, whole

WIDTHS = (1, 3)
LEARNED = 320  # readings after which every kind has to have scores


def made(kind: str, width: int, capacity: int, rows: np.ndarray) -> FleetDetector:
    detector = build(kind, width)
    detector.resize(capacity)
    for row in rows:
        detector.reset(int(row), machine_seed(f"a/b/c/d/machine-{row}"))
    return detector


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("width", WIDTHS)
def test_scores_are_finite_once_learned(kind: str, width: int) -> None:
    rows = np.array([3, 0])
    x = readings(np.random.default_rng(1), 2, LEARNED + 80, width)
    detector = made(kind, width, 4, rows)
    learn_blocks(detector, rows, x[:, :LEARNED])
    batch = whole(rows, x[:, LEARNED:])
    scores = detector.score(batch)
    found = scores.evidence(np.arange(len(batch)))
    assert scores.raw.shape == (len(batch),)
    assert not np.isinf(scores.raw).any()
    assert np.isfinite(scores.raw).mean() > 0.8  # some may be of a regime that is not known yet
    assert found.contributions.shape == found.expected.shape == found.deviation.shape == batch.x.shape
    assert np.isfinite(found.contributions).all()
    assert (found.contributions >= 0).all()


@pytest.mark.parametrize("width", WIDTHS)
def test_says_nothing_before_it_has_learned(kind: str, width: int) -> None:
    rows = np.array([1])
    detector = made(kind, width, 2, rows)
    x = readings(np.random.default_rng(2), 1, 5, width)
    assert np.isnan(detector.score(whole(rows, x)).raw).all()


@pytest.mark.parametrize("width", WIDTHS)
def test_far_off_scores_higher_than_usual(kind: str, width: int) -> None:
    rows = np.array([0, 1])
    x = readings(np.random.default_rng(3), 2, LEARNED + 100, width)
    detector = made(kind, width, 2, rows)
    learn_blocks(detector, rows, x[:, :LEARNED])
    usual = np.nan_to_num(detector.score(whole(rows, x[:, LEARNED:])).raw)
    odd = x[:, LEARNED : LEARNED + 20] + 12 * x.std(axis=1, keepdims=True)
    found = detector.score(batch_of(rows, odd, np.zeros(2, dtype=int), np.full(2, 20)))
    raw = found.raw[~np.isnan(found.raw)]  # a regime of its own may have no model yet
    assert not len(raw) or np.median(raw) > np.quantile(usual, 0.9)


def test_names_the_sensor_that_is_off(kind: str) -> None:
    rows = np.array([0])
    x = readings(np.random.default_rng(4), 1, LEARNED + 20, 4)
    detector = made(kind, 4, 1, rows)
    learn_blocks(detector, rows, x[:, :LEARNED])
    odd = x[:, LEARNED:].copy()
    odd[:, :, 2] += 12 * x[0, :, 2].std()
    batch = whole(rows, odd)
    found = detector.score(batch).evidence(np.arange(len(batch)))
    assert np.argmax(found.contributions.mean(axis=0)) == 2


@pytest.mark.parametrize("width", WIDTHS)
def test_survives_missing_and_constant_sensors(kind: str, width: int) -> None:
    rng = np.random.default_rng(5)
    rows = np.array([2, 1, 0])
    x = readings(rng, 3, LEARNED + 60, width)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[0, :, -1] = 7.0  # never moves
    x[1, 100:, 0] = np.nan  # vanishes
    x[2, :50, 0] = np.nan  # appears
    x[0, -5:] = np.nan  # nothing at all
    detector = made(kind, width, 3, rows)
    raw, contributions, _, _ = run(detector, rows, x, 16, None)
    present = ~np.isnan(x)
    assert not np.isinf(raw).any()
    if width > 1:  # of a machine whose only sensor never moves a kind need not say anything
        known = raw[0, LEARNED:-5][present[0, LEARNED:-5].all(axis=1)]
        assert np.isfinite(known).mean() > 0.8
    assert np.isfinite(contributions).all()
    assert (contributions >= 0).all()
    assert (contributions[~present] == 0).all(), "what is missing has no part"


def test_survives_a_machine_that_never_moves(kind: str) -> None:
    rows = np.array([0])
    x = np.full((1, LEARNED + 32, 2), 5.0)
    detector = made(kind, 2, 1, rows)
    raw, contributions, _, _ = run(detector, rows, x, 16, None)
    assert not np.isinf(raw).any()
    assert np.isfinite(contributions).all()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("block", [1, 16])
def test_same_bits_however_batches_are_cut(kind: str, width: int, block: int) -> None:
    rng = np.random.default_rng(6)
    rows = np.array([4, 0, 2])
    n = 200 if block > 1 else 150
    x = readings(rng, 3, n, width)
    x[1][rng.random((n, width)) < 0.05] = np.nan
    learned = readings(rng, 3, 140, width)
    together = made(kind, width, 5, rows)
    apart = made(kind, width, 5, rows)
    for detector in (together, apart):
        learn_blocks(detector, rows, learned)
    for one, other in zip(
        run(together, rows, x, block, None),
        run(apart, rows, x, block, np.random.default_rng(7)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_a_machine_does_not_depend_on_the_others(kind: str) -> None:
    x = readings(np.random.default_rng(8), 3, 180, 2)
    rows = np.array([0, 1, 2])
    together = made(kind, 2, 3, rows)
    expected = run(together, rows, x, 16, None)[0]
    alone = build(kind, 2)
    alone.resize(8)
    alone.reset(6, machine_seed("a/b/c/d/machine-1"))
    np.testing.assert_array_equal(run(alone, np.array([6]), x[1:2], 16, None)[0][0], expected[1])


@pytest.mark.parametrize("learned", [0, 5, 200])
def test_dump_and_load_change_nothing(kind: str, learned: int) -> None:
    rng = np.random.default_rng(9)
    rows = np.array([1, 3])
    x = readings(rng, 2, learned + 150, 2)
    x[0][rng.random(x[0].shape) < 0.05] = np.nan
    detector = made(kind, 2, 4, rows)
    if learned:
        run(detector, rows, x[:, :learned], 16, None)
    moved = build(kind, 2)
    moved.resize(2)
    for place, row in ((0, 1), (1, 3)):
        moved.reset(place, 12345)  # what was there before must not show
        moved.load(place, {name: array.copy() for name, array in detector.dump(row).items()})
    for one, other in zip(
        run(detector, rows, x[:, learned:], 16, None),
        run(moved, np.array([0, 1]), x[:, learned:], 16, None),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_a_dump_owns_its_memory_and_is_small(kind: str) -> None:
    rows = np.array([0])
    x = readings(np.random.default_rng(10), 1, 300, 8)
    detector = made(kind, 8, 1, rows)
    learn_blocks(detector, rows, x)
    before = detector.dump(0)
    kept = {name: array.copy() for name, array in before.items()}
    learn_blocks(detector, rows, x)
    for name, array in before.items():
        np.testing.assert_array_equal(array, kept[name])
    assert sum(array.nbytes for array in kept.values()) <= 32_000


def test_reset_forgets(kind: str) -> None:
    x = readings(np.random.default_rng(11), 1, 200, 2)
    rows = np.array([0])
    detector = made(kind, 2, 1, rows)
    first = run(detector, rows, x, 16, None)[0]
    detector.reset(0, machine_seed("a/b/c/d/machine-0"))
    np.testing.assert_array_equal(run(detector, rows, x, 16, None)[0], first)


def test_growth_keeps_what_was_learned(kind: str) -> None:
    x = readings(np.random.default_rng(12), 1, 260, 2)
    rows = np.array([0])
    grown, fixed = made(kind, 2, 1, rows), made(kind, 2, 64, rows)
    for detector in (grown, fixed):
        learn_blocks(detector, rows, x[:, :160])
    grown.resize(64)
    grown.reset(40, 1)
    np.testing.assert_array_equal(
        run(grown, rows, x[:, 160:], 16, None)[0], run(fixed, rows, x[:, 160:], 16, None)[0]
    )


def test_load_refuses_other_sensors(kind: str) -> None:
    rows = np.array([0])
    other = made(kind, 3, 1, rows)
    learn_blocks(other, rows, readings(np.random.default_rng(13), 1, 200, 3))
    detector = made(kind, 2, 1, rows)
    with pytest.raises(ValueError, match=r"."):
        detector.load(0, other.dump(0))


def test_an_empty_batch_is_fine(kind: str) -> None:
    detector = made(kind, 2, 1, np.array([0]))
    none = batch_of(np.array([0]), np.zeros((1, 0, 2)), np.array([0]), np.array([0]))
    assert len(detector.score(none).raw) == 0
    detector.learn(none)


def test_a_kind_says_its_own_name(kind: str) -> None:
    assert detector_class(kind).kind == kind
    assert inspect.Parameter.empty not in parameters(kind).values()


def test_unknown_kinds_and_parameters_are_named() -> None:
    with pytest.raises(ValueError, match="half-space-trees"):
        build("half-space-forest", 2)
    with pytest.raises(ValueError, match=r"no parameter 'trees'.*n_trees"):
        build("half-space-trees", 2, trees=3)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("half-space-trees", {"height": 0}),
        ("half-space-trees", {"n_trees": 0}),
        ("half-space-trees", {"window_size": 1}),
        ("half-space-trees", {"features": "some"}),
        ("loda", {"n_bins": 1}),
        ("one-class-svm", {"nu": 1.5}),
        ("robust-univariate", {"start": 2}),
    ],
)
def test_impossible_parameters_are_refused(kind: str, params: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=kind):
        build(kind, 2, **params)


def test_seeds_are_stable_and_spread() -> None:
    seeds = [machine_seed(f"a/b/c/d/m{i}") for i in range(1000)]
    assert len(set(seeds)) == 1000
    assert max(np.bincount(np.array(seeds) % 16)) < 100
    assert machine_seed("a/b/c/d/m0") == machine_seed("a/b/c/d/m0")
