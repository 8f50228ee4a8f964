"""An alarm point: one thing that can alarm on one machine, and how journal entries make it what it is."""

from __future__ import annotations

import uuid

import msgspec

from desk.rules.journal import Action, Entry
from desk.rules.life import Announced, Life, Shelf, parse_life
from desk.rules.recurrence import Episode, add, raised_priority
from pipeline.priority import Priority
from pipeline.records import ID_NAMESPACE, AlarmEvent, AlarmKind

#: Chattering is judged over so much event time.
MINUTE = 60_000
#: So long (ms) after an event the desk may hear of it; what takes longer is told as late.
LATE = 3_600_000


class Point(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One alarm point as it stands; times in ms UTC.

    ``event`` is the latest raise, ``open`` the occurrences whose condition lasts, ``alarm`` the latest
    occurrence. ``onset`` is when the present alarm began (event time), ``raised_at`` when it reached the
    desk, ``count`` how often it was raised since; ``raises`` are the event times of the last minute's raises.
    ``announced`` counts how often people were asked (each has its own messages), ``announced_at`` when last.
    ``modes`` are likely failure modes. ``episodes`` are its raises since somebody last said what was found,
    ``raised`` by how many priorities they raise it.
    """

    id: str
    machine: str
    machine_class: str
    kind: AlarmKind
    sensor: str | None = None
    life: Life = Life()
    criticality: int = 2
    event: AlarmEvent | None = None
    alarm: str = ""
    open: tuple[str, ...] = ()
    raises: tuple[int, ...] = ()
    count: int = 0
    raised_at: int = 0
    last_at: int = 0
    announced: int = 0
    announced_at: int = 0
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
    onset: int = 0
    episodes: tuple[Episode, ...] = ()
    raised: int = 0

    @property
    def waits(self) -> bool:
        """Whether somebody is asked to acknowledge it."""
        return waits(self.life)

    @property
    def shown(self) -> bool:
        """Whether it stands on the desk: announced, or kept from being announced by a person."""
        life = self.life
        return life.announced is not Announced.NORMAL or life.shelf is not Shelf.NONE or life.out_of_service

    @property
    def priority(self) -> Priority:
        """Severity times criticality, higher when it comes back and grows."""
        return raised_priority(self.event.severity if self.event else 1, self.criticality, self.raised)

    @property
    def late(self) -> bool:
        """Whether the desk heard of it only long after it was raised: store and forward, a replay."""
        return self.event is not None and self.announced_at - self.event.time > LATE

    @property
    def line(self) -> str:
        """The machine's line: its name without the last level."""
        return self.machine.rpartition("/")[0]


def waits(life: Life) -> bool:
    """Whether ``life`` asks for an acknowledgement."""
    return not life.muted and life.announced in (Announced.UNACKNOWLEDGED, Announced.RETURNED)


def point_id(event: AlarmEvent) -> str:
    """The point that ``event`` is an occurrence of: machine, kind of alarm, sensor, and its own cause.

    Each limit of a sensor is a point, and so is each trouble of a whole machine's data. All that makes one
    sensor untrustworthy is one point.
    """
    subject = f"point\n{event.machine}\n{event.kind}\n{event.sensor or ''}"
    if own := _own_code(event):
        subject += f"\n{own}"
    return str(uuid.uuid5(ID_NAMESPACE, subject))


def _own_code(event: AlarmEvent) -> str:
    return "" if event.kind is AlarmKind.QUALITY and event.sensor else event.code


def new_point(event: AlarmEvent, criticality: int, id: str = "") -> Point:
    """A point that has never alarmed."""
    return Point(
        id=id or point_id(event),
        code=_own_code(event),
        machine=event.machine,
        machine_class=event.machine_class,
        kind=event.kind,
        sensor=event.sensor,
        criticality=criticality,
    )


def apply(point: Point | None, entry: Entry) -> Point:
    """What ``entry`` makes of ``point``. The store and the rebuild both go through here, and only here."""
    if point is None:
        if entry.event is None:
            raise ValueError(
                f"entry {entry.seq} ({entry.action}) is the first of point {entry.point}, with no event"
            )
        # By the entry's own name: what counts as one point may have been decided otherwise when it was made.
        point = new_point(entry.event, entry.criticality, entry.point)
    life = parse_life(entry.after)
    before = point.priority
    point = _DETAILS[entry.action](point, entry) if entry.action in _DETAILS else point
    worse = entry.action is Action.RAISE and point.priority > before
    if waits(life) and (worse or not waits(point.life)):
        point = msgspec.structs.replace(
            point,
            announced=point.announced + 1,
            announced_at=entry.at,
            acknowledged_by="",
            acknowledged_at=None,
        )
    if life.shelf is Shelf.NONE and point.life.shelf is not Shelf.NONE:
        point = msgspec.structs.replace(point, shelved_by="", shelved_until=None)
    if life.announced is Announced.NORMAL and point.life.announced is not Announced.NORMAL:
        point = msgspec.structs.replace(point, taken_by="", group="", closed_as="")
    return msgspec.structs.replace(point, life=life)


def _raise(point: Point, entry: Entry) -> Point:
    event = entry.event
    assert event is not None  # noqa: S101 - a raise always carries its event
    fresh = point.life.announced is Announced.NORMAL
    return msgspec.structs.replace(
        point,
        machine_class=event.machine_class,
        criticality=entry.criticality or point.criticality,
        event=event,
        alarm=event.id,
        open=(*point.open, event.id),
        raises=recent(point.raises, event.time),
        count=1 if fresh else point.count + 1,
        raised_at=entry.at if fresh else point.raised_at,
        onset=event.onset if fresh else min(point.onset, event.onset),
        episodes=add(point.episodes, event),
        raised=entry.raised,
        last_at=entry.at,
        group=entry.group or ("" if fresh else point.group),
        modes=entry.modes,
        comments=0 if fresh else point.comments,
        closed_as="",
    )


def recent(raises: tuple[int, ...], time: int) -> tuple[int, ...]:
    """The raises of the minute that ends with one at ``time``, this one among them.

    >>> recent((0, 30_000), 60_000)
    (30000, 60000)
    """
    return (*(one for one in raises if one > time - MINUTE), time)[-100:]


def _clear(point: Point, entry: Entry) -> Point:
    return msgspec.structs.replace(point, open=tuple(one for one in point.open if one != entry.alarm))


def _acknowledge(point: Point, entry: Entry) -> Point:
    return msgspec.structs.replace(point, acknowledged_by=entry.by, acknowledged_at=entry.at)


def _close(point: Point, entry: Entry) -> Point:
    kind = str(entry.verdict.kind) if entry.verdict else ""
    if point.acknowledged_at is None:
        point = _acknowledge(point, entry)
    return _judge(msgspec.structs.replace(point, closed_as=kind), entry)


def _judge(point: Point, entry: Entry) -> Point:
    """Somebody said what it was: what came before is answered."""
    if entry.verdict is None:
        return point
    end = entry.verdict.end
    return msgspec.structs.replace(
        point, episodes=tuple(episode for episode in point.episodes if episode.time > end)
    )


def _shelve(point: Point, entry: Entry) -> Point:
    return msgspec.structs.replace(point, shelved_by=entry.by, shelved_until=entry.until)


def _suppress(point: Point, entry: Entry) -> Point:
    return msgspec.structs.replace(point, reasons=entry.reasons)


def _take(point: Point, entry: Entry) -> Point:
    return msgspec.structs.replace(point, taken_by=entry.by)


def _comment(point: Point, entry: Entry) -> Point:
    return msgspec.structs.replace(point, comments=point.comments + 1)


_DETAILS = {
    Action.RAISE: _raise,
    Action.CLEAR: _clear,
    Action.ACKNOWLEDGE: _acknowledge,
    Action.CLOSE: _close,
    Action.SHELVE_ONCE: _shelve,
    Action.SHELVE_TIMED: _shelve,
    Action.SUPPRESS: _suppress,
    Action.UNSUPPRESS: _suppress,
    Action.TAKE: _take,
    Action.COMMENT: _comment,
    Action.VERDICT: _judge,
}
