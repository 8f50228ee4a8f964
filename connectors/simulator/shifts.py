"""How busy the plant is: three shifts on weekdays, little at weekends, breaks; Korean time."""

from __future__ import annotations

import numpy as np

from pipeline.records import Floats, Ints

HOUR = 3_600_000
DAY = 24 * HOUR
WEEK = 7 * DAY

#: Gwangju is nine hours ahead of UTC and has no summer time.
LOCAL = 9 * HOUR

_RAMP = 0.2  # hours that people take to start and to stop


# (hour of the day, activity from then on): night, day shift, its meal, evening shift, its meal.
_WEEKDAY = [(0.0, 0.55), (6.5, 1.0), (12.0, 0.5), (12.75, 1.0), (15.0, 0.95), (19.0, 0.5), (19.75, 0.95)]
_DAYS = [[*_WEEKDAY, (23.5, 0.55)]] * 5 + [[(6.5, 0.6), (15.0, 0.35)], [(6.5, 0.25), (20.0, 0.3)]]


def _week() -> tuple[Floats, Floats]:
    """Hours since Monday 0:00 and the activity at them, with ramps from one level to the next."""
    spans = [(24 * day + hour, level) for day, spans in enumerate(_DAYS) for hour, level in spans]
    before = [spans[-1][1], *[level for _, level in spans[:-1]]]
    starts, levels = np.array([hour for hour, _ in spans]), np.array([level for _, level in spans])
    return np.ravel([starts, starts + _RAMP], order="F"), np.ravel([before, levels], order="F")


_HOURS, _LEVELS = _week()


def activity(time: Ints) -> Floats:
    """0..1: how much of the plant works at ``time`` (n,) ms UTC.

    >>> tuesday = np.array([1_764_050_400_000])  # 2025-11-25 15:00 in Korea
    >>> activity(tuesday - 5 * HOUR).tolist()
    [1.0]
    """
    # 1970-01-01 was a Thursday: the week begins on Monday the 5th.
    hour = ((time + LOCAL - 4 * DAY) % WEEK) / HOUR
    return np.interp(hour, _HOURS, _LEVELS, period=7 * 24)
