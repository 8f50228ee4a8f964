"""Health of a machine, 0 (at its end) to 100 (as new): slow, from how surprising its readings stay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.base import FleetState, State, grown
from detectors.batch import Batch, Floats
from detectors.recurrence import smoothed

#: A calibrated score of s stands for a surprise of -ln(1-s), whose mean is 1 on a healthy machine.
_CAP = 7.0


class FleetHealth(FleetState):
    """Health from smoothed surprise (ISO 13374 HA).

    The surprise of a calibrated score, -ln(1 - score), is exponential with mean 1 while the machine is
    healthy; its exponentially weighted mean over ``span`` readings rises with lasting damage and falls
    again after a repair. Health is 100 up to a mean of ``slack`` and 0 at the most that a score can say.
    """

    def __init__(self, span: float = 64.0, slack: float = 1.6) -> None:
        self.weight = 1.0 / span
        self.slack = slack
        self.surprise = np.ones(0)

    def update(self, batch: Batch, score: Floats, state: NDArray[np.uint8]) -> Floats:
        """Health (n,) after each reading. ``score`` (n,), NaN = not known; ``state`` (n,)."""
        with np.errstate(divide="ignore"):
            surprise = np.minimum(-np.log1p(-score), _CAP)
        mean = smoothed(batch, surprise, self.surprise[batch.rows], self.weight)
        some = batch.counts > 0
        self.surprise[batch.rows[some]] = mean[(batch.starts + batch.counts - 1)[some]]
        health: Floats = 100.0 * np.clip((_CAP - mean) / (_CAP - self.slack), 0.0, 1.0)
        return health

    def resize(self, capacity: int) -> None:
        """Make room for ``capacity`` machines."""
        self.surprise = grown(self.surprise, capacity, fill=1.0)

    def reset(self, row: int, seed: int) -> None:
        """A machine as new."""
        self.surprise[row] = 1.0

    def dump(self, row: int) -> State:
        """The smoothed surprise."""
        return {"surprise": self.surprise[row : row + 1].copy()}

    def load(self, row: int, state: State) -> None:
        """Take up what `dump` gave."""
        if state["surprise"].shape != (1,):
            raise ValueError(f"saved health has shape {state['surprise'].shape}, not (1,)")
        self.surprise[row] = state["surprise"][0]
