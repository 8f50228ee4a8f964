"""Fixed limits of sensors, alarmed with delays and deadband."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import Annotated, NamedTuple

import numpy as np

from detectors.batch import Batch, Bools, Floats, Ints
from detectors.compiled import compiled
from detectors.table import Column, KernelTable

_EACH = ("limits",)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitTransition:
    """A limit is crossed for good (``raised``), or the value is back; times in ms, ``onset`` the crossing."""

    row: int
    index: int
    limit: Limit
    raised: bool
    onset: int
    time: int
    value: float


class Crossings(NamedTuple):
    """Columns of `FleetLimits`: how often and since when (ms) values are over limits, or back."""

    over: Annotated[Ints, Column(_EACH, 0)]  # readings
    over_since: Annotated[Ints, Column(_EACH, 0)]
    back: Annotated[Ints, Column(_EACH, 0)]
    back_since: Annotated[Ints, Column(_EACH, 0)]
    raised: Annotated[Bools, Column(_EACH, False)]
    onset: Annotated[Ints, Column(_EACH, 0)]


class Rules(NamedTuple):
    """The limits as arrays: the sensor, 1 or -1 for above or below, the value, and the deadband."""

    sensor: Ints
    sign: Floats
    value: Floats
    deadband: Floats


class FleetLimits(KernelTable[Crossings]):
    """Compares sensors with fixed limits, with delays as of ISA-18.2.

    A limit is alarmed when the value was over it for ``on_delay`` ms and ``min_readings`` readings in a
    row, and cleared when it was back, by the deadband, for ``off_delay`` ms. Missing values change
    nothing.
    """

    def __init__(
        self, limits: tuple[Limit, ...], on_delay: int = 0, off_delay: int = 0, min_readings: int = 1
    ) -> None:
        super().__init__(Crossings, limits=len(limits))
        self.limits = limits
        self.on_delay, self.off_delay, self.min_readings = on_delay, off_delay, min_readings
        self.rules = Rules(
            sensor=np.array([limit.sensor for limit in limits], dtype=np.int64),
            sign=np.array([1.0 if limit.above else -1.0 for limit in limits]),
            value=np.array([limit.value for limit in limits]),
            deadband=np.array([limit.deadband for limit in limits]),
        )

    def check(self, batch: Batch) -> list[LimitTransition]:
        """Which limits were crossed, and which values came back, in the batch's order."""
        x = np.ascontiguousarray(batch.x)
        delays = (self.on_delay, self.off_delay, self.min_readings)
        told = compare(self.columns, self.rules, *delays, batch.rows, batch.counts, batch.time, x)
        return [
            LimitTransition(
                row=int(batch.row_of[index]),
                index=index,
                limit=self.limits[number],
                raised=bool(raised),
                onset=onset,
                time=int(batch.time[index]),
                value=float(x[index, self.limits[number].sensor]),
            )
            for index, number, raised, onset in told
        ]

    def raised_of(self, rows: Ints) -> Ints:
        """(m,) how many limits are raised on each of the machines in ``rows``."""
        count: Ints = self.columns.raised[rows].sum(axis=1)
        return count


def standing(batch: Batch, before: Ints, changes: list[LimitTransition]) -> Bools:
    """(n,) whether a limit is raised at each reading.

    ``before`` (m,): how many were at the batch's beginning; ``changes``: what `FleetLimits.check` told.
    """
    step = np.zeros(len(batch) + 1, dtype=np.int64)
    for change in changes:
        step[change.index] += 1 if change.raised else -1
    since_all = np.cumsum(step)
    at_start = since_all[batch.starts] - step[batch.starts]
    raised: Bools = (before - at_start)[batch.column_of] + since_all[:-1] > 0
    return raised


@compiled
def compare(
    of: Crossings,
    rules: Rules,
    on_delay: int,
    off_delay: int,
    min_readings: int,
    rows: Ints,
    counts: Ints,
    time: Ints,
    x: Floats,
) -> list[tuple[int, int, int, int]]:
    """The kernel of `FleetLimits.check`: (reading, limit, whether it is raised, onset) of what changes."""
    over, over_since, back, back_since = of.over, of.over_since, of.back, of.back_since
    raised, onset = of.raised, of.onset
    told = [(0, 0, 0, 0)]
    told.clear()
    stop = 0
    for m in range(len(rows)):
        row = rows[m]
        start, stop = stop, stop + counts[m]
        for i in range(start, stop):
            for j in range(len(rules.value)):
                excess = (x[i, rules.sensor[j]] - rules.value[j]) * rules.sign[j]
                if isnan(excess):
                    continue
                if excess >= 0.0:
                    if over[row, j] == 0:
                        over_since[row, j] = time[i]
                    over[row, j] += 1
                    back[row, j], back_since[row, j] = 0, 0
                    long = time[i] - over_since[row, j] >= on_delay and over[row, j] >= min_readings
                    if long and not raised[row, j]:
                        raised[row, j], onset[row, j] = True, over_since[row, j]
                        told.append((i, j, 1, onset[row, j]))
                    continue
                over[row, j], over_since[row, j] = 0, 0
                if raised[row, j] and excess < -rules.deadband[j]:
                    if back[row, j] == 0:
                        back_since[row, j] = time[i]
                    back[row, j] += 1
                    if time[i] - back_since[row, j] >= off_delay:
                        raised[row, j], back[row, j], back_since[row, j] = False, 0, 0
                        told.append((i, j, 0, onset[row, j]))
    return told
