"""Which alarms belong together: those of one machine, and those of one line that begin close in time."""

from __future__ import annotations

from collections.abc import Iterable

from desk.rules.point import Point


def group_of(machine: str, at: int, announced: Iterable[Point], within_ms: int) -> str:
    """The group that an alarm of ``machine`` arriving ``at`` joins, named by its first point; "" = none.

    ``announced`` are the points on the machine's line that are announced and not muted. Those of the same
    machine count however old they are, those of other machines when they came within ``within_ms``.
    """
    related = [
        one
        for one in announced
        if not one.life.muted and (one.machine == machine or at - one.raised_at <= within_ms)
    ]
    # the machine's own group before the line's, then the oldest
    related.sort(key=lambda one: (one.machine != machine, one.raised_at, one.id))
    return (related[0].group or related[0].id) if related else ""
