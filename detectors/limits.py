"""Fixed limits of sensors, alarmed with delays and deadband."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.batch import Batch, Bools, Floats
from detectors.recurrence import held, latched
from detectors.table import Column, FleetTable


@dataclass(frozen=True, slots=True)
class Limit:
    """A value that sensor column ``sensor`` must stay under (``above``: True) or over (False).

    The alarm ends when the value is back by ``deadband`` (in the sensor's unit).
    """

    sensor: int
    name: str
    value: float
    above: bool = True
    severity: int = 3
    deadband: float = 0.0


@dataclass(frozen=True, slots=True)
class LimitTransition:
    """A limit is crossed for good (``raised``), or the value is back; times in ms, ``onset`` the crossing."""

    row: int
    index: int
    limit: Limit
    raised: bool
    onset: int
    time: int
    value: float


class FleetLimits(FleetTable):
    """Compares sensors with fixed limits, with delays as of ISA-18.2.

    A limit is alarmed when the value was over it for ``on_delay`` ms and ``min_readings`` readings in a
    row, and cleared when it was back, by the deadband, for ``off_delay`` ms. Missing values change
    nothing.
    """

    def __init__(
        self, limits: tuple[Limit, ...], on_delay: int = 0, off_delay: int = 0, min_readings: int = 1
    ) -> None:
        each = (len(limits),)
        super().__init__(
            {
                "over": Column(each, 0),
                "over_since": Column(each, 0),
                "back": Column(each, 0),
                "back_since": Column(each, 0),
                "raised": Column(each, False),
                "onset": Column(each, 0),
            }
        )
        self.limits = limits
        self.on_delay, self.off_delay, self.min_readings = on_delay, off_delay, min_readings
        self._sensor = np.array([one.sensor for one in limits], dtype=np.int64)
        self._sign = np.array([1.0 if one.above else -1.0 for one in limits])
        self._limit = np.array([one.value for one in limits])
        self._deadband = np.array([one.deadband for one in limits])

    def check(self, batch: Batch) -> list[LimitTransition]:
        """Which limits were crossed, and which values came back, in the batch's order."""
        if not self.limits or not len(batch):
            return []
        rows, time = batch.rows, batch.time[:, None]
        excess: Floats = (batch.x[:, self._sensor] - self._limit) * self._sign
        over, back = excess >= 0.0, excess < -self._deadband
        before: Bools = self["raised"][rows]
        if not (over.any() or before.any() or self["over"][rows].any()):  # nearly always
            return []
        number, since = held(batch, over, excess < 0.0, self["over"][rows], self["over_since"][rows])
        backs, back_since = held(batch, back, over, self["back"][rows], self["back_since"][rows])
        on = over & (number >= self.min_readings) & (time - since >= self.on_delay)
        off = back & (backs > 0) & (time - back_since >= self.off_delay)
        raised = latched(batch, on, off, before)
        found = self._transitions(batch, raised, before, since)
        some = batch.counts > 0
        last = (batch.starts + batch.counts - 1)[some]
        self["over"][rows[some]] = number[last]
        self["over_since"][rows[some]] = since[last]
        self["back"][rows[some]] = np.where(raised[last], backs[last], 0)
        self["back_since"][rows[some]] = np.where(raised[last], back_since[last], 0)
        self["raised"][rows[some]] = raised[last]
        return found

    def _transitions(
        self,
        batch: Batch,
        raised: Bools,
        before: Bools,
        since: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    ) -> list[LimitTransition]:
        first = (batch.step_of == 0)[:, None]
        was = np.where(first, before[batch.column_of], np.roll(raised, 1, axis=0))
        found = []
        for index, number in np.argwhere(raised != was).tolist():
            row, limit = int(batch.row_of[index]), self.limits[number]
            if raised[index, number]:
                self["onset"][row, number] = since[index, number]
            found.append(
                LimitTransition(
                    row,
                    index,
                    limit,
                    bool(raised[index, number]),
                    int(self["onset"][row, number]),
                    int(batch.time[index]),
                    float(batch.x[index, limit.sensor]),
                )
            )
        return found
