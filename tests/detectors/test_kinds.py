"""Every registered kind of detector, held to what a monitor relies on; and the checks themselves."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from detectors.base import FleetDetector, RawScores, State
from detectors.batch import Batch
from detectors.checks.checks import CHECKS, Check, outcomes
from detectors.registry import KINDS, build
from detectors.seeds import machine_seed


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_kind_does_what_a_monitor_relies_on(kind: str, check: Check) -> None:
    check.run(kind)


class Wrong(FleetDetector):
    """Wrong in most ways: depends on the batch, keeps no state, blames every sensor."""

    kind: ClassVar[str] = "right"

    def resize(self, capacity: int) -> None:
        pass

    def reset(self, row: int, seed: int) -> None:
        pass

    def dump(self, row: int) -> State:
        return {}

    def load(self, row: int, state: State) -> None:
        pass

    def score(self, batch: Batch) -> RawScores:
        raw = np.full(len(batch), float(len(batch)))
        one = np.ones_like(batch.x)
        return RawScores(raw, -one, one, one)

    def learn(self, batch: Batch) -> None:
        if len(batch) == 0 and self.width == 2:
            raise ZeroDivisionError("no readings")


def test_a_wrong_kind_fails_and_each_failure_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "wrong", f"{__name__}:Wrong")
    failed = {one.name: one.text for one in outcomes("wrong") if not one.passed}
    assert "it has to be 'wrong'" in failed["name and parameters"]
    assert "scores without a model" in failed["nothing is said before anything was learned"]
    assert "negative" in failed["scores are finite once learned, and evidence has a value for each sensor"]
    assert "usual ones" in failed["what is far off scores higher than what is usual"]
    assert "how the readings are cut" in failed["the same bits however batches are cut"]
    assert "has to raise ValueError" in failed["a snapshot of other sensors is refused"]
    assert "ZeroDivisionError: no readings" in failed["an empty batch"]


def test_a_slow_kind_is_said_to_be_slow() -> None:
    ticks = iter(range(0, 1000, 10))
    *_, last = outcomes("records", lambda: float(next(ticks)))
    assert not last.passed
    assert "µs a reading of 8 sensors; at most" in last.text


def test_a_kind_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match="half-space-trees"):
        next(outcomes("half-space-forest"))


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
