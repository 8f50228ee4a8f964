"""What the desk makes of alarm events, of people's acts and of time going by: journal entries, or a refusal.

Everything here is a function of its arguments; `desk.rules.point.apply` then turns entries into state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from desk.rules.journal import SYSTEM, Action, Entry
from desk.rules.life import Announced, Event, Life, Refusal, Shelf, step
from desk.rules.point import Point, apply, new_point, recent
from desk.rules.recurrence import add, steps_up
from pipeline.cause import Cause, CodedError
from pipeline.records import AlarmEvent, AlarmPhase, Verdict


class RefusedError(CodedError):
    """An act has no place in the alarm's present state; `refused.CODE` in the catalogue says why."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The desk's settings in the units of its times (ms)."""

    chatter: int = 3  # raises in a minute that make a point chattering
    quiet: int = 600_000  # so long without a raise ends that
    longest_shelf: int = 12 * 3_600_000
    group_within: int = 600_000
    repeats: int = 3  # so many raises in a week, none of them judged, make an alarm one that comes often


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an occurrence already, by its `AlarmEvent.id`."""

    raised: bool = False
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a raise needs to know of the rest of the plant."""

    criticality: int = 2
    reasons: tuple[str, ...] = ()
    group: str = ""
    modes: tuple[tuple[str, float], ...] = ()


def receive(
    point: Point | None,
    event: AlarmEvent,
    known: Known,
    *,
    at: int,
    rules: Rules,
    around: Surroundings = Surroundings(),
) -> list[Entry]:
    """The entries for an event from the pipeline; none when it is known already, so it may come again.

    A clear that arrives without its raise is noted, so that the raise, should it still come, is old news.
    """
    if known.cleared or (known.raised and event.phase is AlarmPhase.RAISED):
        return []
    here = point or new_point(event, around.criticality)
    made = _Making(here, event, at, around, rules)
    if event.phase is AlarmPhase.CLEARED:
        made.clear()
        return made.entries
    if around.reasons and not here.life.suppressed:
        made.do(Event.SUPPRESS, reasons=around.reasons)
    if not around.reasons and here.life.suppressed:
        made.do(Event.UNSUPPRESS)
    made.do(Event.RAISE)
    if len(recent(here.raises, event.time)) >= rules.chatter and not made.point.life.latched:
        made.do(Event.LATCH)
    return made.entries


class _Making:
    """Entries of one event, each made on what the one before left."""

    def __init__(self, point: Point, event: AlarmEvent, at: int, around: Surroundings, rules: Rules) -> None:
        self.point, self.event, self.at, self.around, self.rules = point, event, at, around, rules
        self.entries: list[Entry] = []

    def do(self, event: Event, reasons: tuple[str, ...] = ()) -> None:
        after = step(self.point.life, event)
        if isinstance(after, Refusal):
            raise AssertionError(f"{event} refused in {self.point.life.code}: {after.value}")
        raising = event is Event.RAISE
        self._add(
            Action(event),
            after,
            reasons=reasons,
            group=self.around.group if raising and not after.muted and self._fresh() else "",
            modes=self.around.modes if raising else (),
        )

    def clear(self) -> None:
        lasts = [one for one in self.point.open if one != self.event.id]
        after = step(self.point.life, Event.CLEAR)
        if lasts or self.event.id not in self.point.open or isinstance(after, Refusal):
            after = self.point.life
        self._add(Action.CLEAR, after)

    def _told(self, action: Action) -> AlarmEvent | None:
        if action in (Action.RAISE, Action.SUPPRESS):
            return self.event
        # The evidence stands with the raise.
        return replace(self.event, contributions=()) if action is Action.CLEAR else None

    def _steps_up(self) -> int:
        return steps_up(add(self.point.episodes, self.event), self.rules.repeats)

    def _fresh(self) -> bool:
        return self.point.life.announced is Announced.NORMAL

    def _add(
        self,
        action: Action,
        after: Life,
        reasons: tuple[str, ...] = (),
        group: str = "",
        modes: tuple[tuple[str, float], ...] = (),
    ) -> None:
        entry = Entry(
            at=self.at,
            time=self.event.time,
            by=SYSTEM,
            action=action,
            machine=self.point.machine,
            point=self.point.id,
            alarm=self.event.id,
            before=self.point.life.code,
            after=after.code,
            criticality=self.around.criticality,
            # The first entry of a point has to say what the point is: any may be it.
            event=self._told(action),
            reasons=reasons,
            group=group,
            modes=modes,
            raised=self._steps_up() if action is Action.RAISE else 0,
        )
        self.entries.append(entry)
        self.point = apply(self.point, entry)


def act(
    point: Point,
    event: Event,
    *,
    at: int,
    by: str,
    why: str = "",
    until: int | None = None,
    verdict: Verdict | None = None,
    reasons: tuple[str, ...] = (),
) -> Entry:
    """The entry for something that a person or the clock does to ``point``. Raises `RefusedError`."""
    after = step(point.life, event)
    if after is Refusal.ALREADY_ACKNOWLEDGED and point.acknowledged_by:
        raise RefusedError("acknowledged-by", by=point.acknowledged_by)  # of two, the slower is told who won
    if isinstance(after, Refusal):
        raise RefusedError("not-possible", event=event.value, because=after.value)
    return Entry(
        at=at,
        time=at,
        by=by,
        action=Action(event),
        machine=point.machine,
        point=point.id,
        alarm=point.alarm,
        before=point.life.code,
        after=after.code,
        why=why,
        until=until,
        verdict=verdict,
        reasons=reasons,
    )


def note(
    point: Point, action: Action, *, at: int, by: str, why: str = "", cause: Cause | None = None
) -> Entry:
    """The entry for something that leaves the point's life as it is: take, comment, told, unsent."""
    code = point.life.code
    return Entry(
        at=at,
        time=at,
        by=by,
        action=action,
        machine=point.machine,
        point=point.id,
        alarm=point.alarm,
        before=code,
        after=code,
        why=why,
        cause=cause,
    )


def shelve(point: Point, *, at: int, by: str, why: str, rules: Rules, until: int | None = None) -> Entry:
    """Shelve until a time, or (``until`` None) until this alarm's condition ends. Raises `RefusedError`."""
    if not why.strip():
        raise RefusedError("shelve-why")
    if until is None:
        return act(point, Event.SHELVE_ONCE, at=at, by=by, why=why)
    if until <= at:
        raise RefusedError("shelf-over")
    if until - at > rules.longest_shelf:
        raise RefusedError("shelf-too-long", hours=rules.longest_shelf / 3_600_000)
    return act(point, Event.SHELVE_TIMED, at=at, by=by, why=why, until=until)


def tick(point: Point, *, now: int, reasons: tuple[str, ...], rules: Rules) -> list[Entry]:
    """What time alone does to ``point``: shelves run out, windows open and end, chattering quiets down."""
    entries: list[Entry] = []

    def do(event: Event, because: tuple[str, ...] = ()) -> None:
        nonlocal point
        entries.append(act(point, event, at=now, by=SYSTEM, reasons=because))
        point = apply(point, entries[-1])

    if reasons and not point.life.suppressed:
        do(Event.SUPPRESS, reasons)
    if point.life.latched and now - point.last_at >= rules.quiet:
        do(Event.UNLATCH)
    if point.life.shelf is Shelf.TIMED and point.shelved_until is not None and point.shelved_until <= now:
        do(Event.EXPIRE)
    if not reasons and point.life.suppressed:
        do(Event.UNSUPPRESS)
    return entries
