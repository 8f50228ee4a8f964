"""Rationalised alarms (ISA-18.2, clause 9): cause, consequence, response, time and priority of each."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import msgspec

from desk.rules.scope import within
from pipeline.priority import Priority
from pipeline.records import ID_NAMESPACE, AlarmEvent

#: Longest texts, in characters.
WORDS = 1000


class Rationalisation(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a plant agreed on for some alarm points; "" in `machine_class` … `code` = any.

    ``place`` is a machine, or what its name begins with. ``minutes`` is the time to respond: after it the
    consequence comes. A change is not approved until somebody says so. No ``cause`` = it was removed.
    """

    id: str
    place: str
    machine_class: str = ""
    kind: str = ""
    sensor: str = ""
    code: str = ""
    cause: str = ""
    consequence: str = ""
    response: str = ""
    minutes: float = 0.0
    priority: Priority = Priority.MEDIUM
    changed_by: str = ""
    changed_at: int = 0
    approved_by: str = ""
    approved_at: int | None = None

    @property
    def removed(self) -> bool:
        """Whether nothing is agreed on any more."""
        return not self.cause

    @property
    def approved(self) -> bool:
        """Whether it holds as it stands."""
        return self.approved_at is not None

    def holds_for(self, event: AlarmEvent) -> bool:
        """Whether the point of ``event`` is one that it speaks of."""
        return within(event.machine, self.place) and all(
            wanted in ("", value)
            for wanted, value in (
                (self.machine_class, event.machine_class),
                (self.kind, str(event.kind)),
                (self.sensor, event.sensor or ""),
                (self.code, event.code),
            )
        )

    @property
    def narrowness(self) -> tuple[int, int, str]:
        """What speaks of fewer points is larger: the nearer place, then more that is said of the point."""
        said = sum(map(bool, (self.machine_class, self.kind, self.sensor, self.code)))
        return self.place.count("/"), said, self.id


def rationalisation_id(place: str, machine_class: str, kind: str, sensor: str, code: str) -> str:
    """The id that follows from the points that are spoken of: the same points have one record."""
    return str(
        uuid.uuid5(ID_NAMESPACE, "\n".join(("rationalisation", place, machine_class, kind, sensor, code)))
    )


def find_rationalisation(known: Iterable[Rationalisation], event: AlarmEvent) -> Rationalisation | None:
    """The record for the point of ``event``: of several the narrowest."""
    return max((one for one in known if one.holds_for(event)), key=lambda one: one.narrowness, default=None)


class ByPlace:
    """Many records, of which few are asked for one event: those of the places that its machine lies in."""

    def __init__(self, known: Iterable[Rationalisation]) -> None:
        self._known: dict[str, list[Rationalisation]] = {}
        for one in known:
            self._known.setdefault(one.place, []).append(one)

    def find(self, event: AlarmEvent) -> Rationalisation | None:
        """As `find_rationalisation`."""
        levels = event.machine.split("/")
        places = ("/".join(levels[:n]) for n in range(1, len(levels) + 1))
        return find_rationalisation((one for place in places for one in self._known.get(place, ())), event)
