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
from detectors.histograms import FleetHistograms
from detectors.scaling import FleetStandardScaler
from detectors.sums import fold


class FleetLoda(FleetDetector):
    """``StandardScaler | LODA``: mean negative log density of a reading's random projections.

    ``n_bins``, ``n_random_cuts``: as River's. ``start``: readings learned before the first score.
    ``projections``: how many different sets of projections the machines share (0 = each its own).
    A missing value counts as 0, which is the sensor's mean.
    """

    kind: ClassVar[str] = "loda"

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
        self._projections: dict[int, tuple[Ints, Floats]] = {}

    def projections(self, seed: int) -> tuple[Ints, Floats]:
        """The sensors and weights, (cuts, ⌊√k⌋) each, that River draws from ``seed``."""
        if seed not in self._projections:
            rng = random.Random(seed)
            sensors, weights = [], []
            for _ in range(self.cuts):
                chosen = rng.sample(range(self.width), max(1, math.isqrt(self.width)))
                sensors.append(chosen)
                weights.append([rng.gauss(0.0, 1.0) for _ in chosen])
            self._projections[seed] = np.array(sensors), np.array(weights)
        return self._projections[seed]

    def _seeds(self, row_of: Ints) -> Ints:
        return self.seed[row_of] % self.share if self.share else self.seed[row_of]

    def _project(self, row_of: Ints, z: Floats) -> Floats:
        """(n, cuts)."""
        z = np.nan_to_num(z, nan=0.0)
        seeds = self._seeds(row_of)
        out = np.empty((len(z), self.cuts))
        for seed in np.unique(seeds).tolist():
            here = seeds == seed
            sensors, weights = self.projections(seed)
            part = z[here]
            total = weights[:, 0] * part[:, sensors[:, 0]]
            for i in range(1, sensors.shape[1]):
                total = total + weights[:, i] * part[:, sensors[:, i]]
            out[here] = total
        return out

    def score(self, batch: Batch) -> DeferredScores:
        """River's ``score_one`` of each reading; NaN until ``start`` readings are learned."""
        row_of = batch.row_of
        z = self.scaler.scale(row_of, batch.x)
        density = self.histograms.density(row_of, self._project(row_of, z))
        surprise = -np.log(np.maximum(density, 1e-12))
        raw = fold(surprise) / self.cuts
        raw[(self.histograms.total[row_of] < self.start) | np.isnan(z).all(axis=1)] = np.nan
        return DeferredScores(raw, lambda at: self._explain(row_of[at], z[at], surprise[at]))

    def _explain(self, row_of: Ints, z: Floats, surprise: Floats) -> Evidence:
        """Each sensor's part: how much more the cuts with it surprise than those without (Pevný §3.3)."""
        contributions = np.zeros(z.shape)
        seeds = self._seeds(row_of)
        for seed in np.unique(seeds).tolist():
            here = seeds == seed
            sensors, _ = self.projections(seed)
            part = surprise[here]
            for column in range(self.width):
                uses = (sensors == column).any(axis=1)
                if uses.all() or not uses.any():
                    contributions[here, column] = float(uses.any())
                else:
                    mean_with = fold(part[:, uses]) / uses.sum()
                    contributions[here, column] = mean_with - fold(part[:, ~uses]) / (~uses).sum()
        contributions[np.isnan(z) | (contributions < 0)] = 0.0
        return Evidence(contributions, self.scaler.mean[row_of], z)

    def learn(self, batch: Batch) -> None:
        """Add each reading's projections to the histograms."""
        projected = self._project(batch.row_of, self.scaler.learn_scale(batch))
        for rows, at in batch.steps():
            self.histograms.update(rows, projected[at])

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self.seed = grown(self.seed, capacity)
        self.scaler.resize(capacity)
        self.histograms.resize(capacity)

    def reset(self, row: int, seed: int) -> None:
        """Start ``row`` afresh."""
        self.seed[row] = seed
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
        self.seed[row] = state["seed"][0]
