"""Time until a machine's health reaches its threshold, with an interval, from the trend (ISO 13381-1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from detectors.base import FleetState, State, grown
from detectors.batch import Batch, Floats

_HOUR = 3_600_000.0
_Z = float(norm.ppf(0.95))


@dataclass(frozen=True, slots=True)
class PrognosisResult:
    """The prognosis of fleet row ``row`` after reading ``index`` of the batch, at event time ``time`` (ms).

    ``remaining`` and its 90 % interval ``low`` .. ``high`` in hours; all None when there is no downward
    trend that reaches ``threshold`` within the horizon; ``high`` alone None when the trend may also be flat.
    """

    row: int
    index: int
    time: int
    health: float
    threshold: float
    remaining: float | None
    low: float | None
    high: float | None


class FleetPrognosis(FleetState):
    """A line through the latest health values, each ``every`` readings; forgets over ``memory`` values."""

    def __init__(
        self, threshold: float = 30.0, every: int = 16, memory: float = 32.0, horizon: float = 8760.0
    ) -> None:
        self.threshold = threshold
        self.every = every
        self.keep = 1.0 - 1.0 / memory
        self.horizon = horizon
        self.count = np.zeros(0, dtype=np.int64)
        self.last = np.zeros(0, dtype=np.int64)
        #: weighted sums about the last time: 1, t, t², h, t·h, h², and squared weights
        self.sums = np.zeros((0, 7))

    def update(self, batch: Batch, health: Floats) -> list[PrognosisResult]:
        """Take in health (n,); one result for each ``every``-th reading of a machine."""
        number = self.count[batch.row_of] + batch.step_of + 1
        due = np.flatnonzero(number % self.every == 0)
        self.count[batch.rows] += batch.counts
        results = []
        for index in due.tolist():
            row = int(batch.row_of[index])
            results.append(self._one(row, index, int(batch.time[index]), float(health[index])))
        return results

    def _one(self, row: int, index: int, time: int, health: float) -> PrognosisResult:
        w, t, tt, h, th, hh, ww = self.sums[row].tolist()
        shift = (time - int(self.last[row])) / _HOUR if w > 0 else 0.0
        tt += shift * (shift * w - 2.0 * t)
        th -= shift * h
        t -= shift * w
        keep = self.keep
        w, t, tt, h, th, hh, ww = (
            w * keep + 1.0,
            t * keep,
            tt * keep,
            h * keep + health,
            th * keep,
            hh * keep + health * health,
            ww * keep * keep + 1.0,
        )
        self.sums[row] = w, t, tt, h, th, hh, ww
        self.last[row] = time
        nothing = PrognosisResult(row, index, time, health, self.threshold, None, None, None)
        effective = w * w / ww
        spread = tt - t * t / w
        if effective < 8.0 or spread <= 0.0:
            return nothing
        slope = (th - t * h / w) / spread
        level = (h - slope * t) / w  # of the line, now
        rest = max(0.0, (hh - h * h / w) - slope * slope * spread) / w * effective / (effective - 2.0)
        error = (rest / spread * w / effective) ** 0.5
        if slope >= 0.0 or slope + _Z * error >= 0.0:
            return nothing
        room = max(0.0, level - self.threshold)
        remaining = room / -slope
        if remaining > self.horizon:
            return nothing
        margin = _Z * rest**0.5
        low = max(0.0, room - margin) / -(slope - _Z * error)
        high = (room + margin) / -(slope + _Z * error)
        return PrognosisResult(row, index, time, health, self.threshold, remaining, low, high)

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self.count = grown(self.count, capacity)
        self.last = grown(self.last, capacity)
        self.sums = grown(self.sums, capacity)

    def reset(self, row: int, seed: int) -> None:
        """Forget the trend of ``row``."""
        self.count[row] = 0
        self.last[row] = 0
        self.sums[row] = 0.0

    def dump(self, row: int) -> State:
        """Reading count, last time and the sums."""
        return {
            "count": np.array([self.count[row], self.last[row]]),
            "sums": self.sums[row].copy(),
        }

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave."""
        if state["sums"].shape != self.sums[row].shape:
            raise ValueError(f"saved trend has {state['sums'].shape}, this one {self.sums[row].shape}")
        self.count[row], self.last[row] = state["count"].tolist()
        self.sums[row] = state["sums"]
