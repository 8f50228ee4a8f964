"""What the desk shows of an alarm: a point as it stands, with all that a page, a message or an API needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from desk.rules.life import AlarmState, Life
from desk.rules.point import Point
from pipeline.priority import Priority
from pipeline.records import AlarmEvent, AlarmKind, Contribution


@dataclass(frozen=True, slots=True)
class AlarmView:
    """One alarm. ``id`` (of its latest occurrence) is what acts and links name; times in ms UTC.

    ``onset`` and ``time`` are event times, all others the desk's. ``members`` are alarms grouped under it.
    ``chattering`` = latched. ``modes`` are (failure mode, probability), the likeliest first.
    """

    id: str
    point: str
    machine: str
    machine_class: str
    kind: AlarmKind
    sensor: str | None
    state: AlarmState
    life: Life
    priority: Priority
    severity: int
    criticality: int
    active: bool
    waits: bool
    chattering: bool
    stale: bool
    count: int
    onset: int
    time: int
    raised_at: int
    announced_at: int
    score: float
    threshold: float
    detail: str
    contributions: tuple[Contribution, ...]
    event: AlarmEvent
    acknowledged_by: str = ""
    acknowledged_at: int | None = None
    taken_by: str = ""
    shelved_by: str = ""
    shelved_until: int | None = None
    reasons: tuple[str, ...] = ()
    group: str = ""
    modes: tuple[tuple[str, float], ...] = ()
    comments: int = 0
    closed_as: str = ""
    members: tuple[AlarmView, ...] = field(default=())

    @property
    def muted(self) -> bool:
        """Shelved, suppressed by design or out of service: nobody is told."""
        return self.life.muted


def view(
    point: Point, *, now: int, stale_after: int, members: tuple[AlarmView, ...] = ()
) -> AlarmView | None:
    """``point`` as it is shown at ``now``; None when it has never been raised (only its clear came)."""
    event = point.event
    if event is None:
        return None
    return AlarmView(
        id=point.alarm,
        point=point.id,
        machine=point.machine,
        machine_class=point.machine_class,
        kind=point.kind,
        sensor=point.sensor,
        state=point.life.state,
        life=point.life,
        priority=point.priority,
        severity=event.severity,
        criticality=point.criticality,
        active=point.life.active,
        waits=point.waits,
        chattering=point.life.latched,
        stale=point.shown and point.life.active and now - point.raised_at > stale_after,
        count=point.count,
        onset=event.onset,
        time=event.time,
        raised_at=point.raised_at,
        announced_at=point.announced_at,
        score=event.score,
        threshold=event.threshold,
        detail=event.detail,
        contributions=tuple(sorted(event.contributions, key=lambda one: -one.share)),
        event=event,
        acknowledged_by=point.acknowledged_by,
        acknowledged_at=point.acknowledged_at,
        taken_by=point.taken_by,
        shelved_by=point.shelved_by,
        shelved_until=point.shelved_until,
        reasons=point.reasons,
        group=point.group,
        modes=point.modes,
        comments=point.comments,
        closed_as=point.closed_as,
        members=members,
    )


def arrange(points: Iterable[Point], *, now: int, stale_after: int) -> list[AlarmView]:
    """The desk's list: the most urgent first, then the newest; grouped alarms under the first of their group.

    A group stands where its most urgent alarm would stand.
    """
    groups: dict[str, list[Point]] = {}
    for point in points:
        if point.event is not None:
            alone = point.life.muted or not point.group
            groups.setdefault(point.id if alone else point.group, []).append(point)
    found: list[tuple[tuple[bool, int, int], AlarmView]] = []
    for group in groups.values():
        group.sort(key=lambda one: (one.raised_at, bool(one.group), one.id))
        lead, *rest = group
        members = tuple(
            seen for one in rest if (seen := view(one, now=now, stale_after=stale_after)) is not None
        )
        shown = view(lead, now=now, stale_after=stale_after, members=members)
        assert shown is not None  # noqa: S101 - every point here has been raised
        urgent = max(one.priority for one in group)
        found.append(((all(not one.waits for one in group), -urgent, -lead.raised_at), shown))
    return [shown for _, shown in sorted(found, key=lambda pair: pair[0])]
