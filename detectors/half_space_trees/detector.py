"""River's HalfSpaceTrees for a fleet: bit for bit its scores, a hundred times as quickly.

Within a window the scores depend only on the last window's masses, and a path's score only on the leaf it
leads to: so each leaf keeps its path's score (docs/decisions/forest-library.md).

Tan, Ting and Liu, Fast anomaly detection for streaming data, IJCAI 2011.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np

from detectors.base import DeferredScores, Evidence, FleetDetector, State, grown
from detectors.batch import Batch, Floats, Ints
from detectors.half_space_trees.forests import Forests
from detectors.half_space_trees.kernels import Trees, pass_readings, tabulate
from detectors.moments import FleetMoments
from detectors.scaling import FleetMinMaxScaler


class FleetHalfSpaceTrees(FleetDetector):
    """``MinMaxScaler | HalfSpaceTrees``: a score from the mass of the leaves that a reading falls in.

    ``window_size``: readings that a window's masses count. River's default is 250; here 128, so that the
    first half of a class's warm-up fills one. Until a machine's first window is full its score is NaN.
    ``forests``: how many different forests the machines share; a machine's seed picks one (0 = each its own).
    ``features``: "all" draws trees over all sensors; "first" over those in a machine's first learned
    reading, as River does (a sensor that appears later is then never looked at).
    ``scaled``: False when the caller's values lie in 0 … 1 already. ``moments``: also keep each sensor's mean
    and deviation over the last window, so that an alarm can say what was expected; River keeps none.

    >>> fleet = FleetHalfSpaceTrees(1, n_trees=5, height=3, window_size=3, scaled=False, forests=0)
    >>> fleet.resize(1)
    >>> fleet.reset(0, seed=42)
    >>> def reading(value):
    ...     return Batch(np.array([0]), np.array([1]), np.array([0]), np.array([[value]]))
    >>> for value in (0.5, 0.45, 0.43, 0.5, 0.45, 0.43):
    ...     fleet.learn(reading(value))
    >>> fleet.score(reading(0.5)).raw.round(3).tolist(), fleet.score(reading(0.0)).raw.round(3).tolist()
    ([0.107], [0.853])
    """

    kind: ClassVar[str] = "half-space-trees"
    exportable: ClassVar[bool] = True  # sums over many readings

    def __init__(
        self,
        width: int,
        n_trees: int = 10,
        height: int = 8,
        window_size: int = 128,
        forests: int = 16,
        features: Literal["all", "first"] = "all",
        scaled: bool = True,
        moments: bool = True,
    ) -> None:
        super().__init__(width)
        if n_trees < 1 or not 1 <= height <= 16 or window_size < 2 or forests < 0:
            raise ValueError(
                f"half-space-trees: n_trees ({n_trees}) must be 1 or more, height ({height}) 1 to 16, "
                f"window_size ({window_size}) 2 or more, forests ({forests}) 0 or more"
            )
        if features not in ("all", "first"):
            raise ValueError(f"half-space-trees: features is 'all' or 'first', not {features!r}")
        self.n_trees, self.height, self.window_size = n_trees, height, window_size
        self.share, self.features = forests, features
        self.forests = Forests(n_trees, height)
        self.scaler = FleetMinMaxScaler(width) if scaled else None
        self.moments = FleetMoments(width) if moments else None
        self.leaves = 2**height
        # Two bytes hold the path scores of most windows.
        mass = np.min_scalar_type(window_size)
        path = np.promote_types(np.uint16, np.min_scalar_type(window_size * (self.leaves - 1)))
        self.seed = np.zeros(0, dtype=np.int64)
        self.trees = Trees(
            forest=np.zeros(0, dtype=np.int64),
            counter=np.zeros(0, dtype=np.int64),
            ready=np.zeros(0, dtype=bool),
            now=np.zeros((0, n_trees, self.leaves), dtype=mass),
            last=np.zeros((0, n_trees, self.leaves), dtype=mass),
            path=np.zeros((0, n_trees, self.leaves), dtype=path),
            low=np.zeros((0, width)),
            high=np.zeros((0, width)),
            moments=FleetMoments(width).kept,
            height=height,
            window=window_size,
            # A path's walk stops under this mass (the paper's, and River's, magic tenth of a window).
            stop=math.ceil(0.1 * window_size),
        )

    # -- readings

    def score(self, batch: Batch) -> DeferredScores:
        """River's ``score_one`` of each reading; NaN while the machine's first window is not full."""
        raw = self._pass(batch.rows, batch.counts, batch.x, scoring=True)
        return DeferredScores(raw, lambda at: self._evidence(batch.row_of[at], batch.x[at]))

    def learn(self, batch: Batch) -> None:
        """River's ``learn_one`` of each reading, in order."""
        self._plant(batch)
        self._pass(batch.rows, batch.counts, batch.x, learning=True)

    def score_learn(self, batch: Batch) -> Floats:
        """Score, then learn each reading, as River does with readings that come one by one."""
        self._plant(batch)
        return self._pass(batch.rows, batch.counts, batch.x, scoring=True, learning=True)

    def _pass(
        self,
        rows: Ints,
        counts: Ints,
        x: Floats,
        scoring: bool = False,
        learning: bool = False,
        scaled: bool = False,
    ) -> Floats:
        """What `pass_readings` does; ``scaled``: the values are so already."""
        raw = np.empty(len(x))
        pass_readings(
            self.trees,
            self.forests.feature,
            self.forests.threshold,
            rows,
            counts,
            np.ascontiguousarray(x),
            raw,
            scoring,
            learning,
            self.scaler is not None and not scaled,
            self.moments is not None,
        )
        return raw

    def _plant(self, batch: Batch) -> None:
        """Draw the forest of machines that learn for the first time."""
        forest = self.trees.forest
        if forest[batch.rows].all():
            return
        for column in np.flatnonzero((forest[batch.rows] == 0) & (batch.counts > 0)).tolist():
            row = int(batch.rows[column])
            seed = int(self.seed[row])
            columns = tuple(range(self.width))
            if self.features == "first":
                first = np.flatnonzero(~np.isnan(batch.x[batch.starts[column]])).tolist()
                columns = tuple(first) or columns
            forest[row] = self.forests.drawn(seed % self.share if self.share else seed, columns)

    # -- why

    def _evidence(self, row_of: Ints, x: Floats) -> Evidence:
        expected, deviation = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
        usual = np.full(x.shape, 0.5)
        if self.moments:
            expected, deviation = self.moments.compare(row_of, x)
            usual = self.scaler.scale(row_of, expected) if self.scaler else expected
            usual = np.where(np.isnan(usual), 0.5, usual)
        scaled = self.scaler.scale(row_of, x) if self.scaler else x
        contributions = self._contributions(row_of, scaled, usual)
        contributions[np.isnan(x) | ~(contributions > 0)] = 0.0
        return Evidence(contributions, expected, deviation)

    def _contributions(self, row_of: Ints, x: Floats, usual: Floats) -> Floats:
        """Each sensor's part: by how much its value raises the score, beside usual values and beside these.

        The mean of what it adds as the first and as the last sensor: Shapley's value, from the two of its
        orders that count most (Štrumbelj and Kononenko, An efficient explanation of individual
        classifications using game theory, JMLR 11, 2010).
        """
        n, width = x.shape
        x = np.where(np.isnan(x), usual, x)
        own = np.eye(width, dtype=bool)
        alone = np.where(own, x[:, None, :], usual[:, None, :])
        without = np.where(own, usual[:, None, :], x[:, None, :])
        tried = np.concatenate([alone, without, usual[:, None, :], x[:, None, :]], axis=1)
        counts = np.full(n, 2 * width + 2)
        scores = self._pass(row_of, counts, tried.reshape(-1, width), scoring=True, scaled=True)
        scores = scores.reshape(n, 2 * width + 2)
        first, last = scores[:, :width] - scores[:, -2:-1], scores[:, -1:] - scores[:, width:-2]
        return (first + last) / 2

    # -- rows

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self.seed = grown(self.seed, capacity)
        for part in (self.scaler, self.moments):
            if part:
                part.resize(capacity)
        old = self.trees
        self.trees = old._replace(
            forest=grown(old.forest, capacity),
            counter=grown(old.counter, capacity),
            ready=grown(old.ready, capacity),
            now=grown(old.now, capacity),
            last=grown(old.last, capacity),
            path=grown(old.path, capacity),
            low=self.scaler.low if self.scaler else old.low,
            high=self.scaler.high if self.scaler else old.high,
            moments=self.moments.kept if self.moments else old.moments,
        )

    def reset(self, row: int, seed: int) -> None:
        """Start ``row`` afresh."""
        trees = self.trees
        self.seed[row], trees.forest[row] = seed, 0
        trees.counter[row], trees.ready[row] = 0, False
        trees.now[row], trees.last[row], trees.path[row] = 0, 0, 0
        for part in (self.scaler, self.moments):
            if part:
                part.reset(row, seed)

    def dump(self, row: int) -> State:
        """Masses of the leaves, scaler, moments, and which forest."""
        trees = self.trees
        state: State = {
            "seed": self.seed[row : row + 1].copy(),
            "counter": trees.counter[row : row + 1].copy(),
            "ready": trees.ready[row : row + 1].copy(),
            "now": trees.now[row].copy(),
            "last": trees.last[row].copy(),
        }
        if self.moments:
            state |= _named("moments", self.moments.dump(row))
        if trees.forest[row]:
            state |= _named("forest", self.forests.dump(int(trees.forest[row])))
        if self.scaler:
            state |= _named("scaler", self.scaler.dump(row))
        return state

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when trees, heights, windows or sensors are others."""
        trees = self.trees
        if state["now"].shape != trees.now[row].shape or state["now"].dtype != trees.now.dtype:
            raise ValueError(
                f"saved masses are {state['now'].shape} {state['now'].dtype}, this class has "
                f"{trees.now[row].shape} {trees.now.dtype}: n_trees, height or window_size were changed"
            )
        kept = _of("forest", state)
        forest = self.forests.load(kept) if kept else 0
        if int(self.forests.feature[forest].max()) >= self.width:  # the kernels trust it
            raise ValueError(f"the saved trees look at more sensors than the {self.width} there are")
        if self.scaler:
            self.scaler.load(row, _of("scaler", state))
        moments = _of("moments", state)
        if self.moments and moments:  # River keeps none
            self.moments.load(row, moments)
        self.seed[row] = state["seed"][0]
        trees.counter[row], trees.ready[row] = state["counter"][0], state["ready"][0]
        trees.now[row], trees.last[row] = state["now"], state["last"]
        trees.forest[row] = forest
        tabulate(trees, row)


def _named(prefix: str, state: State) -> State:
    return {f"{prefix}.{name}": value for name, value in state.items()}


def _of(prefix: str, state: State) -> State:
    return {
        name.removeprefix(f"{prefix}."): value
        for name, value in state.items()
        if name.startswith(f"{prefix}.")
    }
