"""When a crew is at work, or wants quiet: hours of the week in a time zone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(?:(\S+)\s+)?(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)")
_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """From ``start`` until ``end`` (minutes after the midnight of a day in ``days``; 0 = Monday)."""

    days: frozenset[int]
    start: int
    end: int

    def covers(self, now: datetime) -> bool:
        """Whether local time ``now`` lies within."""
        minute = now.hour * 60 + now.minute
        yesterday = (now - timedelta(days=1)).weekday()
        return (now.weekday() in self.days and self.start <= minute < self.end) or (
            yesterday in self.days and minute + _DAY < self.end
        )


def parse_hours(text: str) -> Hours:
    """Read hours of the week.

    >>> parse_hours("mon-fri 22:00-06:00").covers(datetime(2026, 1, 10, 5, 59))  # a Saturday morning
    True
    >>> parse_hours("06:00-14:00").covers(datetime(2026, 1, 10, 14, 0))
    False

    Raises ValueError with an example.
    """
    match = _HOURS.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f'{text!r} are no hours; write for example "mon-fri 06:00-14:00" or "22:00-06:00"')
    days, h1, m1, h2, m2 = match.groups()
    start, end = int(h1) * 60 + int(m1), int(h2) * 60 + int(m2)
    if start >= _DAY or end > _DAY or int(m1) > 59 or int(m2) > 59:
        raise ValueError(f"{text!r}: a time is past 24:00")
    if end <= start:
        end += _DAY
    return Hours(_days(days, text), start, end)


def _days(text: str | None, whole: str) -> frozenset[int]:
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last and last not in DAYS):
            raise ValueError(f"{whole!r}: days are {', '.join(DAYS)}, as mon-fri or sat,sun")
        a = DAYS.index(first)
        b = DAYS.index(last) if last else a
        found |= {day % 7 for day in range(a, (b if b >= a else b + 7) + 1)}
    return frozenset(found)


def covers(hours: Iterable[str], now: int, zone: tzinfo) -> bool:
    """Whether any of ``hours`` covers ``now`` (ms UTC) in ``zone``."""
    local = datetime.fromtimestamp(now / 1000, zone)
    return any(parse_hours(hour).covers(local) for hour in hours)
