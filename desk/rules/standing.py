"""What stands against machines: alarms as the desk shows them, or as a store of results holds them."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.base.history import Alarm
from desk.rules.point import point_id
from desk.rules.recurrence import Episode, Recurrence, add, recurrence
from desk.rules.views import AlarmView
from pipeline.assessment import Standing
from pipeline.priority import Priority
from pipeline.records import AlarmEvent


def of_view(one: AlarmView) -> Standing:
    """An alarm of the desk, with the priority that it has there."""
    return _standing(one.event, one.priority, one.active, one.since, one.recurrence)


def of_views(shown: Iterable[AlarmView]) -> dict[str, list[Standing]]:
    """Machine → what stands against it."""
    found: dict[str, list[Standing]] = {}
    for one in shown:
        found.setdefault(one.machine, []).append(of_view(one))
    return found


def of_alarms(alarms: Iterable[Alarm], often: int) -> dict[str, list[Standing]]:
    """Machine → what stands against it, where nobody judges: open alarms, and points that came ``often``.

    ``alarms`` are those of the last week, and all that are open.
    """
    points: dict[str, list[Alarm]] = {}
    for alarm in sorted(alarms, key=lambda one: one.event.onset):
        points.setdefault(point_id(alarm.event), []).append(alarm)
    found: dict[str, list[Standing]] = {}
    for group in points.values():
        episodes: tuple[Episode, ...] = ()
        for one in group:
            episodes = add(episodes, one.event)
        came = recurrence(episodes)
        leads = [one for one in group if one.open] or group[-1:]
        if leads[-1].open or (came is not None and came.count >= often):
            event = leads[-1].event
            standing = _standing(event, event.priority, leads[-1].open, leads[0].event.onset, came)
            found.setdefault(event.machine, []).append(standing)
    return found


def _standing(
    event: AlarmEvent, priority: Priority, active: bool, since: int, came: Recurrence | None
) -> Standing:
    if came is None:
        return Standing(event=event, priority=priority, active=active, since=since)
    return Standing(
        event=event,
        priority=priority,
        active=active,
        since=since,
        count=came.count,
        first=came.since,
        growth=came.growth,
        grows=came.sensor,
    )
