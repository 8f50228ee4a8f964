"""River's OneClassSVM for a fleet, on standardised values, or on random Fourier features of them.

The linear model can only bound a half space, and standardised values have no side: `components` turns each
sensor's value into cosines first (River's RBFSampler; Rahimi and Recht, Random features for large-scale
kernel machines, NIPS 2007), in which the model becomes a smooth picture of where each sensor's values lie.
"""

from __future__ import annotations

import math
import random
from typing import ClassVar

import numpy as np

from detectors.base import DeferredScores, Evidence, FleetDetector, State, grown
from detectors.batch import Batch, Floats, Ints
from detectors.scaling import FleetStandardScaler
from detectors.sums import fold


class FleetOneClassSVM(FleetDetector):
    """``StandardScaler | RBFSampler | OneClassSVM``, learned by stochastic gradient descent.

    ``nu``: share of readings that may lie outside. ``rate``, ``intercept_rate``: step sizes of River's
    ``optim.SGD`` and ``intercept_lr``. ``components``, ``gamma``: cosines a sensor and the kernel's width;
    0 components = linear, as River's OneClassSVM alone. ``start``: readings learned before the first score.
    ``embeddings``: how many different sets of cosines the machines share (0 = each its own).

    River's ``score_one`` is the raw score of the linear model. With cosines River's value is large where
    readings are usual, so the raw score is that value with its sign turned.
    """

    kind: ClassVar[str] = "one-class-svm"

    def __init__(
        self,
        width: int,
        nu: float = 0.1,
        rate: float = 0.01,
        intercept_rate: float = 0.01,
        components: int = 16,
        gamma: float = 0.5,
        start: int = 64,
        embeddings: int = 16,
    ) -> None:
        super().__init__(width)
        if not 0 < nu < 1 or rate <= 0 or intercept_rate < 0 or components < 0 or gamma <= 0:
            raise ValueError(
                f"one-class-svm: nu ({nu}) must be in 0 … 1, rate ({rate}) and gamma ({gamma}) over 0, "
                f"intercept_rate ({intercept_rate}) and components ({components}) 0 or more"
            )
        self.l2, self.rate, self.intercept_rate = nu / 2, rate, intercept_rate
        self.components, self.gamma, self.start, self.share = components, gamma, start, embeddings
        self.scaler = FleetStandardScaler(width)
        self.terms = components or 1
        self._embedding: dict[int, tuple[Floats, Floats]] = {}
        self.seed = np.zeros(0, dtype=np.int64)
        self.learned = np.zeros(0, dtype=np.int64)
        self.intercept = np.zeros(0)
        self.weight = np.zeros((0, width, self.terms))

    def embedding(self, seed: int) -> tuple[Floats, Floats]:
        """Frequencies (k, components) and phases (components,) that RBFSampler draws from ``seed``."""
        if seed not in self._embedding:
            rng = random.Random(seed)
            phase = [rng.uniform(0, 2 * math.pi) for _ in range(self.components)]
            scale = math.sqrt(2 * self.gamma)
            frequency = [[scale * rng.gauss(0, 1) for _ in phase] for _ in range(self.width)]
            self._embedding[seed] = np.array(frequency), np.array(phase)
        return self._embedding[seed]

    def _features(self, row_of: Ints, z: Floats) -> Floats:
        """(n, k, terms); 0 where the value is missing, so that it has no part in anything."""
        z = np.ascontiguousarray(z)
        if not self.components:
            return np.nan_to_num(z[:, :, None], nan=0.0)
        seeds = self.seed[row_of] % self.share if self.share else self.seed[row_of]
        out = np.empty((*z.shape, self.components))
        for seed in np.unique(seeds).tolist():
            here = seeds == seed
            frequency, phase = self.embedding(seed)
            out[here] = np.cos(z[here][:, :, None] * frequency + phase)
        out[np.isnan(z)] = 0.0
        return out

    def score(self, batch: Batch) -> DeferredScores:
        """River's score of each reading (its sign turned when there are cosines); NaN until ``start``."""
        row_of = batch.row_of
        z = self.scaler.scale(row_of, batch.x)
        parts = fold(self._features(row_of, z) * self.weight[row_of])
        raw = fold(parts)
        if self.components:
            raw, parts = -raw, -parts
        raw[(self.learned[row_of] < self.start) | np.isnan(z).all(axis=1)] = np.nan
        return DeferredScores(raw, lambda at: self._explain(row_of[at], z[at], parts[at]))

    def _explain(self, row_of: Ints, z: Floats, parts: Floats) -> Evidence:
        if self.components:
            # A sensor's part is least where its values usually lie; the middle stands for that.
            usual = -fold(self._features(row_of, np.zeros_like(z)) * self.weight[row_of])
            parts = parts - usual
        contributions = np.where(np.isnan(z), 0.0, np.maximum(parts, 0.0))
        return Evidence(contributions, self.scaler.mean[row_of], z)

    def learn(self, batch: Batch) -> None:
        """One step of gradient descent a reading."""
        z = self.scaler.learn_scale(batch)
        features = self._features(batch.row_of, z)
        present = ~np.isnan(z)
        for rows, at in batch.steps():
            feature, weight, intercept = features[at], self.weight[rows], self.intercept[rows]
            margin = fold(fold(feature * weight)) + intercept
            slope = np.where(margin <= 1.0, -1.0, 0.0)  # the hinge loss's gradient for a reading that belongs
            gradient = feature * slope[:, None, None] + self.l2 * weight
            moved = weight - self.rate * gradient
            self.weight[rows] = np.where(present[at][:, :, None], moved, weight)
            self.intercept[rows] = intercept - (
                self.intercept_rate * slope + 2.0 * self.intercept_rate * self.l2
            )
            self.learned[rows] += 1

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        for name in ("seed", "learned", "intercept", "weight"):
            setattr(self, name, grown(getattr(self, name), capacity))
        self.scaler.resize(capacity)

    def reset(self, row: int, seed: int) -> None:
        """Start ``row`` afresh."""
        self.seed[row], self.learned[row] = seed, 0
        self.intercept[row], self.weight[row] = 1.0, 0.0
        self.scaler.reset(row, seed)

    def dump(self, row: int) -> State:
        """Weights, intercept and the scaler."""
        state: State = {
            "seed": self.seed[row : row + 1].copy(),
            "learned": self.learned[row : row + 1].copy(),
            "intercept": self.intercept[row : row + 1].copy(),
            "weight": self.weight[row].copy(),
        }
        return state | {f"scaler.{name}": value for name, value in self.scaler.dump(row).items()}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when the components or sensors are others."""
        if state["weight"].shape != self.weight[row].shape:
            raise ValueError(
                f"saved weights are {state['weight'].shape}, this class has {self.weight[row].shape}: "
                "components or the sensors were changed"
            )
        self.scaler.load(
            row, {n.removeprefix("scaler."): v for n, v in state.items() if n.startswith("scaler.")}
        )
        self.seed[row], self.learned[row] = state["seed"][0], state["learned"][0]
        self.intercept[row], self.weight[row] = state["intercept"][0], state["weight"]
