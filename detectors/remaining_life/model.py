"""Remaining life of machines of one class, learned from runs to failure, with intervals that keep their word.

The regression is River's Bayesian linear regression: on features that bend (`run_features`), or, where runs
that were held out say that there are too few for that, of the logarithm on few features. Intervals are
conformal: taken from how far off the model was on runs that it had not learned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from river.linear_model import BayesianLinearRegression

from detectors.batch import Floats
from detectors.remaining_life.run_features import Run, RunFeatures, RunFollower

#: Fewest runs to failure that a model is made from.
LEAST_RUNS = 6

#: The plain form: the precision of its prior, in lives; what is added to the remaining life before the
#: logarithm, in median lives.
_PLAIN_PRIOR, _PLAIN_LEAST = 10.0, 0.02


class Form(Enum):
    """What the regression predicts, and from which features."""

    #: the remaining life, from features that bend
    BENT = "bent"
    #: its logarithm, from the levels of the first direction of wear, and age
    PLAIN = "plain"


@dataclass(frozen=True)
class LifeEstimate:
    """Remaining life (n,) after each reading, and its interval, in the unit of the runs' age.

    ``cap`` stands for "the cap or more": so far from failure nothing can be told apart.
    """

    remaining: Floats
    low: Floats
    high: Floats


@dataclass
class ConformalBands:
    """Residuals on unseen runs, by the remaining life that was predicted (Mondrian conformal prediction,
    Vovk et al. 2005).

    A run's readings resemble each other, so runs are what is exchangeable: each run weighs the same in
    a band, and the level is raised from p to p·(r + 1)/r for r runs.
    """

    cap: float
    bands: int = 6
    run: list[Floats] = field(default_factory=list)
    predicted: list[Floats] = field(default_factory=list)
    error: list[Floats] = field(default_factory=list)
    runs: int = 0

    def add(self, predicted: Floats, truth: Floats) -> None:
        """One unseen run: what was predicted (n,), and what was true (n,)."""
        self.run.append(np.full(len(truth), float(self.runs)))
        self.predicted.append(predicted)
        self.error.append(truth - predicted)
        self.runs += 1

    def around(self, predicted: Floats, coverage: float) -> tuple[Floats, Floats]:
        """The interval (low (n,), high (n,)) that holds the truth in a share ``coverage`` of runs."""
        run, known, error = (np.concatenate(part) for part in (self.run, self.predicted, self.error))
        edges = np.quantile(known, np.linspace(0, 1, self.bands + 1)[1:-1])
        band_of_known, band_of = np.searchsorted(edges, known), np.searchsorted(edges, predicted)
        low, high = np.empty(len(predicted)), np.empty(len(predicted))
        for band in np.unique(band_of).tolist():
            inside = band_of_known == band
            below, above = _spread(run[inside], error[inside], coverage)
            here = band_of == band
            low[here], high[here] = predicted[here] + below, predicted[here] + above
        return np.clip(low, 0.0, self.cap), np.clip(high, 0.0, self.cap)


def _spread(run: Floats, error: Floats, coverage: float) -> tuple[float, float]:
    """The two ends of the errors, each run weighing the same."""
    _, which, readings = np.unique(run, return_inverse=True, return_counts=True)
    runs = len(readings)
    tail = max(0.0, 1.0 - coverage * (runs + 1) / runs) / 2.0
    order = np.argsort(error)
    share = np.cumsum(1.0 / readings[which[order]]) / runs
    ordered = error[order]
    low = int(np.searchsorted(share, tail, side="right"))
    high = int(np.searchsorted(share, 1.0 - tail - 1e-12, side="left"))
    return float(ordered[min(low, len(error) - 1)]), float(ordered[min(high, len(error) - 1)])


class RemainingLife:
    """A remaining-life model of one machine class.

    Feed it with `learn_run`, one run to failure after the other: the history first, later those that
    crews' verdicts end. From the first `LEAST_RUNS` on it predicts. Each further run is predicted before
    it is learned, which widens or narrows the intervals, and is then learned online; when the runs have
    grown by half, the directions of wear are found again, and so is the ``form`` that errs least (root mean
    square, each run weighing the same) on runs held out.

    ``cap``      remaining life at and beyond which machines are not told apart
    ``coverage`` share of intervals that shall hold the truth
    ``prior``    precision of the prior of the weights, in units of the noise's
    ``operating`` columns of x that say what the machine is asked to do; None = found (`Operation`)

    Three components at three spans make 89 features. From about 96 on, OpenBLAS hands each of the
    regression's small products to all cores, which makes learning a reading some fifty times slower.
    """

    def __init__(
        self,
        cap: float = 125.0,
        spans: tuple[float, ...] = (10.0, 40.0, 160.0),
        components: int = 3,
        coverage: float = 0.9,
        prior: float = 0.01,
        folds: int = 5,
        most_readings: int = 128,
        operating: Sequence[int] | None = None,
    ) -> None:
        if cap <= 0 or not 0 < coverage < 1 or prior <= 0 or folds < 2 or components < 1 or not spans:
            raise ValueError(
                f"remaining life: cap ({cap}) and prior ({prior}) must be above 0, coverage ({coverage}) "
                f"between 0 and 1, folds ({folds}) at least 2, components ({components}) at least 1"
            )
        self.cap, self.spans, self.components = cap, spans, components
        self.coverage, self.prior, self.folds, self.most_readings = coverage, prior, folds, most_readings
        self.operating = operating
        self.runs: list[Run] = []
        self.form = Form.BENT
        self._fitted = 0
        self._model: _Model | None = None
        self._bands = ConformalBands(cap)

    @property
    def ready(self) -> bool:
        """Whether enough runs were learned to predict."""
        return self._model is not None

    def learn_run(self, run: Run) -> None:
        """Learn one run to failure. ValueError when it cannot be one."""
        if run.x.ndim != 2 or run.age.shape != (len(run.x),) or len(run.x) < 2:
            raise ValueError(f"a run needs two readings or more: age {run.age.shape}, x {run.x.shape}")
        if (np.diff(run.age) <= 0).any() or run.age[0] < 0:
            raise ValueError("a run's age must rise from reading to reading, and begin at 0 or later")
        if self.runs and run.x.shape[1] != self.runs[0].x.shape[1]:
            raise ValueError(f"{run.x.shape[1]} sensors; this model's runs have {self.runs[0].x.shape[1]}")
        self.runs.append(run)
        if self._model is None:
            if len(self.runs) >= LEAST_RUNS:
                self._fit()
        elif len(self.runs) >= 1.5 * self._fitted:
            self._fit()
        else:
            self._bands.add(self._model.predict(run), run.remaining(self.cap))
            self._model.learn(run, self.most_readings)

    def learn_history(self, runs: list[Run]) -> None:
        """Learn many runs at once, and find the directions of wear from all of them."""
        model, self._model = self._model, None
        least = len(self.runs) + len(runs)
        if least < LEAST_RUNS:
            self._model = model
            raise ValueError(f"{least} runs to failure; a model needs {LEAST_RUNS} or more")
        for run in runs[:-1]:
            self.runs.append(run)
        self.learn_run(runs[-1])

    def _fit(self) -> None:
        said: dict[Form, list[Floats]] = {form: [np.zeros(0)] * len(self.runs) for form in Form}
        for number in range(min(self.folds, len(self.runs))):
            rest = [run for place, run in enumerate(self.runs) if place % self.folds != number]
            features = self._features(rest)
            for form in Form:
                model = self._made_from(rest, features, form)
                for place in range(number, len(self.runs), self.folds):
                    said[form][place] = model.predict(self.runs[place])
        truth = [run.remaining(self.cap) for run in self.runs]
        error = {
            form: np.mean([np.mean((a - b) ** 2) for a, b in zip(told, truth, strict=True)])
            for form, told in said.items()
        }
        self.form = min(Form, key=lambda form: error[form])
        self._bands = ConformalBands(self.cap)
        for predicted, left in zip(said[self.form], truth, strict=True):
            self._bands.add(predicted, left)
        self._model = self._made_from(self.runs, self._features(self.runs), self.form)
        self._fitted = len(self.runs)

    def _features(self, runs: list[Run]) -> RunFeatures:
        return RunFeatures(runs, self.cap, self.spans, self.components, self.operating)

    def _made_from(self, runs: list[Run], features: RunFeatures, form: Form) -> _Model:
        made = _Bent if form is Form.BENT else _Plain
        model = made(features, runs, self.cap, self.prior, self.most_readings)
        for run in runs:
            model.learn(run, self.most_readings)
        return model

    def follow(self) -> LifeFollower:
        """Follow a machine from the beginning of its life. RuntimeError while not `ready`."""
        if self._model is None:
            raise RuntimeError(f"{len(self.runs)} runs to failure are known; {LEAST_RUNS} are needed")
        return LifeFollower(self._model, self._bands, self.coverage)


class LifeFollower:
    """Estimates one machine's remaining life, reading by reading."""

    def __init__(self, model: _Model, bands: ConformalBands, coverage: float) -> None:
        self._model, self._bands, self._coverage = model, bands, coverage
        self._follower = RunFollower(model.features)

    def update(self, age: Floats, x: Floats) -> LifeEstimate:
        """Remaining life after each of the next readings: age (n,) since new, x (n, k).

        The model may learn meanwhile: estimates are made with the model as it stands.
        """
        predicted = self._model.judge(self._follower.update(age, x))
        low, high = self._bands.around(predicted, self._coverage)
        return LifeEstimate(predicted, np.minimum(low, predicted), np.maximum(high, predicted))


