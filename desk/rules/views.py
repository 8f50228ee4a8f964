"""What the desk shows of an alarm: a point as it stands, with all that a page, a message or an API needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from desk.rules.life import AlarmState, Life
from desk.rules.point import Point
from desk.rules.recurrence import Recurrence, recurrence
from pipeline.priority import Priority
from pipeline.records import AlarmEvent, AlarmKind, Contribution


@dataclass(frozen=True, slots=True)
class AlarmView:
    """One alarm. ``id`` (of its latest occurrence) is what acts and links name; times in ms UTC.

    ``since`` (when the present alarm began), ``onset`` and ``time`` (of its latest raise) are event times,
    all others the desk's. ``members`` are alarms grouped under it. ``chattering`` = latched. ``modes`` are
    (failure mode, probability), the likeliest first. ``recurrence`` says how often it came and how it grows,
    ``raised`` by how many priorities that raises it. ``late``: the desk heard of it long after it was raised.
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
    code: str = ""
    since: int = 0
    recurrence: Recurrence | None = None
    raised: int = 0
    late: bool = False
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
        stale=point.shown and point.life.active and now - point.onset > stale_after,
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
        code=event.code,
        since=point.onset,
        recurrence=recurrence(point.episodes),
        raised=point.raised,
        late=point.late,
        members=members,
    )


#: Ranks from here on are of what is muted.
MUTED_RANK = 32


def rank(point: Point) -> int:
    """What stands before what on the desk, the smallest first; those alike stand in the order of their age.

    Muted last; then live before ended, the higher priority, unanswered before answered.
    """
    muted, ended = point.life.muted, not point.life.active
    return ((muted * 2 + ended) * 8 + (Priority.URGENT - point.priority)) * 2 + (not point.waits)


def standing_order(point: Point) -> tuple[int, int, str]:
    """`rank`, then the later onset first."""
    return rank(point), -point.onset, point.id


def arrange(points: Iterable[Point], *, now: int, stale_after: int) -> list[AlarmView]:
    """The desk's list in `standing_order`; grouped alarms stand under the first of their group in it."""
    groups: dict[str, list[Point]] = {}
    for point in sorted(points, key=standing_order):
        if point.event is not None:
            groups.setdefault(card_of(point), []).append(point)
    found = []
    for lead, *rest in groups.values():  # in the order of their leads
        members = tuple(
            seen for one in rest if (seen := view(one, now=now, stale_after=stale_after)) is not None
        )
        shown = view(lead, now=now, stale_after=stale_after, members=members)
        assert shown is not None  # noqa: S101 - every point here has been raised
        found.append(shown)
    return found


def card_of_view(shown: AlarmView) -> str:
    """`card_of` of the point that ``shown`` is of."""
    return f"muted:{shown.point}" if shown.muted else shown.group or shown.point


def card_of(point: Point) -> str:
    """The card that a point is listed in: its group's, or its own while it is muted or alone."""
    return f"muted:{point.id}" if point.life.muted else point.group or point.id
