"""How much of a machine's days and weeks was seen: its model cannot know the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

import numpy as np

from pipeline.cause import Cause
from pipeline.records import Ints

HOUR, DAY = 3_600_000, 86_400_000
#: Days of readings that show a machine's daily rhythm, and its weekly one.
DAILY, WEEKLY = 2, 7
_HOURS = 24
#: Hours that are night, in the plant's own time.
_NIGHT = frozenset((20, 21, 22, 23, 0, 1, 2, 3, 4, 5))


@dataclass(slots=True)
class Seen:
    """When readings of one machine were seen: ``first`` and ``last`` (event time, ms UTC; -1 = none yet).

    ``hours`` are those of its first week that hold a reading, counted from 1970 UTC.

    >>> one = Seen()
    >>> one.add(np.arange(22 * HOUR, 30 * HOUR, HOUR // 4))
    >>> [str(cause) for cause in one.wanting()]
    ['seen 8 of at least 48 hours', 'night only, 22 to 6 o’clock']
    """

    first: int = -1
    last: int = -1
    hours: set[int] = field(default_factory=set)

    def add(self, time: Ints) -> None:
        """Take in readings, (n,) in order, later than those before."""
        if not len(time):
            return
        if self.first < 0:
            self.first = int(time[0])
        self.last = max(self.last, int(time[-1]))
        if int(time[0]) < self.first + WEEKLY * DAY:
            self.hours.update(np.unique(time[time < self.first + WEEKLY * DAY] // HOUR).tolist())

    def wanting(self, zone: tzinfo = UTC) -> list[Cause]:
        """What was not seen yet, as codes with values; hours of the day are ``zone``'s. Empty = enough."""
        if self.first < 0:
            return []
        span = self.last - self.first
        if span < DAILY * DAY:
            hours = min(len(self.hours), round(span / HOUR) or 1)
            return [Cause("seen.hours", hours=hours, wanted=DAILY * _HOURS), *self._part_of_day(zone)]
        if span < WEEKLY * DAY:
            return [Cause("seen.days", days=span // DAY, wanted=WEEKLY), *self._part_of_day(zone)]
        return []

    def _part_of_day(self, zone: tzinfo) -> list[Cause]:
        """Which hours of the day were seen, if a third of it or more never was."""
        of_day = {datetime.fromtimestamp(hour * 3600, zone).hour for hour in self.hours}
        if len(of_day) > _HOURS * 2 // 3:
            return []
        # the longest stretch without a reading, round midnight too: what was seen is the rest
        unseen = [_run_from(hour, of_day) for hour in range(_HOURS)]
        start = (unseen.index(max(unseen)) + max(unseen)) % _HOURS
        end = (start + _HOURS - max(unseen)) % _HOURS
        code = "seen.night" if of_day <= _NIGHT else "seen.part"
        return [Cause(code, start=start, end=end)]


def _run_from(hour: int, of_day: set[int]) -> int:
    """How many hours from ``hour`` on were not seen."""
    return next((n for n in range(_HOURS) if (hour + n) % _HOURS in of_day), _HOURS)
