"""NASA's C-MAPSS: remaining life of turbofan engines run to failure (Saxena et al. 2008).

The protocol of its test set: one prediction an engine, at the last reading before it is cut off; labels
capped at 125 cycles. With a file of train engines only, those are cross-validated: five folds of engines,
each held-out engine cut off at random so that 7 to 145 cycles are left and 31 or more were seen. With
`test…` and `RUL…` files beside it, these are predicted too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from river.linear_model import LinearRegression
from river.preprocessing import StandardScaler

from detectors.batch import Floats, Ints
from detectors.remaining_life.model import RemainingLife
from detectors.remaining_life.run_features import Run
from streams.evaluation.cmapss_files import Engines, read_engines
from streams.evaluation.report import Cell, Plot, Report, Table, Watch

CAP = 125.0
FOLDS = 5
CUTS = 20
_COLUMNS = ("method", "predictions", "RMSE", "RMSE < 50 left", "score", "in 90% interval, %", "width")
_NOTE = (
    "RMSE in cycles, labels capped at 125. score: NASA's, mean an engine, late predictions cost more. in 90% "
    "interval: share of engines whose truth the interval holds; width: its mean, in cycles. clock: mean life "
    "less age, no sensor. constant: the mean label. linear: River's on the latest standardised reading."
)


@dataclass(frozen=True)
class Predicted:
    """Truth and prediction (n,) of engines cut off; the interval is NaN for methods that give none."""

    truth: Floats
    remaining: Floats
    low: Floats
    high: Floats

    def joined(self, other: Predicted) -> Predicted:
        """Both, one after the other."""
        names = ("truth", "remaining", "low", "high")
        return Predicted(*(np.concatenate((getattr(self, n), getattr(other, n))) for n in names))


#: Learns runs to failure; then predicts at each reading of an engine: (n,) remaining, low, high.
Method = Callable[[list[Run]], Callable[[Run], tuple[Floats, Floats, Floats]]]


def run(path: Path, watch: Watch) -> Report:
    """Cross-validate the train engines at ``path``, and predict its test engines if there are any."""
    train, test = read_engines(path)
    runs = [engine.run for engine in train]
    report = Report(f"C-MAPSS {path}")
    outcomes: dict[str, Predicted] = {}
    for name, method in METHODS.items():
        outcomes[name] = _cross_validated(runs, method, lambda done, name=name: watch(name, done, FOLDS))  # type: ignore[misc]
    report.tables.append(_table(f"{len(runs)} train engines, cross-validated", outcomes))
    report.tables.append(_by_band(outcomes["Yeji"]))
    report.plots.append(_plot("cross-validated", outcomes["Yeji"]))
    if test:
        at_end = {name: _at_end(method(runs), test) for name, method in METHODS.items()}
        report.tables.append(_table(f"{len(test)} test engines", at_end))
        report.plots.append(_plot("test", at_end["Yeji"]))
    report.notes.append(_NOTE)
    return report


def _cross_validated(runs: list[Run], method: Method, watch: Callable[[int], None]) -> Predicted:
    """Each engine predicted by a model of the other folds', at `CUTS` random places."""
    rng = np.random.default_rng(0)
    fold = rng.permutation(len(runs)) % FOLDS
    cuts = [cut_places(run, rng) for run in runs]
    found: list[Predicted] = []
    for number in range(FOLDS):
        watch(number)
        predict = method([run for run, f in zip(runs, fold, strict=True) if f != number])
        for run, f, at in zip(runs, fold, cuts, strict=True):
            if f == number:
                remaining, low, high = predict(run)
                found.append(Predicted(run.remaining(CAP)[at], remaining[at], low[at], high[at]))
    watch(FOLDS)
    names = ("truth", "remaining", "low", "high")
    return Predicted(*(np.concatenate([getattr(one, name) for one in found]) for name in names))


def cut_places(run: Run, rng: np.random.Generator) -> Ints:
    """Places of an engine's last reading, as in the test set."""
    n = len(run.age)
    last = max(n - 7, 1)
    first = min(max(30, n - 146), last - 1)
    return rng.integers(first, last, CUTS)


