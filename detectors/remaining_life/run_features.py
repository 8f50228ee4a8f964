"""What is told of a run to failure up to some reading: smoothed wear directions, and age."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from detectors.batch import Floats
from detectors.remaining_life.operation import Latest, Operation


@dataclass(frozen=True)
class Run:
    """One machine from new to failure: ``age`` (n,) since new, in any unit; ``x`` (n, k) sensor values.

    The last reading is the failure.
    """

    age: Floats
    x: Floats

    def remaining(self, cap: float) -> Floats:
        """(n,) what was left of its life at each reading, at most ``cap``."""
        left: Floats = np.minimum(self.age[-1] - self.age, cap)
        return left


def means(x: Floats, span: float, total: Floats | None = None, seen: int = 0) -> tuple[Floats, Floats]:
    """Exponentially weighted means over ``span`` readings of the readings so far: exact from the first.

    ``total`` (k,) and ``seen`` are where an earlier call left off. Returns means (n, k) and the new total.

    >>> first, total = means(np.array([[4.0], [4.0]]), 3.0)
    >>> then, _ = means(np.array([[10.0]]), 3.0, total, seen=2)
    >>> first.ravel().tolist(), then.round(2).ravel().tolist()
    ([4.0, 4.0], [7.43])
    """
    weight = 2.0 / (span + 1.0)
    keep = 1.0 - weight
    start = np.zeros(x.shape[1]) if total is None else total
    totals = lfilter([weight], [1.0, -keep], x, axis=0, zi=(keep * start)[None])[0]
    mass = 1.0 - keep ** np.arange(seen + 1.0, seen + len(x) + 1.0)
    return totals / mass[:, None], totals[-1]


class RunFeatures:
    """Finds the directions in which sensors move with wear, and follows them.

    Sensors are standardised by what the machine was asked to do (`Operation`); partial least squares (Wold
    et al. 1984) finds the ``components`` that move most with the remaining life. Each is smoothed over each
    of ``spans`` readings: the levels, and by their differences the trends. With the age they make the base
    features; all products of two and all cubes follow, so that a linear model on them can bend.
    """

    def __init__(
        self,
        runs: list[Run],
        cap: float,
        spans: tuple[float, ...],
        components: int,
        operating: Sequence[int] | None = None,
    ) -> None:
        self.spans = spans
        left = np.concatenate([run.remaining(cap) for run in runs])
        self.operation = Operation(np.concatenate([run.x for run in runs]), left, operating)
        self.life = float(np.mean([run.age[-1] for run in runs]))
        smooth = np.concatenate([means(self.operation.standard(run.x)[0], 16.0)[0] for run in runs])
        self.directions = _least_squares_directions(smooth, left, components)
        self.mean, self.deviation = np.zeros(1), np.ones(1)
        base = np.concatenate([RunFollower(self).base(run.age, run.x) for run in runs])
        self.mean, self.deviation = base.mean(axis=0), base.std(axis=0) + 1e-9
        #: columns of the features that are the levels of the first direction, and the age
        found = self.directions.shape[1]
        self.plain = [1 + found * place for place in range(len(spans))]
        self.plain += [1 + found * len(spans), 2 + found * len(spans)]

    def of(self, age: Floats, x: Floats) -> Floats:
        """(n, d) features of a run's readings from its beginning."""
        return RunFollower(self).update(age, x)


class RunFollower:
    """Follows one machine through its life; the same features to the last bit in any split."""

    def __init__(self, features: RunFeatures) -> None:
        self._of = features
        self._seen = 0
        self._latest: Latest | None = None
        self._totals: list[Floats | None] = [None] * len(features.spans)

    def update(self, age: Floats, x: Floats) -> Floats:
        """(n, d) features of the next readings: age (n,), x (n, k)."""
        f = np.clip((self.base(age, x) - self._of.mean) / self._of.deviation, -4.0, 4.0)
        i, j = np.triu_indices(f.shape[1])
        return np.concatenate([np.ones((len(f), 1)), f, f[:, i] * f[:, j], f**3], axis=1)

    def base(self, age: Floats, x: Floats) -> Floats:
        """The levels at each span, and the age."""
        z, self._latest = self._of.operation.standard(x, self._latest)
        moves = np.zeros((len(x), self._of.directions.shape[1]))
        for sensor, weights in enumerate(self._of.directions):  # not `@`, whose bits depend on the shape
            moves += z[:, sensor : sensor + 1] * weights
        levels = []
        for number, span in enumerate(self._of.spans):
            level, self._totals[number] = means(moves, span, self._totals[number], self._seen)
            levels.append(level)
        self._seen += len(x)
        old = np.maximum(age, 1e-9 * self._of.life)[:, None] / self._of.life
        return np.concatenate([*levels, old, np.log(old)], axis=1)


def _least_squares_directions(x: Floats, y: Floats, components: int) -> Floats:
    """(k, components) weights of partial least squares for one response, by NIPALS."""
    x, y = x - x.mean(axis=0), y - y.mean()
    weights, loadings = [], []
    for _ in range(components):
        w = x.T @ y
        size = np.linalg.norm(w)
        if size < 1e-9 * max(1.0, float(np.abs(x).max())) * len(y):
            break  # nothing is left that moves with the remaining life
        w = w / size
        t = x @ w
        p = x.T @ t / (t @ t)
        x = x - np.outer(t, p)
        weights.append(w)
        loadings.append(p)
    if not weights:
        return np.zeros((x.shape[1], 1))
    w, p = np.array(weights).T, np.array(loadings).T
    directions: Floats = w @ np.linalg.inv(p.T @ w)
    return directions
