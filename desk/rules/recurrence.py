"""How often an alarm comes back and how it grows: it rises in priority until somebody says what it was."""

from __future__ import annotations

from math import sqrt

import msgspec

from pipeline.priority import Priority, priority_of
from pipeline.records import AlarmEvent, AlarmKind

#: This many episodes of a point are kept, and none older than a week before the last (ms, event time).
KEPT = 20
WITHIN = 7 * 86_400_000
#: Raises less than this after one another (ms) are one episode: what chatters does not thereby come often.
APART = 600_000
#: Growth from the first level to the last that is no growth, whatever its statistics say.
LEAST_GROWTH = 1.2
#: One-sided 5 % of the normal distribution: how sure the trend has to be.
CERTAIN = 1.645


class Episode(msgspec.Struct, frozen=True, array_like=True):
    """A raise of a point at event time ``time`` (ms UTC).

    ``level`` says how far off ``sensor`` was: standard deviations from the expected value for a condition,
    the value for a fixed limit (mirrored at a lower one, so that more is worse); None = not known.
    """

    time: int
    sensor: str
    level: float | None


class Recurrence(msgspec.Struct, frozen=True, kw_only=True):
    """What a point's episodes say: ``count`` of them since ``since`` (event time, ms UTC).

    ``growth`` is the last level over the first, None without a trend; ``sensor`` is whose level grows.
    """

    count: int
    since: int
    growth: float | None = None
    sensor: str = ""


def episode_of(event: AlarmEvent) -> Episode | None:
    """What ``event``, a raise, adds; None for a sensor's trouble, whose return makes no machine worse."""
    if event.kind is AlarmKind.QUALITY:
        return None
    if event.kind is AlarmKind.LIMIT:
        level = event.value
        if level is not None and event.limit is not None and level < event.limit:
            level = 2 * event.limit - level
        return Episode(event.time, event.sensor or "", level)
    worst = max(event.contributions, key=lambda one: one.share, default=None)
    if worst is None:
        return Episode(event.time, "", None)
    return Episode(event.time, worst.sensor, None if worst.deviation is None else abs(worst.deviation))


def add(episodes: tuple[Episode, ...], event: AlarmEvent) -> tuple[Episode, ...]:
    """``episodes`` with ``event``, a raise, in the order of event time; two in one keep the higher level."""
    new = episode_of(event)
    if new is None:
        return episodes
    found: list[Episode] = []
    for one in sorted((*episodes, new), key=lambda each: each.time):
        last = found[-1] if found else None
        if last is not None and last.sensor == one.sensor and one.time - last.time < APART:
            levels = [each for each in (last.level, one.level) if each is not None]
            found[-1] = Episode(last.time, last.sensor, max(levels, default=None))
        else:
            found.append(one)
    return tuple(one for one in found if one.time > found[-1].time - WITHIN)[-KEPT:]


def recurrence(episodes: tuple[Episode, ...]) -> Recurrence | None:
    """How often and how much worse; None without episodes.

    >>> recurrence(tuple(Episode(k, "vibration", 4.0 + k) for k in range(4)))
    Recurrence(count=4, since=0, growth=1.75, sensor='vibration')
    >>> recurrence(tuple(Episode(k, "vibration", 4.0) for k in range(4))).growth is None
    True
    """
    if not episodes:
        return None
    sensor = episodes[-1].sensor
    levels = [episode.level for episode in episodes if episode.sensor == sensor and episode.level is not None]
    grows = len(levels) > 1 and levels[0] > 0 and rises(levels) and levels[-1] / levels[0] >= LEAST_GROWTH
    return Recurrence(
        count=len(episodes),
        since=episodes[0].time,
        growth=levels[-1] / levels[0] if grows else None,
        sensor=sensor if grows else "",
    )


def rises(levels: list[float]) -> bool:
    """Whether ``levels`` rise beyond chance: Mann's trend test, one-sided, 5 %.

    H. B. Mann, Nonparametric tests against trend, Econometrica 13 (1945). Four have to rise one by one.

    >>> rises([1.0, 2.0, 3.0]), rises([1.0, 2.0, 3.0, 4.0]), rises([1.0, 3.0, 2.0, 4.0])
    (False, True, False)
    """
    n = len(levels)
    ups = sum((b > a) - (b < a) for i, a in enumerate(levels) for b in levels[i + 1 :])
    return ups - 1 >= CERTAIN * sqrt(n * (n - 1) * (2 * n + 5) / 18) and n > 2


def steps_up(episodes: tuple[Episode, ...], often: int) -> int:
    """By how many priorities they raise an alarm: one when there are ``often``, one when they grow."""
    found = recurrence(episodes)
    if found is None:
        return 0
    return int(found.count >= often) + int(found.growth is not None)


def raised_priority(severity: int, criticality: int, steps: int) -> Priority:
    """Severity times criticality, ``steps`` higher.

    What only comes often becomes high at most: urgent is kept for what is severe, or grows as well.

    >>> raised_priority(2, 2, 1).name, raised_priority(2, 3, 1).name, raised_priority(3, 3, 1).name
    ('HIGH', 'HIGH', 'HIGH')
    >>> raised_priority(3, 3, 2).name
    'URGENT'
    """
    base = priority_of(severity, criticality)
    highest = Priority.URGENT if steps > 1 else max(Priority.HIGH, base)
    return Priority(min(base + steps, highest))
