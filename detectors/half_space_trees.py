"""River's HalfSpaceTrees for a fleet: bit for bit its scores, whole micro-batches at a time.

Within a window the scores depend only on the last window's masses, so a batch can be scored at once; and
a path's score depends only on the leaf it leads to, so each leaf keeps its path's score.

Tan, Ting and Liu, Fast anomaly detection for streaming data, IJCAI 2011.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from detectors.base import DeferredScores, Evidence, FleetDetector, State, grown
from detectors.batch import Batch, Bools, Floats, Ints
from detectors.forests import Forests
from detectors.scaling import FleetMinMaxScaler

Masses = NDArray[np.unsignedinteger]


class FleetHalfSpaceTrees(FleetDetector):
    """``MinMaxScaler | HalfSpaceTrees``: isolation by how few readings share a reading's corner of the space.

    ``window_size``: readings that a window's masses count. River's default is 250; here 128, so that the
    first half of a class's warm-up fills one. Until a machine's first window is full its score is NaN.
    ``forests``: how many different forests the machines share; a machine's seed picks one (0 = each its own).
    ``features``: "all" draws trees over all sensors; "first" over those in a machine's first learned
    reading, as River does (a sensor that appears later is then never looked at).
    ``scaled``: False when the caller's values lie in 0 … 1 already.

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

    def __init__(
        self,
        width: int,
        n_trees: int = 10,
        height: int = 8,
        window_size: int = 128,
        forests: int = 16,
        features: Literal["all", "first"] = "all",
        scaled: bool = True,
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
        self.leaves = 2**height
        # A path's walk stops under this mass (the paper's, and River's, magic tenth of a window).
        self.stop = math.ceil(0.1 * window_size)
        self.top = n_trees * window_size * (2 ** (height + 1) - 1)
        mass = np.min_scalar_type(window_size)
        self.seed = np.zeros(0, dtype=np.int64)
        self.forest = np.zeros(0, dtype=np.int64)
        self.counter = np.zeros(0, dtype=np.int64)
        self.ready = np.zeros(0, dtype=bool)
        self.now = np.zeros((0, n_trees, self.leaves), dtype=mass)
        self.last = np.zeros((0, n_trees, self.leaves), dtype=mass)
        self.path = np.zeros((0, n_trees, self.leaves), dtype=np.min_scalar_type(self.top // n_trees))

    # -- scoring

    def score(self, batch: Batch) -> DeferredScores:
        """River's ``score_one`` of each reading; NaN while the machine's first window is not full."""
        row_of = batch.row_of
        x = self.scaler.scale(row_of, batch.x) if self.scaler else batch.x
        raw = np.full(len(batch), np.nan)
        ready = self.ready[row_of]
        if ready.all():
            leaf = self._leaves(row_of, x)
            raw = self._scores(row_of, leaf)
        elif ready.any():
            leaf = np.zeros((len(batch), self.n_trees), dtype=np.int64)
            leaf[ready] = self._leaves(row_of[ready], x[ready])
            raw[ready] = self._scores(row_of[ready], leaf[ready])
        else:
            leaf = np.zeros((len(batch), self.n_trees), dtype=np.int64)
        return DeferredScores(raw, lambda at: self._evidence(row_of[at], x[at], leaf[at]))

    def _scores(self, row_of: Ints, leaf: Ints) -> Floats:
        place = (row_of * (self.n_trees * self.leaves))[:, None] + leaf
        place += np.arange(self.n_trees) * self.leaves
        path = self.path.reshape(-1).take(place)
        total = np.zeros(len(row_of), dtype=np.int64)
        for tree in range(self.n_trees):
            total += path[:, tree]
        return 1 - total / self.top

    def _leaves(self, row_of: Ints, x: Floats) -> Ints:
        """The leaf each reading reaches in each tree, as the masses stand."""
        missing = np.isnan(x).any(axis=1)
        if not missing.any():
            return self.forests.leaves(x, self.forest[row_of])
        out = np.empty((len(x), self.n_trees), dtype=np.int64)
        whole = ~missing
        out[whole] = self.forests.leaves(x[whole], self.forest[row_of[whole]])
        rows = row_of[missing]
        out[missing] = self.forests.busier_leaves(x[missing], self.forest[rows], self.now[rows])
        return out

    # -- learning

    def learn(self, batch: Batch) -> None:
        """River's ``learn_one`` of each reading, in order."""
        if not len(batch):
            return
        self._plant(batch)
        x = self.scaler.learn_scale(batch) if self.scaler else batch.x
        into = self.counter[batch.row_of] + batch.step_of
        window = into // self.window_size
        for number in range(int(window.max()) + 1):
            part = window == number
            if part.all():
                self._learn_window(batch, x)
            else:
                self._learn_window(batch.select(part), x[part])

    def _plant(self, batch: Batch) -> None:
        """Draw the forest of machines that learn for the first time."""
        for column in np.flatnonzero((self.forest[batch.rows] < 0) & (batch.counts > 0)).tolist():
            row = int(batch.rows[column])
            columns = tuple(range(self.width))
            if self.features == "first":
                first = np.flatnonzero(~np.isnan(batch.x[batch.starts[column]])).tolist()
                columns = tuple(first) or columns
            self.forest[row] = self.forests.drawn(self._forest_seed(row), columns)

    def _forest_seed(self, row: int) -> int:
        return int(self.seed[row]) % self.share if self.share else int(self.seed[row])

    def _learn_window(self, batch: Batch, x: Floats) -> None:
        """Learn readings that all fall in their machine's running window."""
        row_of = batch.row_of
        missing = np.isnan(x).any(axis=1)
        if missing.any():
            self._learn_missing(batch, x, missing)
        else:
            self._count(row_of, self.forests.leaves(x, self.forest[row_of]))
        self.counter[batch.rows] += batch.counts
        self._turn(batch.rows[self.counter[batch.rows] == self.window_size])

    def _learn_missing(self, batch: Batch, x: Floats, missing: Bools) -> None:
        """Where a value is missing, the way depends on all that was learned before: one by one, then."""
        for rows, at in batch.steps():
            self._count(rows, self._leaves(rows, x[at]))

    def _count(self, row_of: Ints, leaf: Ints) -> None:
        place = (row_of * (self.n_trees * self.leaves))[:, None] + leaf
        place += np.arange(self.n_trees) * self.leaves
        np.add.at(self.now.reshape(-1), place.reshape(-1), self.now.dtype.type(1))

    def _turn(self, rows: Ints) -> None:
        """The window of ``rows`` is full: its masses become those to score by."""
        if not len(rows):
            return
        self.last[rows] = self.now[rows]
        self.now[rows] = 0
        self.counter[rows] = 0
        self.ready[rows] = True
        self._tabulate(rows)

    def _tabulate(self, rows: Ints) -> None:
        """Each leaf's path score: sum of mass × 2**depth down to it, or to where the mass gets too small."""
        levels = [self.last[rows].astype(np.int64)]
        for _ in range(self.height):
            levels.append(levels[-1][:, :, 0::2] + levels[-1][:, :, 1::2])
        levels.reverse()
        mass = total = levels[0]
        for depth in range(1, self.height + 1):
            # A node that the walk does not reach gets mass 0, and so stops all under it.
            mass = np.where(np.repeat(mass >= self.stop, 2, axis=2), levels[depth], 0)
            total = np.repeat(total, 2, axis=2) + (mass << depth)
        self.path[rows] = total

    # -- why

    def _evidence(self, row_of: Ints, x: Floats, leaf: Ints) -> Evidence:
        ready = self.ready[row_of]
        contributions = np.zeros(x.shape)
        contributions[ready] = self._contributions(row_of[ready], x[ready], leaf[ready])
        unknown = np.full(x.shape, np.nan)
        return Evidence(contributions, unknown, unknown)

    def _contributions(self, row_of: Ints, x: Floats, leaf: Ints) -> Floats:
        """Each sensor's part: how much more of the last window turned away from a reading than usually does.

        1 - score is what is left of the window at each depth, weighted by 2**depth; so a reading that turns
        from b of a + b readings at depth d loses b times the weight of all deeper levels. A typical reading
        of that node loses 2ab / (a + b); what is lost above that is put to the sensor split on.
        """
        n = len(row_of)
        contributions = np.zeros((n, self.width))
        levels = [self.last[row_of].astype(np.int64)]
        for _ in range(self.height):
            levels.append(levels[-1][:, :, 0::2] + levels[-1][:, :, 1::2])
        levels.reverse()
        reading, tree = np.ogrid[:n, : self.n_trees]
        root = self.forest[row_of][:, None] * self.n_trees + np.arange(self.n_trees)
        alive = np.ones((n, self.n_trees), dtype=bool)
        for depth in range(self.height):
            place = leaf >> (self.height - depth)
            child = leaf >> (self.height - depth - 1)
            own = levels[depth + 1][reading, tree, child]
            away = levels[depth + 1][reading, tree, child ^ 1]
            alive &= own + away >= self.stop
            usual = 2.0 * own * away / np.maximum(own + away, 1)
            part = np.where(alive, away - usual, 0.0) * (2 ** (self.height + 1) - 2 ** (depth + 1))
            sensor = self.forests.feature[depth][(root << depth) + place]
            for t in range(self.n_trees):
                contributions[np.arange(n), sensor[:, t]] += part[:, t]
        contributions /= self.top
        contributions[np.isnan(x) | (contributions < 0)] = 0.0
        return contributions

    # -- rows

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        for name in ("seed", "forest", "counter", "ready", "now", "last", "path"):
            setattr(self, name, grown(getattr(self, name), capacity))
        if self.scaler:
            self.scaler.resize(capacity)

    def reset(self, row: int, seed: int) -> None:
        """Start ``row`` afresh."""
        self.seed[row] = seed
        self.forest[row] = -1
        self._empty(row)
        if self.scaler:
            self.scaler.reset(row, seed)

    def _empty(self, row: int) -> None:
        self.counter[row], self.ready[row] = 0, False
        self.now[row], self.last[row], self.path[row] = 0, 0, 0

    def dump(self, row: int) -> State:
        """Masses of the leaves, the scaler, and which forest."""
        state: State = {
            "seed": self.seed[row : row + 1].copy(),
            "counter": self.counter[row : row + 1].copy(),
            "ready": self.ready[row : row + 1].copy(),
            "now": self.now[row].copy(),
            "last": self.last[row].copy(),
        }
        if self.forest[row] >= 0:
            state |= _named("forest", self.forests.dump(int(self.forest[row])))
        if self.scaler:
            state |= _named("scaler", self.scaler.dump(row))
        return state

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when trees, heights, windows or sensors are others."""
        if state["now"].shape != self.now[row].shape or state["now"].dtype != self.now.dtype:
            raise ValueError(
                f"saved masses are {state['now'].shape} {state['now'].dtype}, this class has "
                f"{self.now[row].shape} {self.now.dtype}: n_trees, height or window_size were changed"
            )
        if self.scaler:
            self.scaler.load(row, _of("scaler", state))
        self.seed[row] = state["seed"][0]
        self.counter[row], self.ready[row] = state["counter"][0], state["ready"][0]
        self.now[row], self.last[row] = state["now"], state["last"]
        forest = _of("forest", state)
        self.forest[row] = self.forests.load(forest) if forest else -1
        self._tabulate(np.array([row]))


def _named(prefix: str, state: State) -> State:
    return {f"{prefix}.{name}": value for name, value in state.items()}


def _of(prefix: str, state: State) -> State:
    return {
        name.removeprefix(f"{prefix}."): value
        for name, value in state.items()
        if name.startswith(f"{prefix}.")
    }
