"""River's LODA for a fleet: histograms of random projections, on standardised values.

Pevný, Loda: Lightweight on-line detector of anomalies, Machine Learning 102 (2016); the histograms are
River's (Ben-Haim and Tom-Tov, A streaming parallel decision tree algorithm, JMLR 11, 2010).
"""

from __future__ import annotations

import math
import random
from typing import ClassVar

import numpy as np

from detectors.base import DeferredScores, Evidence, FleetDetector, State, grown
from detectors.batch import Batch, Floats, Ints
from detectors.compiled import compiled
from detectors.loda.histograms import Counts, FleetHistograms, add_value, density
from detectors.scaling import FleetStandardScaler, learn_standard, to_standard

_Library = tuple[Ints, Ints, Floats]  # which set each machine has; sensors and weights (sets, cuts, terms)
_Histograms = tuple[Floats, Floats, Counts, Ints]  # left, right, count, total


class FleetLoda(FleetDetector):
    """``StandardScaler | LODA``: mean negative log density of a reading's random projections.

    ``n_bins``, ``n_random_cuts``: as River's. ``start``: readings learned before the first score.
    ``projections``: how many different sets of projections the machines share (0 = each its own).
    A missing value counts as 0, which is the sensor's mean.
    """

    kind: ClassVar[str] = "loda"
    exportable: ClassVar[bool] = True  # sums over many readings

    def __init__(
        self, width: int, n_bins: int = 10, n_random_cuts: int = 100, start: int = 64, projections: int = 16
    ) -> None:
        super().__init__(width)
        if n_bins < 2 or n_random_cuts < 1:
            raise ValueError(
                f"loda: n_bins ({n_bins}) must be 2 or more, n_random_cuts ({n_random_cuts}) 1 or more"
            )
        self.cuts, self.start, self.share = n_random_cuts, start, projections
        self.scaler = FleetStandardScaler(width)
        self.histograms = FleetHistograms(n_random_cuts, n_bins)
        self.seed = np.zeros(0, dtype=np.int64)
        self.drawn = np.zeros(0, dtype=np.int64)  # where a machine's projections stand in the library
        terms = max(1, math.isqrt(width))
        self.sensors = np.zeros((1, self.cuts, terms), dtype=np.int64)
        self.weights = np.zeros((1, self.cuts, terms))
        self._place: dict[int, int] = {}

    def projections(self, seed: int) -> tuple[Ints, Floats]:
        """The sensors and weights, (cuts, ⌊√k⌋) each, that River draws from ``seed``."""
        place = self._draw(seed)
        return self.sensors[place], self.weights[place]

    def _draw(self, seed: int) -> int:
        place = self._place.get(seed)
        if place is None:
            self._place[seed] = place = len(self._place)
            if place == len(self.sensors):
                self.sensors, self.weights = grown(self.sensors, 2 * place), grown(self.weights, 2 * place)
            rng = random.Random(seed)
            for cut in range(self.cuts):
                chosen = rng.sample(range(self.width), self.sensors.shape[2])
                self.sensors[place, cut] = chosen
                self.weights[place, cut] = [rng.gauss(0.0, 1.0) for _ in chosen]
        return place

    def score(self, batch: Batch) -> DeferredScores:
        """River's ``score_one`` of each reading; NaN until ``start`` readings are learned."""
        row_of = batch.row_of
        raw, _ = self._score(row_of, batch.x, explaining=False)
        return DeferredScores(raw, lambda at: self._explain(row_of[at], batch.x[at]))

    def _explain(self, row_of: Ints, x: Floats) -> Evidence:
        _, contributions = self._score(row_of, x, explaining=True)
        return Evidence(contributions, self.scaler.mean[row_of], self.scaler.scale(row_of, x))

    def _score(self, row_of: Ints, x: Floats, explaining: bool) -> tuple[Floats, Floats]:
        raw = np.full(len(x), np.nan)
        contributions = np.zeros(x.shape if explaining else (0, 0))
        known = self.histograms
        _score(
            (self.scaler.mean, self.scaler.var),
            (self.drawn, self.sensors, self.weights),
            (known.left, known.right, known.count, known.total),
            row_of,
            np.ascontiguousarray(x),
            self.start,
            raw,
            contributions,
        )
        return raw, contributions

    def learn(self, batch: Batch) -> None:
        """Add each reading's projections to the histograms."""
        known = self.histograms
        _learn(
            (self.scaler.count, self.scaler.mean, self.scaler.var),
            (self.drawn, self.sensors, self.weights),
            (known.left, known.right, known.count, known.total),
            batch.row_of,
            np.ascontiguousarray(batch.x),
        )

    def _set_seed(self, row: int, seed: int) -> None:
        self.seed[row] = seed
        self.drawn[row] = self._draw(seed % self.share if self.share else seed)

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self.seed, self.drawn = grown(self.seed, capacity), grown(self.drawn, capacity)
        self.scaler.resize(capacity)
        self.histograms.resize(capacity)

    def reset(self, row: int, seed: int) -> None:
        """Start ``row`` afresh."""
        self._set_seed(row, seed)
        self.scaler.reset(row, seed)
        self.histograms.reset(row, seed)

    def dump(self, row: int) -> State:
        """The histograms and the scaler."""
        state: State = {"seed": self.seed[row : row + 1].copy()}
        state |= {f"scaler.{name}": value for name, value in self.scaler.dump(row).items()}
        return state | {f"histograms.{name}": value for name, value in self.histograms.dump(row).items()}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when bins, cuts or sensors are others."""
        for name, stage in (("scaler.", self.scaler), ("histograms.", self.histograms)):
            stage.load(row, {n.removeprefix(name): v for n, v in state.items() if n.startswith(name)})
        self._set_seed(row, int(state["seed"][0]))


# -- kernels


@compiled
def _project(sensors: Ints, weights: Floats, place: int, cut: int, z: Floats) -> float:
    """A reading ``z`` (k,) in the direction of a cut; a missing value counts as 0, its sensor's mean."""
    total = 0.0
    for term in range(sensors.shape[2]):
        value = z[sensors[place, cut, term]]
        if value == value:
            total += weights[place, cut, term] * value
    return total


