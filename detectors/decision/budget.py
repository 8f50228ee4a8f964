"""Keep false alarms within a budget, whatever the scores are like: adaptive conformal inference.

Gibbs & Candès, "Adaptive conformal inference under distribution shift", NeurIPS 2021: every alarm makes the
machine less sensitive by a step, every day without one gives a little back; in the long run the alarms are
then as many as the budget allows, without any assumption about the data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np

from detectors.batch import Batch, Floats, Ints
from detectors.compiled import compiled
from detectors.table import Column, KernelTable

#: Evidence −ln(1 − score) up to here is left as it is: only what could alarm is stretched.
_BODY = -math.log(0.1)
#: The largest κ of a detector that keeps its false alarms few by itself.
_MOST_THRIFTY = 2.0


class _Budget(NamedTuple):
    log: Annotated[Floats, Column(("detectors",))]  # ln κ
    owed: Annotated[Floats, Column(("detectors",))]  # alarms since `since`, by who raised them
    latest: Annotated[Floats, Column(("detectors",))]  # who raised the latest
    since: Annotated[Ints, Column((), -1)]


class FleetBudget(KernelTable[_Budget]):
    """Allows one alarm in ``days`` days a machine.

    A detector's evidence beyond the common is divided by a factor κ ≥ 1 of the machine. An alarm multiplies κ
    by e^``step`` (split among the detectors by who raised it), at most to ``most``: no machine grows deaf.
    ``days`` without one divide it by as much again. An alarm that a crew confirms is no error, and is
    taken back: see `credit`. So a detector that does not suit a machine loses its say there.

    ``thrifty`` (detectors,) marks detectors that keep their false alarms few by themselves: their alarms cost
    nothing, only what a crew calls false does, and less than for the others.
    """

    def __init__(
        self,
        detectors: int,
        days: float = 30.0,
        step: float = 0.5,
        most: float = 6.0,
        thrifty: Sequence[bool] | None = None,
    ) -> None:
        super().__init__(_Budget, detectors=detectors)
        own = np.zeros(detectors, dtype=np.bool_) if thrifty is None else np.array(thrifty, dtype=np.bool_)
        self._cost = np.where(own, 0.0, 1.0)
        self._most = np.full(detectors, math.log(most))
        self._most[own] = math.log(min(most, _MOST_THRIFTY))
        self._columns["latest"] = Column(("detectors",), 1.0 / detectors)
        self.per_ms = step / (days * 86_400_000)
        self.step = step

    def apply(self, batch: Batch, scores: Floats) -> Floats:
        """Scores (n, d) with the machines' sensitivity applied. NaN stays NaN."""
        out = scores.copy()
        _apply(self.columns, batch.rows, batch.starts, batch.counts, out)
        return out

    def count(self, row: int, shares: Floats) -> None:
        """An alarm was raised for ``row``; ``shares`` (d,) say by which detectors."""
        self["owed"][row] += shares * self._cost
        self["latest"][row] = shares

    def settle(self, rows: Ints, time: Ints) -> None:
        """At ``time`` (m,) of ``rows`` (m,): let what has happened since the last time take effect."""
        _settle(self.columns, rows, time, self.step, self.per_ms, self._most)

    def debit(self, row: int) -> None:
        """A crew calls the machine's latest alarm false: it costs a second step, within the same bound."""
        self._pay(row, self.step)

    def credit(self, row: int) -> None:
        """A crew confirmed the machine's latest alarm: give back what it cost."""
        self._pay(row, -self.step)

    def _pay(self, row: int, step: float) -> None:
        self["log"][row] = np.clip(self["log"][row] + step * self["latest"][row], 0.0, self._most)


@compiled
def _apply(of: _Budget, rows: Ints, starts: Ints, counts: Ints, scores: Floats) -> None:
    logs = of.log
    for m in range(len(rows)):
        for detector in range(scores.shape[1]):
            log = logs[rows[m], detector]
            if log <= 0:
                continue
            for i in range(starts[m], starts[m] + counts[m]):
                if scores[i, detector] > 0.9:
                    evidence = -np.log1p(-scores[i, detector])
                    scores[i, detector] = -np.expm1(-(_BODY + (evidence - _BODY) / np.exp(log)))


@compiled
def _settle(of: _Budget, rows: Ints, time: Ints, step: float, per_ms: float, most: Floats) -> None:
    logs, owed, since = of.log, of.owed, of.since
    for m in range(len(rows)):
        row = rows[m]
        back = per_ms * (time[m] - since[row]) if since[row] >= 0 else 0.0
        for detector in range(logs.shape[1]):
            log = logs[row, detector] + step * owed[row, detector] - back
            logs[row, detector] = min(max(log, 0.0), most[detector])
            owed[row, detector] = 0.0
        since[row] = time[m]
