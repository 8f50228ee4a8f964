"""Page and Hinkley's test tells a lasting rise soon, and noise hardly ever."""

from __future__ import annotations

import numpy as np

from detectors.decision.drift import FleetPageHinkley

ROWS = np.arange(200)


def fleet() -> FleetPageHinkley:
    made = FleetPageHinkley()
    made.resize(len(ROWS))
    for row in ROWS.tolist():
        made.reset(row, 0)
    return made


def drifts(mean: float, blocks: int) -> int:
    """How many of 200 machines drift in ``blocks`` means of 16 independent pieces of evidence."""
    rng, test = np.random.default_rng(1), fleet()
    return sum(
        int(test.update(ROWS, rng.exponential(mean, (len(ROWS), 16)).mean(axis=1)).sum())
        for _ in range(blocks)
    )


def test_a_usual_machine_does_not_drift_and_one_that_scores_double_does_soon() -> None:
    assert drifts(1.0, 500) == 0
    assert 1.5 * len(ROWS) < drifts(2.0, 40) < 2.5 * len(ROWS), "each about every 16 blocks"


def test_what_is_missing_changes_nothing() -> None:
    test = fleet()
    before = test.dump(0)
    assert not test.update(ROWS, np.full(len(ROWS), np.nan)).any()
    assert all(np.array_equal(before[name], value) for name, value in test.dump(0).items())
