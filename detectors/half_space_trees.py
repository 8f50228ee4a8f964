"""River's HalfSpaceTrees for a fleet: bit for bit its scores, whole micro-batches at a time.

Within a window the scores depend only on the last window's masses, so a batch can be scored at once; and
a path's score depends only on the leaf it leads to, so each leaf keeps its path's score.

Tan, Ting and Liu, Fast anomaly detection for streaming data, IJCAI 2011.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np

from detectors.base import DeferredScores, Evidence, FleetDetector, State, grown
from detectors.batch import Batch, Bools, Floats, Ints
from detectors.forests import Forests, Masses, all_masses, path_scores
from detectors.moments import FleetMoments
from detectors.scaling import FleetMinMaxScaler

# Machines whose masses of all nodes are worked on at a time: bounds the memory that takes.
_CHUNK = 64
# Values that are tried out at a time to find out why.
_WIDE = 1 << 18
# Up to so many readings are walked one by one, without arrays.
_FEW = 3


class FleetHalfSpaceTrees(FleetDetector):
    """``MinMaxScaler | HalfSpaceTrees``: isolation by how few readings share a reading's corner of the space.

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
        self.size = n_trees * self.leaves
        # A path's walk stops under this mass (the paper's, and River's, magic tenth of a window).
        self.stop = math.ceil(0.1 * window_size)
        self.top = n_trees * window_size * (2 ** (height + 1) - 1)
        mass = np.min_scalar_type(window_size)
        path = np.min_scalar_type(window_size * (self.leaves - 1))
        self._one = mass.type(1)
        node = np.arange(2 * self.leaves)
        depth = np.floor(np.log2(np.maximum(node, 1))).astype(np.int64)
        self._weight: Masses = np.where(node > 1, 1 << depth >> 1, 0).astype(path)
        self.seed = np.zeros(0, dtype=np.int64)
        self.forest = np.zeros(0, dtype=np.int64)
        self.counter = np.zeros(0, dtype=np.int64)
        self.ready = np.zeros(0, dtype=bool)
        self.now: Masses = np.zeros((0, n_trees, self.leaves), dtype=mass)
        self.last: Masses = np.zeros((0, n_trees, self.leaves), dtype=mass)
        self.path: Masses = np.zeros((0, n_trees, self.leaves), dtype=path)

    # -- scoring

    def score(self, batch: Batch) -> DeferredScores:
        """River's ``score_one`` of each reading; NaN while the machine's first window is not full."""
        row_of = batch.row_of
        x = self.scaler.scale(row_of, batch.x) if self.scaler else batch.x
        place = self._places(row_of, x)
        raw = self._read(row_of, place)
        return DeferredScores(raw, lambda at: self._evidence(row_of[at], batch.x[at], x[at]))

    def score_learn(self, batch: Batch) -> Floats:
        """Score, then learn each reading, as River does with readings that come one by one."""
        if len(batch) == len(batch.rows) == 1:
            one = self._score_learn_one(int(batch.rows[0]), batch.x[0])
            if one is not None:
                return np.array([one])
        self._plant(batch)
        before, after, moved = self._scale_learn_scale(batch)
        row_of = batch.row_of
        gaps = _gaps(before)  # a sensor is unknown, so missing, before its first value: more than after it
        whole = None if gaps is None else ~self._machines(batch, gaps)[batch.column_of]
        place = self._places_of_whole(row_of, before, whole)
        learned = place
        if moved is not None:
            learned = place.copy()
            again = np.flatnonzero(moved if whole is None else moved & whole)
            learned[:, again] = self._places_of_whole(row_of[again], after[again], None)
        raw = np.empty(len(batch))
        for at, part in self._windows(batch):
            if whole is None:
                raw[at] = self._read(part.row_of, place[:, at])
                self._count(learned[:, at])
            else:
                here = np.arange(len(batch))[at]
                some, gappy = here[whole[here]], here[~whole[here]]
                raw[some] = self._read(row_of[some], place[:, some])
                self._count(learned[:, some])
                self._score_learn_gaps(part.select(~whole[here]), gappy, before, after, raw)
            self._end(part)
        return raw

    def _scale_learn_scale(self, batch: Batch) -> tuple[Floats, Floats, Bools | None]:
        return self.scaler.scale_learn_scale(batch) if self.scaler else (batch.x, batch.x, None)

    def _score_learn_gaps(self, batch: Batch, at: Ints, before: Floats, after: Floats, raw: Floats) -> None:
        """Where values are missing the way depends on what was learned just before: one by one, then.

        ``at``: where the batch's readings stand in ``before``, ``after`` and ``raw``.
        """
        for rows, step in batch.steps():
            here = at[step]
            raw[here] = self._read(rows, self._places(rows, before[here]))
            self._count(self._places(rows, after[here]))

    def _score_learn_one(self, row: int, x: Floats) -> float | None:
        """`score_learn` of one reading, nearly without arrays; None, and nothing learned, if it has gaps."""
        before = after = x.tolist()
        forest, offset = int(self.forest[row]), row * self.size
        if not forest or math.isnan(sum(before)):
            return None
        if self.scaler:
            scaled = self.scaler.scale_learn_scale_one(row, before)
            if scaled is None:
                return None
            before, after = scaled
        raw = math.nan
        place = self.forests.walk_one(before, forest, offset)
        if self.ready[row]:
            total = self.n_trees * self.window_size + 2 * sum(self._path.take(place).tolist())
            raw = 1 - total / self.top
        if before is not after:
            place = self.forests.walk_one(after, forest, offset)
        self._now[place] += self._one
        if self.moments:
            self.moments.learn_one(row, x)
        self.counter[row] = counter = int(self.counter[row]) + 1
        if counter == self.window_size:
            self._turn(np.array([row]))
        return raw

    def _read(self, row_of: Ints, place: Ints) -> Floats:
        """The scores of readings that are at ``place`` (n_trees, n)."""
        total = np.add.reduce(self._path.take(place, mode="clip"), axis=0, dtype=np.int64)
        total *= 2
        total += self.n_trees * self.window_size
        raw: Floats = 1 - total / self.top
        ready = self.ready.take(row_of)
        if not ready.all():
            raw[~ready] = np.nan
        return raw

    def _places(self, row_of: Ints, x: Floats) -> Ints:
        """Where in the machines' leaves each reading arrives, as the masses stand: (n_trees, n)."""
        if len(x) <= _FEW:
            return self._places_of_few(row_of, x)
        missing = _gaps(x)
        if missing is None:
            return self._places_of_whole(row_of, x, None)
        found = self._places_of_whole(row_of, x, ~missing)
        gaps = np.flatnonzero(missing)
        rows, of = np.unique(row_of[gaps], return_inverse=True)
        for start in range(0, len(rows), _CHUNK):
            here = (of >= start) & (of < start + _CHUNK)
            at = gaps[here]
            mass = all_masses(self.now[rows[start : start + _CHUNK]])
            forest = self.forest[row_of[at]]
            arrived = self.forests.walk_busier(x[at], forest, mass, of[here] - start)
            found[:, at] = arrived + (row_of[at] - forest) * self.size
        return found

    def _places_of_whole(self, row_of: Ints, x: Floats, whole: Bools | None) -> Ints:
        """`_places` of the readings without missing values: those that are ``whole`` (None = all)."""
        if whole is not None:
            found = np.zeros((self.n_trees, len(x)), dtype=np.int64)
            found[:, whole] = self._places_of_whole(row_of[whole], x[whole], None)
            return found
        forest = self.forest.take(row_of)
        found = self.forests.walk(x, forest)
        found += (row_of - forest) * self.size
        return found

    def _places_of_few(self, row_of: Ints, x: Floats) -> Ints:
        found = []
        for row, values in zip(row_of.tolist(), x.tolist(), strict=True):
            gap = any(value != value for value in values)
            mass = all_masses(self.now[row]).tolist() if gap else None
            found.append(self.forests.walk_one(values, int(self.forest[row]), row * self.size, mass))
        return np.array(found, dtype=np.int64).reshape(len(x), self.n_trees).T

    # -- learning

    def learn(self, batch: Batch) -> None:
        """River's ``learn_one`` of each reading, in order."""
        self._plant(batch)
        for _, part in self._windows(batch):
            self._learn(part)

    def _learn(self, batch: Batch) -> None:
        row_of = batch.row_of
        x = self.scaler.learn_scale(batch) if self.scaler else batch.x
        missing = _gaps(x)
        if missing is not None:
            # The way of a reading with a gap depends on what its machine learned just before.
            gaps = self._machines(batch, missing)[batch.column_of]
            self._count(self._places(row_of[~gaps], x[~gaps]))
            for rows, at in batch.select(gaps).steps():
                self._count(self._places(rows, x[gaps][at]))
        else:
            self._count(self._places(row_of, x))
        self._end(batch)

    def _machines(self, batch: Batch, readings: Bools) -> Bools:
        """(m,) the machines of those readings."""
        out = np.zeros(len(batch.rows), dtype=bool)
        out[batch.column_of[readings]] = True
        return out

    def _plant(self, batch: Batch) -> None:
        """Draw the forest of machines that learn for the first time."""
        bare = (self.forest.take(batch.rows) == 0) & (batch.counts > 0)
        for column in np.flatnonzero(bare).tolist():
            row = int(batch.rows[column])
            seed = int(self.seed[row])
            columns = tuple(range(self.width))
            if self.features == "first":
                first = np.flatnonzero(~np.isnan(batch.x[batch.starts[column]])).tolist()
                columns = tuple(first) or columns
            self.forest[row] = self.forests.drawn(seed % self.share if self.share else seed, columns)

    def _windows(self, batch: Batch) -> list[tuple[Ints | slice, Batch]]:
        """The batch in parts, within each of which every machine stays in one window; and where they are."""
        if not len(batch):
            return []
        counter = self.counter.take(batch.rows)
        if int((counter + batch.counts).max()) <= self.window_size:
            return [(slice(None), batch)]
        if len(batch.rows) == 1:
            edges = [0, *range(self.window_size - int(counter[0]), len(batch), self.window_size), len(batch)]
            return [(slice(a, b), batch.part(a, b)) for a, b in pairwise(edges)]
        window = (np.repeat(counter, batch.counts) + batch.step_of) // self.window_size
        parts = [window == number for number in range(int(window.max()) + 1)]
        return [(np.flatnonzero(part), batch.select(part)) for part in parts]

    def _count(self, place: Ints) -> None:
        np.add.at(self._now, place.reshape(-1), self._one)

    def _end(self, batch: Batch) -> None:
        """A part is learned: machines whose window is full score by it from now on."""
        if self.moments:
            self.moments.learn(batch)
        counter = self.counter.take(batch.rows) + batch.counts
        self.counter[batch.rows] = counter
        full = counter == self.window_size
        if full.any():
            self._turn(batch.rows[full])

    def _turn(self, rows: Ints) -> None:
        if self.moments:
            self.moments.turn(rows, self.window_size)
        self.last[rows] = self.now[rows]
        self.now[rows] = 0
        self.counter[rows] = 0
        self.ready[rows] = True
        self._tabulate(rows)

    def _tabulate(self, rows: Ints) -> None:
        """Each leaf's path score: the sum of mass × 2**depth down to it, or to where the mass is too small.

        Kept is half of it without the root's part, which every path has: that fits in two bytes.
        """
        for start in range(0, len(rows), _CHUNK):
            here = rows[start : start + _CHUNK]
            self.path[here] = path_scores(all_masses(self.last[here]), self._weight, self.stop)

    # -- why

    def _evidence(self, row_of: Ints, x: Floats, scaled: Floats) -> Evidence:
        expected, deviation = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
        usual = np.full(x.shape, 0.5)
        if self.moments:
            expected, deviation = self.moments.compare(row_of, x)
            usual = self.scaler.scale(row_of, expected) if self.scaler else expected
            usual = np.where(np.isnan(usual), 0.5, usual)
        contributions = np.zeros(x.shape)
        ready = np.flatnonzero(self.ready[row_of])
        step = max(1, _WIDE // self.width**2)
        for start in range(0, len(ready), step):
            at = ready[start : start + step]
            contributions[at] = self._contributions(row_of[at], scaled[at], usual[at])
        contributions[np.isnan(x) | (contributions < 0)] = 0.0
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
        rows = np.repeat(row_of, 2 * width + 2)
        place = self._places_of_whole(rows, tried.reshape(-1, width), None)
        scores = self._read(rows, place).reshape(n, 2 * width + 2)
        first, last = scores[:, :width] - scores[:, -2:-1], scores[:, -1:] - scores[:, width:-2]
        return (first + last) / 2

    # -- rows

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        for name in ("seed", "forest", "counter", "ready", "now", "last", "path"):
            setattr(self, name, grown(getattr(self, name), capacity))
        self._now, self._path = self.now.reshape(-1), self.path.reshape(-1)
        for part in (self.scaler, self.moments):
            if part:
                part.resize(capacity)

    def reset(self, row: int, seed: int) -> None:
        """Start ``row`` afresh."""
        self.seed[row], self.forest[row] = seed, 0
        self.counter[row], self.ready[row] = 0, False
        self.now[row], self.last[row], self.path[row] = 0, 0, 0
        for part in (self.scaler, self.moments):
            if part:
                part.reset(row, seed)

    def dump(self, row: int) -> State:
        """Masses of the leaves, scaler, moments, and which forest."""
        state: State = {
            "seed": self.seed[row : row + 1].copy(),
            "counter": self.counter[row : row + 1].copy(),
            "ready": self.ready[row : row + 1].copy(),
            "now": self.now[row].copy(),
            "last": self.last[row].copy(),
        }
        if self.moments:
            state |= _named("moments", self.moments.dump(row))
        if self.forest[row]:
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
        moments = _of("moments", state)
        if self.moments and moments:  # River keeps none
            self.moments.load(row, moments)
        self.seed[row] = state["seed"][0]
        self.counter[row], self.ready[row] = state["counter"][0], state["ready"][0]
        self.now[row], self.last[row] = state["now"], state["last"]
        forest = _of("forest", state)
        self.forest[row] = self.forests.load(forest) if forest else 0
        self._tabulate(np.array([row]))


def _gaps(x: Floats) -> Bools | None:
    """(n,) the readings with a missing value; None when there is none."""
    missing: Bools = np.isnan(x)
    if not missing.any():
        return None
    gaps: Bools = np.logical_or.reduce(missing, axis=1)
    return gaps


def _named(prefix: str, state: State) -> State:
    return {f"{prefix}.{name}": value for name, value in state.items()}


def _of(prefix: str, state: State) -> State:
    return {
        name.removeprefix(f"{prefix}."): value
        for name, value in state.items()
        if name.startswith(f"{prefix}.")
    }
