"""Keep false alarms within a budget, whatever the scores are like: adaptive conformal inference.

Gibbs & Candès, "Adaptive conformal inference under distribution shift", NeurIPS 2021: every alarm makes the
machine less sensitive by a step, every day without one gives a little back; in the long run the alarms are
then as many as the budget allows, without any assumption about the data.
"""

from __future__ import annotations

import numpy as np

from detectors.batch import Batch, Floats, Ints
from detectors.table import Column, FleetTable

#: Evidence −ln(1 − score) up to here is left as it is: only what could alarm is stretched.
_BODY = -np.log(0.1)


class FleetBudget(FleetTable):
    """Allows one alarm in ``days`` days a machine.

    A machine's evidence beyond the common is divided by a factor κ ≥ 1. An alarm multiplies κ by e^``step``,
    at most to ``most`` (no machine grows deaf); ``days`` without one divide it by as much again. An alarm
    that a crew confirms is no error, and is taken back: see `credit`.
    """

    def __init__(self, days: float = 30.0, step: float = 0.3, most: float = 6.0) -> None:
        super().__init__({"log": Column(), "alarms": Column((), 0), "since": Column((), -1)})
        self.per_ms = step / (days * 86_400_000)
        self.step, self.most = step, float(np.log(most))

    def apply(self, batch: Batch, score: Floats) -> Floats:
        """Scores (n,) with the machines' sensitivity applied. NaN stays NaN."""
        log = self["log"][batch.row_of]
        hit = (log > 0) & (score > 0.9)
        if not hit.any():
            return score
        evidence = -np.log1p(-score[hit])
        out = score.copy()
        out[hit] = -np.expm1(-(_BODY + (evidence - _BODY) / np.exp(log[hit])))
        return out

    def count(self, row: int) -> None:
        """An alarm was raised for ``row``."""
        self["alarms"][row] += 1

    def settle(self, rows: Ints, time: Ints) -> None:
        """At ``time`` (m,) of ``rows`` (m,): let what has happened since the last time take effect."""
        since = np.where(self["since"][rows] < 0, time, self["since"][rows])
        back = self.per_ms * (time - since)
        log = self["log"][rows] + self.step * self["alarms"][rows] - back
        self["log"][rows] = np.clip(log, 0.0, self.most)
        self["alarms"][rows] = 0
        self["since"][rows] = time

    def debit(self, row: int) -> None:
        """A crew calls the machine's latest alarm false: it costs a second step, within the same bound."""
        self["log"][row] = min(self.most, float(self["log"][row]) + self.step)

    def credit(self, row: int) -> None:
        """A crew confirmed the machine's latest alarm: give back what it cost."""
        self["log"][row] = max(0.0, float(self["log"][row]) - self.step)