@compiled
def _score(
    scaler: tuple[Floats, Floats],
    library: _Library,
    histograms: _Histograms,
    row_of: Ints,
    x: Floats,
    start: int,
    raw: Floats,
    contributions: Floats,
) -> None:
    """Fill ``raw`` (n,) and, unless it is empty, ``contributions`` (n, k)."""
    mean, var = scaler
    drawn, sensors, weights = library
    left, right, count, total = histograms
    cuts, width = sensors.shape[1], x.shape[1]
    z, surprise = np.empty(width), np.empty(cuts)
    for i in range(len(x)):
        row = row_of[i]
        to_standard(mean, var, row, x, i, z)
        if total[row] < start or _missing(z) == width:
            continue
        whole = 0.0
        for cut in range(cuts):
            value = _project(sensors, weights, drawn[row], cut, z)
            surprise[cut] = -math.log(max(density(left, right, count, total, row, cut, value), 1e-12))
            whole += surprise[cut]
        raw[i] = whole / cuts
        for j in range(width if len(contributions) else 0):
            if z[j] == z[j]:
                contributions[i, j] = _part(sensors, drawn[row], surprise, j)


@compiled
def _missing(z: Floats) -> int:
    """How many values are missing."""
    missing = 0
    for j in range(len(z)):
        missing += z[j] != z[j]
    return missing


@compiled
def _part(sensors: Ints, place: int, surprise: Floats, sensor: int) -> float:
    """A sensor's part: how much more the cuts with it surprise than those without (Pevný §3.3)."""
    uses, inside, outside = 0, 0.0, 0.0
    cuts = len(surprise)
    for cut in range(cuts):
        used = False
        for term in range(sensors.shape[2]):
            used |= sensors[place, cut, term] == sensor
        if used:
            uses += 1
            inside += surprise[cut]
        else:
            outside += surprise[cut]
    if uses == 0 or uses == cuts:
        return min(uses, 1) * 1.0
    return max(inside / uses - outside / (cuts - uses), 0.0)


@compiled
def _learn(
    scaler: tuple[Ints, Floats, Floats], library: _Library, histograms: _Histograms, row_of: Ints, x: Floats
) -> None:
    seen, mean, var = scaler
    drawn, sensors, weights = library
    left, right, count, total = histograms
    z = np.empty(x.shape[1])
    for i in range(len(x)):
        row = row_of[i]
        learn_standard(seen, mean, var, row, x, i)
        to_standard(mean, var, row, x, i, z)
        for cut in range(sensors.shape[1]):
            add_value(left, right, count, row, cut, _project(sensors, weights, drawn[row], cut, z))
        total[row] += 1
