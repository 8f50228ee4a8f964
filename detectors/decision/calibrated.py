"""In a calibrator's place, for detectors whose raw score is calibrated by themselves."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.base import FleetState, State
from detectors.batch import Batch, Floats, Ints

LARGEST_SCORE = 1 - 1e-15


class FleetCalibrated(FleetState):
    """Turns −ln(1 − score) into the score; what is healthy is the detector's own business.

    >>> batch = Batch(np.array([0]), np.array([2]), np.arange(2), np.zeros((2, 1)))
    >>> FleetCalibrated().score(batch, np.array([0.0, np.log(1000)])).round(4).tolist()
    [0.0, 0.999]
    """

    loads_whole: ClassVar[bool] = True
    size: ClassVar[int] = 0

    def learn(self, batch: Batch, raw: Floats) -> None:
        """Nothing is to be learned."""

    def quicken(self, rows: Ints) -> None:
        """Nothing is to be learned sooner."""

    def score(self, batch: Batch, raw: Floats) -> Floats:
        """Scores (n,) of raw scores (n,). NaN stays NaN."""
        return np.minimum(-np.expm1(-raw), LARGEST_SCORE)

    def evidence(self, batch: Batch, raw: Floats, most: float) -> Floats:
        """(m,) as that of `FleetCalibrator`: NaN, for what drifts is not followed."""
        return np.full(len(batch.rows), np.nan)

    def resize(self, capacity: int) -> None:
        """Nothing is kept."""

    def reset(self, row: int, seed: int) -> None:
        """Nothing is kept."""

    def dump(self, row: int) -> State:
        """No healthy scores."""
        return {"kept": np.zeros(0)}

    def load(self, row: int, state: State) -> None:
        """Nothing is kept."""