class _Model(ABC):
    """River's regression on the features of runs."""

    regression: BayesianLinearRegression

    def __init__(self, features: RunFeatures, cap: float) -> None:
        self.features, self.cap = features, cap

    @abstractmethod
    def _inputs(self, features: Floats) -> list[list[float]]:
        """What the regression is given of features (n, d)."""

    @abstractmethod
    def _targets(self, left: Floats) -> Floats:
        """(n,) what it learns for remaining lives (n,)."""

    @abstractmethod
    def _remaining(self, predicted: Floats) -> Floats:
        """(n,) remaining lives for what it predicts (n,)."""

    def learn(self, run: Run, most: int) -> None:
        """Learn about ``most`` readings of a run, evenly spread and with its end."""
        rows = self._inputs(_thinned(self.features.of(run.age, run.x), most))
        targets = self._targets(_thinned(run.remaining(self.cap), most))
        for row, target in zip(rows, targets.tolist(), strict=True):
            self.regression.learn_one(dict(enumerate(row)), target)

    def predict(self, run: Run) -> Floats:
        """(n,) what would have been said at each of the run's readings."""
        return self.judge(self.features.of(run.age, run.x))

    def judge(self, features: Floats) -> Floats:
        """(n,) remaining life for features (n, d)."""
        rows = self._inputs(features)
        raw = np.array([self.regression.predict_one(dict(enumerate(row))) for row in rows])
        clipped: Floats = np.clip(self._remaining(raw), 0.0, self.cap)
        return clipped


