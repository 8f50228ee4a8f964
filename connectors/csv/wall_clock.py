"""Times of a clock on the wall to UTC, with the hour that comes twice when clocks are set back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

import numpy as np

from pipeline.records import Ints

_EPOCH = datetime(1970, 1, 1)
_MS = timedelta(milliseconds=1)
_HOUR = 3_600_000
#: A step against the file's direction by so much (ms), within the hour that comes twice, is its other coming.
_BACK = 600_000


@lru_cache(maxsize=1 << 16)
def _offsets(hour: int, zone: tzinfo) -> tuple[int, int]:
    """The zone's offset (ms) in an hour of the wall's clock: as it comes first, and second."""
    moment = (_EPOCH + timedelta(hours=hour)).replace(tzinfo=zone)
    first, second = moment.utcoffset(), moment.replace(fold=1).utcoffset()
    return (first or timedelta()) // _MS, (second or timedelta()) // _MS


class WallClock:
    """Reads a file's times in its order, which tells the two comings of an hour apart."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self._before: int | None = None
        self._second = self._backwards = False

    def to_utc(self, local: Ints) -> Ints:
        """``local`` (n,) ms since 1970 by the wall's clock, as ms UTC; the next ones go on from here.

        >>> from zoneinfo import ZoneInfo
        >>> hour = 1_792_893_600_000  # 2026-10-25 02:00 on the wall, which comes twice
        >>> clock = WallClock(ZoneInfo("Europe/Berlin"))
        >>> np.diff(clock.to_utc(np.array([hour, hour + 1_800_000, hour, hour + 1_800_000]))).tolist()
        [1800000, 1800000, 1800000]
        """
        if self.zone is UTC or not len(local):
            return local
        hours, which = np.unique(local // _HOUR, return_inverse=True)
        first, second = np.array([_offsets(int(hour), self.zone) for hour in hours], dtype=np.int64).T
        # when clocks are set forward the two differ as well, in an hour that never comes
        twice = (first > second)[which]
        out: Ints = local - first[which]
        for i in np.flatnonzero(twice).tolist():
            before = int(local[i - 1]) if i else self._before
            if self._is_second(before, int(local[i]), within=bool(i and twice[i - 1])):
                out[i] = local[i] - second[which[i]]
        self._before = int(local[-1])
        return out

    def _is_second(self, before: int | None, now: int, *, within: bool) -> bool:
        if before is None:
            self._second = self._backwards = False
        elif not (within or before // _HOUR == now // _HOUR):
            self._second = self._backwards = before > now
        elif self._backwards and now >= before + _BACK:
            self._second = False
        elif not self._backwards and now <= before - _BACK:
            self._second = True
        return self._second
