"""Who is to be told what, now: routes, shifts, quiet hours, escalation, reminders, floods and budgets.

`plan` is a function of what stands on the desk, what was told already, and the time. Every notification's id
follows from its occasion, so planning again, after a crash too, never makes a second one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from enum import StrEnum

from desk.rules.grouping import all_data, same_trouble
from desk.rules.point import Point
from desk.rules.scope import within
from desk.rules.shifts import covers
from desk.settings.alarms import CrewSettings, NotifySettings, RouteSettings
from pipeline.priority import Priority
from pipeline.records import ID_NAMESPACE

#: Where the desk's own alarm points are: `yeji/desk/notify/channel/NAME`.
OWN = "yeji/desk"

TEN_MINUTES = 600_000
MINUTE = 60_000
HOUR = 3_600_000
#: So long (ms) what befalls the data of a whole machine waits for the same of others.
SETTLE = 30_000


class Kind(StrEnum):
    """Why somebody is told."""

    ALARM = "alarm"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    FLOOD = "flood"
    SUMMARY = "summary"
    ENDED = "ended"
    WORK_ORDER = "work-order"


#: Kinds that stand for many alarms.
BUNDLES = (Kind.FLOOD, Kind.SUMMARY)


@dataclass(frozen=True, slots=True)
class Trigger:
    """One crew is to be told of one announcement of a point (of several, for a bundle) for one reason."""

    kind: Kind
    crew: str
    points: tuple[Point, ...]
    step: str = ""  # which reminder, which escalation, which ten minutes of a flood
    persons: tuple[str, ...] = ()  # who is on call, where the crew is told by the calendar

    def id(self, channel: str) -> str:
        """The id of the notification by ``channel``: the same occasion always has the same."""
        first = self.points[0]
        about = "" if self.kind in BUNDLES else f"{first.id}\n{first.announced}"
        told = f"letter\n{self.kind}\n{self.crew}\n{channel}\n{about}\n{self.step}"
        return str(uuid.uuid5(ID_NAMESPACE, "\n".join([told, *self.persons])))


@dataclass(frozen=True, slots=True)
class NotificationHistory:
    """What the outbox knows of one crew's last hour: when it was told of an alarm, and how often at all.

    ``alarms`` are the times of new alarms, told or folded; ``messages`` those of messages, each occasion
    once however many channels it goes by; ``flood`` is when the present flood's first message was made.
    """

    alarms: tuple[int, ...] = ()
    messages: tuple[int, ...] = ()
    flood: int | None = None


@dataclass(slots=True)
class Plan:
    """What is to be told now; ``folded`` occasions are in a bundle and not sent by themselves."""

    send: list[Trigger] = field(default_factory=list)
    folded: list[Trigger] = field(default_factory=list)


def plan(
    standing: Sequence[Point],
    settings: NotifySettings,
    *,
    now: int,
    zone: tzinfo,
    done: Callable[[str], bool],
    told: Mapping[str, NotificationHistory],
    flood: int,
    on_call: Callable[[str], tuple[str, ...]] = lambda _: (),
) -> Plan:
    """What is to be told at ``now``.

    ``standing`` are the points on the desk; ``done`` says whether a notification with that id exists already;
    ``told`` returns each crew's last hour; more than ``flood`` alarms in ten minutes are a flood. ``on_call``
    returns who is on call for a machine: of a crew that goes by the calendar they are told, and who comes on
    call is told of what still waits.
    """
    made = Plan()
    wanted: dict[tuple[str, tuple[str, ...]], list[Trigger]] = {}
    groups: dict[str, list[Point]] = {}
    for point in standing:
        groups.setdefault(point.group or point.id, []).append(point)
    for point in standing:
        if point.waits and not _history(point) and not _settling(point, now):
            for trigger in _triggers(point, groups.get(point.group, ()), settings, now, zone):
                crew = settings.crews[trigger.crew]
                if crew.on_call:
                    trigger = replace(trigger, persons=on_call(point.machine))
                quiet = bool(crew.quiet) and covers(crew.quiet, now, zone)
                if quiet and point.priority < Priority.URGENT:
                    continue  # it is planned again, and told when the quiet hours are over
                if not all(done(trigger.id(channel)) for channel in crew.channels):
                    wanted.setdefault((trigger.crew, trigger.persons), []).append(trigger)
    for (name, _), triggers in wanted.items():
        unique = {trigger.id(""): trigger for trigger in triggers}  # several routes, one message
        _ration(
            list(unique.values()),
            settings.crews[name],
            told.get(name, NotificationHistory()),
            now,
            flood,
            done,
            made,
        )
    return made


def covered(point: Point, group: Iterable[Point]) -> bool:
    """Whether another alarm of its ``group`` stands for it, so that it is not told by itself.

    That other one was there earlier, is as urgent or more, and still unanswered; it is of the same kind and
    on the same machine, or tells the same trouble of another machine's whole data.
    """
    return any(
        other.id != point.id
        and other.waits
        and other.kind is point.kind
        and (other.machine == point.machine or same_trouble(other, point))
        and other.priority >= point.priority
        and (other.raised_at, other.id != point.group, other.id)
        < (point.raised_at, point.id != point.group, point.id)
        for other in group
    )


def _history(point: Point) -> bool:
    """Whether it was over before the desk heard of it, longer ago than anybody has to be called for."""
    return not point.life.active and point.late


def _settling(point: Point, now: int) -> bool:
    """Whether to wait for the others that a gateway or network took along: one message names all."""
    alone = all_data(point) and point.priority < Priority.URGENT
    return alone and now - point.announced_at < SETTLE


def matches(route: RouteSettings, point: Point) -> bool:
    """Whether ``route`` is for ``point``."""
    return (
        (not route.areas or any(within(point.machine, area) for area in route.areas))
        and (not route.classes or point.machine_class in route.classes)
        and (not route.kinds or point.kind.value in route.kinds)
        and point.priority >= Priority[route.priority.upper()]
    )


def on_shift(crews: Iterable[str], settings: Mapping[str, CrewSettings], now: int, zone: tzinfo) -> list[str]:
    """Those of ``crews`` that are at work; all of them when none is: an alarm is never told to nobody."""
    crews = list(crews)
    working = [
        crew for crew in crews if not settings[crew].shifts or covers(settings[crew].shifts, now, zone)
    ]
    return working or crews


def _triggers(
    point: Point, group: Iterable[Point], settings: NotifySettings, now: int, zone: tzinfo
) -> Iterable[Trigger]:
    age = now - point.announced_at
    matching = [route for route in settings.routes if matches(route, point)]
    # Another alarm stands for this one only to those who are told of that other one.
    routes = [r for r in matching if not covered(point, [one for one in group if matches(r, one)])]
    if not matching and within(point.machine, OWN):
        for crew in settings.crews:  # the desk's own trouble concerns everybody who relies on it
            yield Trigger(Kind.ALARM, crew, (point,))
    for route in routes:
        first = on_shift(route.crews, settings.crews, now, zone)
        for crew in first:
            yield Trigger(Kind.ALARM, crew, (point,))
        asked = set(first)
        for step in route.escalate:
            if age >= step.after * 60_000:
                for crew in on_shift(step.crews, settings.crews, now, zone):
                    asked.add(crew)
                    yield Trigger(Kind.ESCALATION, crew, (point,), f"{step.after:g}")
        if route.remind > 0 and (times := int(age // (route.remind * 60_000))):
            # only the latest: after an outage nobody is reminded of reminders
            for crew in sorted(asked):
                yield Trigger(Kind.REMINDER, crew, (point,), str(times))


def _ration(
    triggers: list[Trigger],
    crew: CrewSettings,
    told: NotificationHistory,
    now: int,
    flood: int,
    done: Callable[[str], bool],
    made: Plan,
) -> None:
    """Send ``occasions`` one by one, or in bundles: all in a flood, all but urgent ones over the budget.

    A bundle is made once in ten minutes. What comes after it waits for the next, and is told by itself if
    the flood is over by then; urgent alarms wait a minute at most.
    """
    triggers.sort(key=lambda one: (-one.points[0].priority, one.points[0].announced_at, one.points[0].id))
    fresh = sum(trigger.kind is Kind.ALARM for trigger in triggers)
    lately = sum(time > now - TEN_MINUTES for time in told.alarms) + fresh
    if lately > flood or (told.flood is not None and lately > flood // 2):
        since = told.flood if told.flood is not None else now
        step = f"{since}:{(now - since) // TEN_MINUTES}"
        if not _bundle(Kind.FLOOD, triggers, step, crew, done, made):
            urgent = [trigger for trigger in triggers if trigger.points[0].priority is Priority.URGENT]
            _bundle(Kind.FLOOD, urgent, f"{since}:urgent:{now // MINUTE}", crew, done, made)
        return
    left = crew.budget - sum(time > now - HOUR for time in told.messages)
    over: list[Trigger] = []
    for one in triggers:
        if left > 0 or one.points[0].priority is Priority.URGENT:
            made.send.append(one)
            left -= 1
        else:
            over.append(one)
    _bundle(Kind.SUMMARY, over, str(now // TEN_MINUTES), crew, done, made)


def _bundle(
    kind: Kind,
    triggers: list[Trigger],
    step: str,
    crew: CrewSettings,
    done: Callable[[str], bool],
    made: Plan,
) -> bool:
    """Fold ``occasions`` into one; False when the bundle of this time was made already."""
    if not triggers:
        return True
    points = tuple({trigger.points[0].id: trigger.points[0] for trigger in triggers}.values())
    bundle = Trigger(kind, triggers[0].crew, points, step, triggers[0].persons)
    if any(done(bundle.id(channel)) for channel in crew.channels):
        return False
    made.send.append(bundle)
    made.folded += triggers
    return True
