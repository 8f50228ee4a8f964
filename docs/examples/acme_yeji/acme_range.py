"""A detector: how far each sensor is outside the range that it has had, in widths of that range."""

from __future__ import annotations

import numpy as np

from detectors.base import FleetDetector, RawScores, State, grown
from detectors.batch import Batch


class FleetRange(FleetDetector):
    """The range of each sensor of each machine. ``least``: readings that are learned before it scores."""

    kind = "acme-range"

    def __init__(self, width: int, least: int = 50) -> None:
        super().__init__(width)
        self.least = least
        self.low = np.zeros((0, width))
        self.high = np.zeros((0, width))
        self.seen = np.zeros(0, dtype=np.int64)

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self.low = grown(self.low, capacity, fill=np.inf)
        self.high = grown(self.high, capacity, fill=-np.inf)
        self.seen = grown(self.seen, capacity)

    def reset(self, row: int, seed: int) -> None:
        """Forget a machine."""
        self.low[row], self.high[row], self.seen[row] = np.inf, -np.inf, 0

    def dump(self, row: int) -> State:
        """A machine's ranges."""
        return {"range": np.stack([self.low[row], self.high[row]]), "seen": self.seen[row : row + 1].copy()}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` returned. Raises ValueError when it is of another width."""
        if state["range"].shape != (2, self.width):
            raise ValueError(f"saved ranges are of {state['range'].shape[-1]} sensors, not {self.width}")
        self.low[row], self.high[row] = state["range"]
        self.seen[row] = state["seen"][0]

    def score(self, batch: Batch) -> RawScores:
        """The sum over the sensors of how far each is outside."""
        row = np.repeat(batch.rows, batch.counts)
        low, high = self.low[row], self.high[row]
        with np.errstate(invalid="ignore"):
            span = np.maximum(high - low, 1e-9 * (1 + np.abs(low)))
            off = np.nan_to_num(np.maximum(np.maximum(low - batch.x, batch.x - high), 0.0) / span, posinf=0.0)
            middle = (low + high) / 2
            deviation = (batch.x - middle) / span
        raw = np.where(self.seen[row] >= self.least, off.sum(axis=1), np.nan)
        return RawScores(raw, off, np.where(np.isfinite(middle), middle, np.nan), deviation)

    def learn(self, batch: Batch) -> None:
        """Widen the ranges."""
        row = np.repeat(batch.rows, batch.counts)
        np.minimum.at(self.low, row, np.where(np.isnan(batch.x), np.inf, batch.x))
        np.maximum.at(self.high, row, np.where(np.isnan(batch.x), -np.inf, batch.x))
        self.seen[batch.rows] += batch.counts