def _thinned(values: Floats, most: int) -> Floats:
    """About ``most`` of the values (n, …), evenly spread, the last one first."""
    return values[::-1][:: -(-len(values) // most)]


class _Bent(_Model):
    """Remaining life, on all features."""

    def __init__(self, features: RunFeatures, runs: list[Run], cap: float, prior: float, most: int) -> None:
        super().__init__(features, cap)
        self.regression = BayesianLinearRegression(alpha=prior, beta=1.0)

    def _inputs(self, features: Floats) -> list[list[float]]:
        rows: list[list[float]] = features.tolist()
        return rows

    def _targets(self, left: Floats) -> Floats:
        return left

    def _remaining(self, predicted: Floats) -> Floats:
        return predicted


class _Plain(_Model):
    """The logarithm of remaining life, about its mean over the runs, on a few features."""

    def __init__(self, features: RunFeatures, runs: list[Run], cap: float, prior: float, most: int) -> None:
        super().__init__(features, cap)
        self._least = _PLAIN_LEAST * float(np.median([min(run.age[-1], cap) for run in runs]))
        taught = [self._logarithm(_thinned(run.remaining(cap), most)) for run in runs]
        self._usual = float(np.mean(np.concatenate(taught)))
        given = [_thinned(features.of(run.age, run.x), most)[:, features.plain] for run in runs]
        self._middle = np.concatenate(given).mean(axis=0)
        readings = float(np.mean([len(one) for one in taught]))
        self.regression = BayesianLinearRegression(alpha=_PLAIN_PRIOR * readings, beta=1.0)

    def _logarithm(self, left: Floats) -> Floats:
        logarithm: Floats = np.log(left + self._least)
        return logarithm

    def _inputs(self, features: Floats) -> list[list[float]]:
        rows: list[list[float]] = (features[:, self.features.plain] - self._middle).tolist()
        return rows

    def _targets(self, left: Floats) -> Floats:
        return self._logarithm(left) - self._usual

    def _remaining(self, predicted: Floats) -> Floats:
        most = np.log(self.cap + self._least)
        remaining: Floats = np.exp(np.minimum(predicted + self._usual, most)) - self._least
        return remaining
