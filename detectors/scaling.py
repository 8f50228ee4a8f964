"""River's MinMaxScaler and StandardScaler for many machines: its arithmetic, reading by reading."""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np

from detectors.base import FleetState, State, grown
from detectors.batch import Batch, Floats, Ints
from detectors.compiled import compiled


class FleetScaler(FleetState):
    """Scales readings by what was learned of each machine's sensors. Missing (NaN) stays missing.

    In a River pipeline ``scaler | model`` a reading is scored as the scaler stands, and learned by the
    model as the scaler stands *after* it has learned that reading itself: `scale` and `learn_scale`.
    """

    def __init__(self, width: int) -> None:
        self.width = width

    @abstractmethod
    def scale(self, rows: Ints, x: Floats) -> Floats:
        """Scale readings ``x`` (n, k) of machines ``rows`` (n,) with the scalers as they stand."""

    @abstractmethod
    def learn_scale(self, batch: Batch) -> Floats:
        """Learn the batch's readings in order; give each scaled by the scaler just after it, (n, k)."""


class FleetMinMaxScaler(FleetScaler):
    """``preprocessing.MinMaxScaler``: 0 = the smallest value so far, 1 = the largest. Bit for bit River's.

    A sensor without a value yet is scaled to NaN; one that was constant so far to 0.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.low = np.full((0, width), np.inf)
        self.high = np.full((0, width), -np.inf)

    def scale(self, rows: Ints, x: Floats) -> Floats:
        """Scale ``x`` (n, k)."""
        out = np.empty(x.shape)
        _scale_to_unit(self.low, self.high, rows, np.ascontiguousarray(x), False, out)
        return out

    def learn_scale(self, batch: Batch) -> Floats:
        """Learn, and scale by what is known after each reading."""
        out = np.empty(batch.x.shape)
        _scale_to_unit(self.low, self.high, batch.row_of, np.ascontiguousarray(batch.x), True, out)
        return out

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self.low = grown(self.low, capacity, fill=np.inf)
        self.high = grown(self.high, capacity, fill=-np.inf)

    def reset(self, row: int, seed: int) -> None:
        """Forget ``row``'s values."""
        self.low[row], self.high[row] = np.inf, -np.inf

    def dump(self, row: int) -> State:
        """The extremes of each sensor."""
        return {"low": self.low[row].copy(), "high": self.high[row].copy()}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when the sensors are others."""
        _check_width(state["low"].shape, self.width)
        self.low[row], self.high[row] = state["low"], state["high"]


class FleetStandardScaler(FleetScaler):
    """``preprocessing.StandardScaler``: Welford's running mean and variance; a constant sensor scales to 0.

    Bit for bit River's, but for the square root: River raises to the power 0.5, which may differ in the
    last bit.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.count = np.zeros((0, width), dtype=np.int64)
        self.mean = np.zeros((0, width))
        self.var = np.zeros((0, width))

    def scale(self, rows: Ints, x: Floats) -> Floats:
        """Scale ``x`` (n, k)."""
        return self._pass(rows, x, learning=False)

    def learn_scale(self, batch: Batch) -> Floats:
        """Learn, and scale by what is known after each reading."""
        return self._pass(batch.row_of, batch.x, learning=True)

    def _pass(self, rows: Ints, x: Floats, learning: bool) -> Floats:
        out = np.empty(x.shape)
        x = np.ascontiguousarray(x)
        _scale_to_standard(self.count, self.mean, self.var, rows, x, learning, out)
        return out

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self.count = grown(self.count, capacity)
        self.mean = grown(self.mean, capacity)
        self.var = grown(self.var, capacity)

    def reset(self, row: int, seed: int) -> None:
        """Forget ``row``'s values."""
        self.count[row], self.mean[row], self.var[row] = 0, 0.0, 0.0

    def dump(self, row: int) -> State:
        """Count, mean and variance of each sensor."""
        return {
            "count": self.count[row].copy(),
            "mean": self.mean[row].copy(),
            "var": self.var[row].copy(),
        }

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave; ValueError when the sensors are others."""
        _check_width(state["mean"].shape, self.width)
        self.count[row], self.mean[row], self.var[row] = state["count"], state["mean"], state["var"]


def _check_width(shape: tuple[int, ...], width: int) -> None:
    if shape != (width,):
        raise ValueError(f"the saved scaler has {shape} sensors, this machine {width}")


# -- kernels


@compiled
def to_unit(low: Floats, high: Floats, row: int, x: Floats, i: int, out: Floats) -> bool:
    """Scale reading ``i`` of ``x`` (n, k) into ``out`` (k,); whether a value of it is missing or unknown."""
    gap = False
    for j in range(len(out)):
        span = high[row, j] - low[row, j]
        value = (x[i, j] - low[row, j]) / span
        if span == 0.0 and x[i, j] == x[i, j]:
            value = 0.0
        gap |= value != value
        out[j] = value
    return gap


@compiled
def widen(low: Floats, high: Floats, row: int, x: Floats, i: int) -> bool:
    """Learn reading ``i`` of ``x`` (n, k); whether it moved an extreme. A missing value moves none."""
    moved = False
    for j in range(x.shape[1]):
        if x[i, j] < low[row, j]:
            low[row, j] = x[i, j]
            moved = True
        if x[i, j] > high[row, j]:
            high[row, j] = x[i, j]
            moved = True
    return moved


@compiled
def _scale_to_unit(low: Floats, high: Floats, rows: Ints, x: Floats, learning: bool, out: Floats) -> None:
    for i in range(len(x)):
        if learning:
            widen(low, high, rows[i], x, i)
        to_unit(low, high, rows[i], x, i, out[i])


@compiled
def to_standard(mean: Floats, var: Floats, row: int, x: Floats, i: int, out: Floats) -> None:
    """Scale reading ``i`` of ``x`` (n, k) into ``out`` (k,)."""
    for j in range(len(out)):
        value = (x[i, j] - mean[row, j]) / math.sqrt(var[row, j])
        if var[row, j] == 0.0 and x[i, j] == x[i, j]:
            value = 0.0
        out[j] = value


@compiled
def learn_standard(count: Ints, mean: Floats, var: Floats, row: int, x: Floats, i: int) -> None:
    """Move counts, means and variances of a machine by reading ``i`` of ``x`` (n, k)."""
    for j in range(x.shape[1]):
        if x[i, j] == x[i, j]:
            count[row, j] += 1
            off = x[i, j] - mean[row, j]
            mean[row, j] += off / count[row, j]
            var[row, j] += (off * (x[i, j] - mean[row, j]) - var[row, j]) / count[row, j]


@compiled
def _scale_to_standard(
    count: Ints, mean: Floats, var: Floats, rows: Ints, x: Floats, learning: bool, out: Floats
) -> None:
    for i in range(len(x)):
        if learning:
            learn_standard(count, mean, var, rows[i], x, i)
        to_standard(mean, var, rows[i], x, i, out[i])
