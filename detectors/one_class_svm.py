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
from detectors.compiled import compiled
from detectors.scaling import FleetStandardScaler


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
    exportable: ClassVar[bool] = True  # sums over many readings

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
        self.seed = np.zeros(0, dtype=np.int64)
        self.drawn = np.zeros(0, dtype=np.int64)  # where a machine's cosines stand in the library
        self.frequency = np.zeros((1, width, components))
        self.phase = np.zeros((1, components))
        self._place: dict[int, int] = {}
        self.learned = np.zeros(0, dtype=np.int64)
        self.intercept = np.zeros(0)
        self.weight = np.zeros((0, width, self.terms))

    def embedding(self, seed: int) -> tuple[Floats, Floats]:
        """Frequencies (k, components) and phases (components,) that RBFSampler draws from ``seed``."""
        place = self._draw(seed)
        return self.frequency[place], self.phase[place]

    def _draw(self, seed: int) -> int:
        place = self._place.get(seed)
        if place is None:
            self._place[seed] = place = len(self._place)
            if place == len(self.phase):
                self.frequency, self.phase = grown(self.frequency, 2 * place), grown(self.phase, 2 * place)
            rng = random.Random(seed)
            self.phase[place] = [rng.uniform(0, 2 * math.pi) for _ in range(self.components)]
            scale = math.sqrt(2 * self.gamma)
            for column in range(self.width):
                self.frequency[place, column] = [scale * rng.gauss(0, 1) for _ in range(self.components)]
        return place

    def score(self, batch: Batch) -> DeferredScores:
        """River's score of each reading (its sign turned when there are cosines); NaN until ``start``."""
        row_of = batch.row_of
        z = self.scaler.scale(row_of, batch.x)
        parts, raw = np.zeros(z.shape), np.full(len(z), np.nan)
        _score(*self._library, row_of, z, self.weight, self.learned, self.start, parts, raw)
        return DeferredScores(raw, lambda at: self._explain(row_of[at], z[at], parts[at]))

    @property
    def _library(self) -> tuple[Ints, Floats, Floats]:
        return self.drawn, self.frequency, self.phase

    def _explain(self, row_of: Ints, z: Floats, parts: Floats) -> Evidence:
        if self.components:
            # A sensor's part is least where its values usually lie; the middle stands for that.
            usual, raw = np.zeros(z.shape), np.empty(len(z))
            _score(*self._library, row_of, np.zeros(z.shape), self.weight, self.learned, 0, usual, raw)
            parts = parts - usual
        contributions = np.where(np.isnan(z), 0.0, np.maximum(parts, 0.0))
        return Evidence(contributions, self.scaler.mean[row_of], z)

    def learn(self, batch: Batch) -> None:
        """One step of gradient descent a reading."""
        z = self.scaler.learn_scale(batch)
        state = (self.weight, self.intercept, self.learned)
        _learn(*self._library, batch.row_of, z, *state, self.l2, self.rate, self.intercept_rate)

    def _set_seed(self, row: int, seed: int) -> None:
        self.seed[row] = seed
        self.drawn[row] = self._draw(seed % self.share if self.share else seed)

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        for name in ("seed", "drawn", "learned", "intercept", "weight"):
            setattr(self, name, grown(getattr(self, name), capacity))
        self.scaler.resize(capacity)

    def reset(self, row: int, seed: int) -> None:
        """Start ``row`` afresh."""
        self._set_seed(row, seed)
        self.learned[row] = 0
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
        self._set_seed(row, int(state["seed"][0]))
        self.learned[row] = state["learned"][0]
        self.intercept[row], self.weight[row] = state["intercept"][0], state["weight"]


# -- kernels


@compiled
def _features(frequency: Floats, phase: Floats, place: int, j: int, z: float, out: Floats) -> None:
    """What the model sees of the value ``z`` of sensor ``j``: its cosines, or itself when there are none."""
    out[j, 0] = z
    for term in range(phase.shape[1]):
        out[j, term] = math.cos(z * frequency[place, j, term] + phase[place, term])


@compiled
def _score(
    drawn: Ints,
    frequency: Floats,
    phase: Floats,
    row_of: Ints,
    z: Floats,
    weight: Floats,
    learned: Ints,
    start: int,
    parts: Floats,
    raw: Floats,
) -> None:
    """Fill ``parts`` (n, k) with what each sensor adds to ``raw`` (n,), and that when it is known."""
    width, terms = weight.shape[1], weight.shape[2]
    sign = -1.0 if phase.shape[1] else 1.0
    feature = np.empty((width, terms))
    for i in range(len(z)):
        row = row_of[i]
        whole, known = 0.0, False
        for j in range(width):
            if z[i, j] == z[i, j]:
                known = True
                _features(frequency, phase, drawn[row], j, z[i, j], feature)
                part = 0.0
                for term in range(terms):
                    part += feature[j, term] * weight[row, j, term]
                parts[i, j] = sign * part
                whole += part
        if known and learned[row] >= start:
            raw[i] = sign * whole


@compiled
def _learn(
    drawn: Ints,
    frequency: Floats,
    phase: Floats,
    row_of: Ints,
    z: Floats,
    weight: Floats,
    intercept: Floats,
    learned: Ints,
    l2: float,
    rate: float,
    intercept_rate: float,
) -> None:
    width, terms = weight.shape[1], weight.shape[2]
    feature = np.empty((width, terms))
    for i in range(len(z)):
        row = row_of[i]
        margin = intercept[row]
        for j in range(width):
            if z[i, j] == z[i, j]:
                _features(frequency, phase, drawn[row], j, z[i, j], feature)
                for term in range(terms):
                    margin += feature[j, term] * weight[row, j, term]
        slope = -1.0 if margin <= 1.0 else 0.0  # the hinge loss's gradient for a reading that belongs
        for j in range(width):
            if z[i, j] == z[i, j]:
                for term in range(terms):
                    gradient = feature[j, term] * slope + l2 * weight[row, j, term]
                    weight[row, j, term] -= rate * gradient
        intercept[row] -= intercept_rate * slope + 2.0 * intercept_rate * l2
        learned[row] += 1
