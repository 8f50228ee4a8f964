"""River's MinMaxScaler and StandardScaler for many machines: its arithmetic, in arrays."""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np

from detectors.base import FleetState, State, grown
from detectors.batch import Batch, Bools, Floats, Ints


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
        return _to_unit(x, self.low.take(rows, axis=0), self.high.take(rows, axis=0))

    def learn_scale(self, batch: Batch) -> Floats:
        """Learn, and scale by what is known after each reading."""
        return self.scale_learn_scale(batch)[1]

    def scale_learn_scale(self, batch: Batch) -> tuple[Floats, Floats, Bools | None]:
        """Learn; give each reading scaled by what was known before it, and after it, (n, k) both.

        The last, (n,), says for which readings the two may differ; None = for none.
        """
        x, row_of = batch.x, batch.row_of
        low, high = self.low.take(row_of, axis=0), self.high.take(row_of, axis=0)
        outside = (x < low) | (x > high)  # a missing value is neither
        if not outside.any():
            scaled = _to_unit(x, low, high)
            return scaled, scaled, None
        wider = outside.any(axis=1)
        # Rare once a machine is known: only machines with a new extreme are walked through.
        column_of = batch.column_of
        moved = np.zeros(len(batch.rows), dtype=bool)
        moved[column_of[wider]] = True
        at = np.flatnonzero(moved[column_of])
        part = batch.select(moved[column_of])
        low[at], low_after = _running(np.fmin, self.low, part), low.copy()
        high[at], high_after = _running(np.fmax, self.high, part), high.copy()
        low_after[at], high_after[at] = np.fmin(low[at], part.x), np.fmax(high[at], part.x)
        last = batch.starts[moved] + batch.counts[moved] - 1
        self.low[batch.rows[moved]], self.high[batch.rows[moved]] = low_after[last], high_after[last]
        wider = ((low != low_after) | (high != high_after)).any(axis=1)
        return _to_unit(x, low, high), _to_unit(x, low_after, high_after), wider

    def scale_learn_scale_one(self, row: int, values: list[float]) -> tuple[list[float], list[float]] | None:
        """As `scale_learn_scale`, for one reading of one machine: without arrays, which is quicker.

        None, and nothing learned, when a value cannot be scaled: it is missing or its sensor's first.
        """
        lows, highs = self.low[row].tolist(), self.high[row].tolist()
        before = _to_unit_one(values, lows, highs)
        if math.isnan(sum(before)):
            return None
        if min(before) > 0.0 and max(before) < 1.0:
            return before, before
        wider = False
        for column, value in enumerate(values):
            if value < lows[column]:
                self.low[row, column] = lows[column] = value
                wider = True
            if value > highs[column]:
                self.high[row, column] = highs[column] = value
                wider = True
        return before, _to_unit_one(values, lows, highs) if wider else before

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


def _running(extreme: np.ufunc, known: Floats, batch: Batch) -> Floats:
    """The extreme ``known`` (…, k) of each reading's machine just before that reading, (n, k)."""
    if len(batch.rows) == 1:
        run = np.concatenate([known[batch.rows], batch.x[:-1]])
        found: Floats = extreme.accumulate(run, axis=0)
        return found
    run = batch.dense(batch.x)  # padded with NaN, which no extreme takes
    run[1:], run[0] = run[:-1], known[batch.rows]
    return batch.flat(extreme.accumulate(run, axis=0))


def _to_unit(x: Floats, low: Floats, high: Floats) -> Floats:
    span = high - low
    flat = span == 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        out: Floats = x - low
        np.divide(out, span, out=out)
    if flat.any():
        out[flat & ~np.isnan(x)] = 0.0
    return out


def _to_unit_one(values: list[float], lows: list[float], highs: list[float]) -> list[float]:
    return [
        (value - low) / (high - low) if high != low else 0.0
        for value, low, high in zip(values, lows, highs, strict=True)
    ]


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