def _at_end(predict: Callable[[Run], tuple[Floats, Floats, Floats]], test: Engines) -> Predicted:
    """Test engines, each at its last reading."""
    rows = []
    for engine in test:
        remaining, low, high = predict(engine.run)
        rows.append((min(engine.left, CAP), remaining[-1], low[-1], high[-1]))
    return Predicted(*np.array(rows).T)


def _yeji(runs: list[Run]) -> Callable[[Run], tuple[Floats, Floats, Floats]]:
    model = RemainingLife(cap=CAP)
    model.learn_history(runs)

    def predict(one: Run) -> tuple[Floats, Floats, Floats]:
        estimate = model.follow().update(one.age, one.x)
        return estimate.remaining, estimate.low, estimate.high

    return predict


def _clock(runs: list[Run]) -> Callable[[Run], tuple[Floats, Floats, Floats]]:
    life = float(np.mean([run.age[-1] for run in runs]))
    return lambda one: _point(np.clip(life - one.age, 0.0, CAP))


def _constant(runs: list[Run]) -> Callable[[Run], tuple[Floats, Floats, Floats]]:
    mean = float(np.mean(np.concatenate([run.remaining(CAP) for run in runs])))
    return lambda one: _point(np.full(len(one.age), mean))


def _linear(runs: list[Run]) -> Callable[[Run], tuple[Floats, Floats, Floats]]:
    model = StandardScaler() | LinearRegression()
    for one in runs:
        for row, left in zip(one.x.tolist(), one.remaining(CAP).tolist(), strict=True):
            model.learn_one(dict(enumerate(row)), left)
    return lambda one: _point(
        np.clip([model.predict_one(dict(enumerate(row))) for row in one.x.tolist()], 0.0, CAP)
    )


def _point(remaining: Floats) -> tuple[Floats, Floats, Floats]:
    nothing = np.full(len(remaining), np.nan)
    return remaining, nothing, nothing


METHODS: dict[str, Method] = {"Yeji": _yeji, "clock": _clock, "constant": _constant, "linear": _linear}


def _table(title: str, outcomes: dict[str, Predicted]) -> Table:
    return Table(title, _COLUMNS, [(name, *figures(one)) for name, one in outcomes.items()])


def figures(one: Predicted) -> tuple[Cell, ...]:
    """Predictions, RMSE, RMSE near the end, NASA's score, coverage in %, mean width."""
    error = one.remaining - one.truth
    near = one.truth < 50
    cost = np.where(error < 0, np.expm1(-error / 13.0), np.expm1(error / 10.0))
    known = ~np.isnan(one.low)
    inside = (one.low <= one.truth) & (one.truth <= one.high)
    return (
        len(error),
        float(np.sqrt(np.mean(error**2))),
        float(np.sqrt(np.mean(error[near] ** 2))) if near.any() else None,
        float(np.mean(cost)),
        float(100 * inside.mean()) if known.any() else None,
        float(np.mean(one.high - one.low)) if known.any() else None,
    )


def _by_band(one: Predicted) -> Table:
    """Whether the promise holds wherever the prediction is."""
    rows: list[tuple[Cell, ...]] = []
    for low, high in ((0, 25), (25, 50), (50, 75), (75, 100), (100, 126)):
        here = (one.remaining >= low) & (one.remaining < high)
        if here.any():
            part = Predicted(*(values[here] for values in (one.truth, one.remaining, one.low, one.high)))
            rows.append((f"{low} to {min(high, 125)}", *figures(part)))
    return Table("Yeji, by what it predicted", ("predicted", *_COLUMNS[1:]), rows)


def _plot(name: str, one: Predicted) -> Plot:
    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        order = np.argsort(one.truth, kind="stable")
        place = np.arange(len(order))
        axes.fill_between(place, one.low[order], one.high[order], alpha=0.25, label="90% interval")
        axes.plot(place, one.remaining[order], ".", ms=2, label="predicted")
        axes.plot(place, one.truth[order], "k", lw=1, label="truth")
        axes.set_xlabel("engines cut off, in the order of their truth")
        axes.set_ylabel("cycles left (125 = 125 or more)")
        axes.legend()

    return Plot(f"cmapss_{name}", draw)
