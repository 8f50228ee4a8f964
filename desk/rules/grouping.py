"""Which alarms belong together: those of one machine, and those with one cause that begin close in time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from desk.rules.point import Point
from pipeline.records import AlarmEvent, AlarmKind


class About(Protocol):
    """What an event, a point or a view of one says of its alarm."""

    @property
    def kind(self) -> AlarmKind:
        """What it is about."""

    @property
    def sensor(self) -> str | None:
        """The sensor, when it is about one."""

    @property
    def code(self) -> str:
        """The code of its cause."""


def group_of(event: AlarmEvent, announced: Iterable[Point], within_ms: int) -> str:
    """The group that an alarm which begins with ``event`` joins, named by its first point; "" = none.

    ``announced`` are points that may be related (`near` says which of other machines are). Those of the same
    machine count however old they are, others when they began within ``within_ms`` of it, in event time.
    """
    related = [
        one
        for one in announced
        if not one.life.muted
        and (
            one.machine == event.machine
            or (abs(event.onset - one.onset) < within_ms and near(event.machine, event, one))
        )
    ]
    # the machine's own group before another's, then the oldest
    related.sort(key=lambda one: (one.machine != event.machine, one.onset, one.id))
    return (related[0].group or related[0].id) if related else ""


def near(machine: str, event: AlarmEvent, other: Point) -> bool:
    """Whether an alarm of another machine may have the same cause: the line, or what carries a site's data.

    What befalls all data of several machines of one site (silence, gaps) comes of a gateway or network,
    whichever lines these stand on.
    """
    if machine.rpartition("/")[0] == other.line:
        return True
    return same_trouble(event, other) and site(machine) == site(other.machine)


def same_trouble(one: About, other: About) -> bool:
    """Whether both tell the same trouble of all data of a machine."""
    return all_data(one) and all_data(other) and one.code == other.code


def all_data(one: About) -> bool:
    """Whether it speaks of a machine's whole data rather than of one sensor or the machine itself."""
    return one.kind is AlarmKind.QUALITY and one.sensor is None


def site(machine: str) -> str:
    """Enterprise and site of a machine.

    >>> site("gwangju/ggm/body/line-2/press-07")
    'gwangju/ggm'
    """
    return "/".join(machine.split("/")[:2])
