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

    A detector's evidence beyond the common is divided by a factor κ ≥ 1 of the machine. An alarm multiplies κ
    by e^``step`` (split among the detectors by who raised it), at most to ``most``: no machine grows deaf.
    ``days`` without one divide it by as much again. An alarm that a crew confirms is no error, and is
    taken back: see `credit`. So a detector that does not suit a machine loses its say there.
    """

    def __init__(self, detectors: int, days: float = 30.0, step: float = 0.5, most: float = 6.0) -> None:
        each = (detectors,)
        super().__init__(
            {
                "log": Column(each),  # ln κ
                "owed": Column(each),  # alarms since `since`, by who raised them
                "latest": Column(each, 1.0 / detectors),  # who raised the latest
                "since": Column((), -1),
            }
        )
        self.per_ms = step / (days * 86_400_000)
        self.step, self.most = step, float(np.log(most))

    def apply(self, batch: Batch, scores: Floats) -> Floats:
        """Scores (n, d) with the machines' sensitivity applied. NaN stays NaN."""
        log = self["log"][batch.row_of]
        hit = (log > 0) & (scores > 0.9)
        if not hit.any():
            return scores
        evidence = -np.log1p(-scores[hit])
        out = scores.copy()
        out[hit] = -np.expm1(-(_BODY + (evidence - _BODY) / np.exp(log[hit])))
        return out

    def count(self, row: int, shares: Floats) -> None:
        """An alarm was raised for ``row``; ``shares`` (d,) say by which detectors."""
        self["owed"][row] += shares
        self["latest"][row] = shares

    def settle(self, rows: Ints, time: Ints) -> None:
        """At ``time`` (m,) of ``rows`` (m,): let what has happened since the last time take effect."""
        since = np.where(self["since"][rows] < 0, time, self["since"][rows])
        back = self.per_ms * (time - since)
        log = self["log"][rows] + self.step * self["owed"][rows] - back[:, None]
        self["log"][rows] = np.clip(log, 0.0, self.most)
        self["owed"][rows] = 0
        self["since"][rows] = time

    def debit(self, row: int) -> None:
        """A crew calls the machine's latest alarm false: it costs a second step, within the same bound."""
        self._pay(row, self.step)

    def credit(self, row: int) -> None:
        """A crew confirmed the machine's latest alarm: give back what it cost."""
        self._pay(row, -self.step)

    def _pay(self, row: int, step: float) -> None:
        self["log"][row] = np.clip(self["log"][row] + step * self["latest"][row], 0.0, self.most)
