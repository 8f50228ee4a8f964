"""River's MinMaxScaler and StandardScaler for many machines: its arithmetic, as arrays with a row a machine."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from detectors.base import FleetState, State, grown
from detectors.batch import Batch, Floats, Ints


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
        return _to_unit(x, self.low[rows], self.high[rows])

    def learn_scale(self, batch: Batch) -> Floats:
        """Learn, and scale by what is known after each reading."""
        low, high = self.running(batch)
        last = (batch.starts + batch.counts - 1)[batch.counts > 0]
        rows = batch.rows[batch.counts > 0]
        self.low[rows], self.high[rows] = low[last], high[last]
        return _to_unit(batch.x, low, high)

    def running(self, batch: Batch) -> tuple[Floats, Floats]:
        """Smallest and largest value (n, k) up to and with each reading of the batch."""
        x, row_of = batch.x, batch.row_of
        low, high = self.low[row_of], self.high[row_of]
        wider = ((x < low) | (x > high)).any(axis=1)  # False where x is NaN
        if wider.any():
            # Rare once a machine is known: only the machines with a new extreme are walked through.
            column_of = batch.column_of
            moved = np.zeros(len(batch.rows), dtype=bool)
            moved[column_of[wider]] = True
            part = moved[column_of]
            sub = batch.select(part)
            at = np.flatnonzero(part)
            at_low, at_high = self.low[batch.rows], self.high[batch.rows]
            for _, here in sub.steps():
                column = sub.column_of[here]
                at_low[column] = np.fmin(at_low[column], sub.x[here])
                at_high[column] = np.fmax(at_high[column], sub.x[here])
                low[at[here]], high[at[here]] = at_low[column], at_high[column]
        return low, high

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
        return _to_standard(x, self.mean[rows], self.var[rows])

    def learn_scale(self, batch: Batch) -> Floats:
        """Learn, and scale by what is known after each reading."""
        out = np.empty_like(batch.x)
        for rows, at in batch.steps():
            x = batch.x[at]
            out[at] = _to_standard(x, *self.learn_step(rows, x))
        return out

    def learn_step(self, rows: Ints, x: Floats) -> tuple[Floats, Floats]:
        """Learn one reading ``x`` (a, k) of each of ``rows`` (a,); give mean and variance after it."""
        present = ~np.isnan(x)
        count = self.count[rows] + present
        old, var = self.mean[rows], self.var[rows]
        divisor = np.maximum(count, 1)
        mean = old + np.where(present, (x - old) / divisor, 0.0)
        var = var + np.where(present, ((x - old) * (x - mean) - var) / divisor, 0.0)
        self.count[rows], self.mean[rows], self.var[rows] = count, mean, var
        return mean, var

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


def _to_unit(x: Floats, low: Floats, high: Floats) -> Floats:
    span = high - low
    with np.errstate(invalid="ignore", divide="ignore"):
        out: Floats = (x - low) / span
    flat = span == 0.0
    if flat.any():
        out[flat & ~np.isnan(x)] = 0.0
    return out


def _to_standard(x: Floats, mean: Floats, var: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        out: Floats = (x - mean) / np.sqrt(var)
    flat = var == 0.0
    if flat.any():
        out[flat & ~np.isnan(x)] = 0.0
    return out


def _check_width(shape: tuple[int, ...], width: int) -> None:
    if shape != (width,):
        raise ValueError(f"the saved scaler has {shape} sensors, this machine {width}")
