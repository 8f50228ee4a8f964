"""Serial dates of spreadsheets: days since 1899-12-30, with the time of day as their fraction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

import numpy as np

from connectors.csv.times import Times
from connectors.csv.wall_clock import WallClock
from pipeline.records import Ints

#: 1980 to 2100: numbers of this size may be such dates.
FIRST_SERIAL, LAST_SERIAL = 29_221, 73_051
_DAY_0, _DAY = -2_209_161_600_000, 86_400_000
#: Written with few digits, a whole second comes out within so many ms.
_NEAR = 5


class SerialTimes(Times):
    """Days since 1899-12-30 in ``zone``."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self.title = f"days since 1899-12-30 (a spreadsheet's), {zone}"
        self._clock = WallClock(zone)

    def fresh(self) -> Times:
        """The same, at the beginning of a file."""
        return SerialTimes(self.zone)

    def _many(self, cells: Sequence[str]) -> Ints:
        days = np.array([float(cell.replace(",", ".")) for cell in cells])
        if not np.isfinite(days).all() or (np.abs(days) > 200_000).any():
            raise ValueError("no days")
        ms = np.floor(days * _DAY + 0.5).astype(np.int64)
        seconds = (ms + 500) // 1000 * 1000
        ms = np.where(np.abs(ms - seconds) <= _NEAR, seconds, ms)
        return self._clock.to_utc(ms + _DAY_0)
