"""Verdicts cut a machine's history into runs to failure, which the remaining-life model learns."""

from __future__ import annotations

import numpy as np

from detectors.remaining_life.model import RemainingLife
from pipeline.records import Verdict, VerdictKind
from pipeline.spreading.lives import lives_of

START, HOUR = 1_700_000_000_000, 3_600_000
TIME = START + HOUR * np.arange(1000)
X = np.arange(2000.0).reshape(1000, 2)


def verdict(kind: VerdictKind, start: int, end: int) -> Verdict:
    at = START + HOUR * end
    return Verdict(
        id=f"{kind}{end}",
        machine="a/b/c/d/e",
        machine_class="pump",
        kind=kind,
        start=START + HOUR * start,
        end=at,
        at=at,
        by="crew",
    )


def test_a_confirmed_fault_ends_a_life_and_planned_work_drops_one() -> None:
    runs = lives_of(
        TIME,
        X,
        [
            verdict(VerdictKind.FAULT, 700, 720),
            verdict(VerdictKind.PLANNED_WORK, 300, 310),
            verdict(VerdictKind.FALSE_ALARM, 500, 501),
            verdict(VerdictKind.SENSOR_FAULT, 600, 650),
            verdict(VerdictKind.FAULT, 190, 200),
        ],
    )
    assert [(run.x[0, 0] / 2, run.x[-1, 0] / 2) for run in runs] == [(0, 200), (311, 720)]
    first, second = runs
    assert first.age[0] == 0.0
    assert first.age[-1] == 200.0
    np.testing.assert_allclose(second.age[[0, -1]], [1.0, 410.0], atol=1e-3)


def test_age_counts_from_when_the_machine_was_new() -> None:
    (run,) = lives_of(TIME, X, [verdict(VerdictKind.FAULT, 90, 100)], new_at=START - 50 * HOUR)
    assert run.age[0] == 50.0
    assert run.remaining(1e9)[0] == 100.0


def test_short_lives_and_no_readings_give_nothing() -> None:
    assert lives_of(TIME, X, [verdict(VerdictKind.FAULT, 1, 5)]) == []
    assert lives_of(TIME[:0], X[:0], [verdict(VerdictKind.FAULT, 1, 5)]) == []
    assert lives_of(TIME, X, []) == []


def test_lives_of_verdicts_teach_a_model() -> None:
    rng = np.random.default_rng(0)
    model = RemainingLife(cap=80.0, spans=(8.0,), components=1, folds=2)
    begin, verdicts, wear = 0, [], np.zeros(1000)
    for life in (100, 120, 90, 110, 95, 130, 105):
        wear[begin : begin + life] = np.linspace(0, 1, life) ** 2
        begin += life
        verdicts.append(verdict(VerdictKind.FAULT, begin - 2, begin - 1))
    x = wear[:, None] * [3.0, -2.0] + rng.normal(0, 0.1, (1000, 2))
    for run in lives_of(TIME, x, verdicts):
        model.learn_run(run)
    assert model.ready
    estimate = model.follow().update(np.arange(1.0, 101.0), x[:100])
    assert estimate.remaining[-1] < 15 < estimate.remaining[40]
