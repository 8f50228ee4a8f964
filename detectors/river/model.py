"""Any River anomaly detector as a kind: one object a machine, through the fleet's interface."""

from __future__ import annotations

import copy
import inspect
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from river import base

from detectors.base import DeferredScores, Evidence, FleetDetector, State
from detectors.batch import Batch, Floats, Ints
from detectors.river.safe_pickle import pack, unpack
from detectors.scaling import FleetStandardScaler


class FleetRiver(FleetDetector):
    """A River model each for the machines of a class, for what the fleets of arrays do not cover.

    ``model``: the dotted name of an ``AnomalyDetector`` of River; ``params``: its parameters (``seed`` is
    the machine's own unless given). Values are standardised before, as by ``StandardScaler``. ``start``:
    readings learned before the first score. ``sign``: -1 for models whose score is large for usual readings.

    Costs what River costs, in time and memory: some 100 to 1,000 times the fleets of arrays.

    >>> fleet = FleetRiver(1, "river.anomaly.HalfSpaceTrees", {"window_size": 20})
    >>> FleetRiver(1, "river.anomaly.QuantileFilter")
    Traceback (most recent call last):
    ValueError: river: model 'river.anomaly.QuantileFilter' is no AnomalyDetector of River
    """

    kind: ClassVar[str] = "river"

    def __init__(
        self,
        width: int,
        model: str = "river.anomaly.LODA",
        params: dict[str, Any] | None = None,
        start: int = 64,
        sign: int = 1,
    ) -> None:
        super().__init__(width)
        module, _, name = model.rpartition(".")
        found = getattr(import_module(module), name, None) if module.startswith("river.") else None
        if not (isinstance(found, type) and issubclass(found, base.AnomalyDetector)):
            raise ValueError(f"river: model {model!r} is no AnomalyDetector of River")
        if sign not in (1, -1):
            raise ValueError(f"river: sign is 1 or -1, not {sign}")
        self.made, self.name, self.params = found, model, dict(params or {})
        takes = inspect.signature(found).parameters
        for param in self.params:
            if param not in takes:
                raise ValueError(f"river: {model} has no parameter {param!r}; it takes {', '.join(takes)}")
        self._own_seed = "seed" in takes and "seed" not in self.params
        self.start, self.sign = start, sign
        self.scaler = FleetStandardScaler(width)
        self.models: list[Any] = []
        self.learned = np.zeros(0, dtype=np.int64)

    @staticmethod
    def _features(z: Floats) -> dict[int, float]:
        return {i: value for i, value in enumerate(z.tolist()) if value == value}

    def score(self, batch: Batch) -> DeferredScores:
        """The model's ``score_one`` of each reading; NaN until ``start``, or when all values are missing."""
        row_of = batch.row_of
        z = self.scaler.scale(row_of, batch.x)
        raw = np.array([self._score(row, one) for row, one in zip(row_of.tolist(), z, strict=True)])
        return DeferredScores(raw.reshape(len(batch)), lambda at: self._explain(row_of[at], z[at], raw[at]))

    def _score(self, row: int, z: Floats) -> float:
        features = self._features(z)
        if self.learned[row] < self.start or not features:
            return float("nan")
        return self.sign * float(self.models[row].score_one(features))

    def _explain(self, row_of: Ints, z: Floats, raw: Floats) -> Evidence:
        """A sensor's part is what the score loses when its value is the usual one."""
        contributions = np.zeros(z.shape)
        for i, row in enumerate(row_of.tolist()):
            for column in np.flatnonzero(~np.isnan(z[i])).tolist() if raw[i] == raw[i] else ():
                usual = z[i].copy()
                usual[column] = 0.0
                contributions[i, column] = max(0.0, raw[i] - self._score(row, usual))
        expected = np.where(self.scaler.count[row_of] > 0, self.scaler.mean[row_of], np.nan)
        return Evidence(contributions, expected, z)

    def learn(self, batch: Batch) -> None:
        """The model's ``learn_one`` of each reading."""
        z = self.scaler.learn_scale(batch)
        for row, one in zip(batch.row_of.tolist(), z, strict=True):
            features = self._features(one)
            if features:
                self.models[row].learn_one(features)
                self.learned[row] += 1

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self.models += [None] * (capacity - len(self.models))
        self.learned = np.concatenate([self.learned, np.zeros(capacity - len(self.learned), dtype=np.int64)])
        self.scaler.resize(capacity)

    def reset(self, row: int, seed: int) -> None:
        """Start ``row`` with a new model."""
        own = {"seed": seed % 2**32} if self._own_seed else {}
        self.models[row] = self.made(**copy.deepcopy(self.params), **own)
        self.learned[row] = 0
        self.scaler.reset(row, seed)

    def dump(self, row: int) -> State:
        """The model as a checksummed pickle, see `detectors.river.safe_pickle`."""
        state: State = {
            "model": np.frombuffer(pack(self.models[row]), dtype=np.uint8).copy(),
            "learned": self.learned[row : row + 1].copy(),
        }
        return state | {f"scaler.{name}": value for name, value in self.scaler.dump(row).items()}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when it is damaged, of another model, or of other sensors."""
        model = unpack(state["model"].tobytes())
        if type(model) is not self.made:
            raise ValueError(f"the saved model is a {type(model).__name__}, this class has {self.name}")
        scaler = {n.removeprefix("scaler."): v for n, v in state.items() if n.startswith("scaler.")}
        self.scaler.load(row, scaler)
        self.models[row], self.learned[row] = model, state["learned"][0]
