"""Who is on call: rotas of a place in wall-clock hours, swaps between people, holidays, imported duties."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Literal

import msgspec

from desk.rules.scope import within
from desk.rules.shifts import Hours, parse_hours

Every = Literal["day", "week"]
Holidays = Literal["usual", "off", "only"]
SwapState = Literal["asked", "accepted", "declined", "withdrawn"]
CalendarKind = Literal["holidays", "duties"]
_DAY = 86_400_000


class Rota(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="rota"):
    """People who take turns on call for everything under ``place``; nobody = it has ended.

    ``hours`` as "mon-fri 06:00-14:00", by the wall clock; turns change ``every`` day or week (Monday), and
    the first of ``people`` has that of the day ``first`` (ISO date). On ``holidays`` as usual, off, or only
    then.
    """

    id: str
    place: str
    name: str
    people: tuple[str, ...] = ()
    hours: tuple[str, ...] = ("00:00-24:00",)
    every: Every = "week"
    first: str = "2026-01-05"
    holidays: Holidays = "usual"


class Swap(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="swap"):
    """``giver`` asks ``taker`` to take the duty of ``rota`` that begins at ``start``.

    ``back`` is (rota, start) of a duty of the taker that the giver takes in return. ``answered`` is the
    number of the journal's entry that answered it: later ones go on from it.
    """

    id: str
    place: str
    rota: str
    start: int
    end: int
    giver: str
    taker: str
    asked_at: int
    state: SwapState = "asked"
    answered: int = 0
    back: tuple[str, int] | None = None


class Duty(msgspec.Struct, frozen=True, omit_defaults=True):
    """``person`` is on call for ``place`` from ``start`` until ``end`` (ms UTC); ``source`` is what says so.

    ``swapped`` names who had it before.
    """

    place: str
    person: str
    start: int
    end: int
    source: str
    swapped: str = ""


class ImportedCalendar(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="calendar"):
    """What was imported for ``place``: holidays (ISO dates with names), or duties. Empty = it was removed."""

    id: str
    place: str
    name: str
    kind: CalendarKind
    days: tuple[tuple[str, str], ...] = ()
    duties: tuple[Duty, ...] = ()


OnCallChange = Rota | Swap | ImportedCalendar


def check_rota(rota: Rota) -> None:
    """Raise ValueError for hours or a first day that cannot be read."""
    for hour in rota.hours:
        _hours(hour)
    date.fromisoformat(rota.first)


def _hours(text: str) -> Hours:
    """Hours of the week; "00:00-24:00" is the whole day."""
    if text.strip().endswith("00:00-24:00"):
        days = parse_hours(text.replace("00:00-24:00", "00:00-23:59")).days
        return Hours(days, 0, 24 * 60)
    return parse_hours(text)


def duties(changes: Iterable[OnCallChange], start: int, end: int, zone: tzinfo) -> list[Duty]:
    """Who is on call from ``start`` until ``end`` (ms UTC), with accepted swaps, in the order of time.

    Hours are those of the wall clock in ``zone``: a night in which clocks change is an hour longer or
    shorter, and adjoining hours still join.
    """
    rotas: list[Rota] = []
    swaps: list[Swap] = []
    calendars: list[ImportedCalendar] = []
    for one in changes:
        if isinstance(one, Rota):
            rotas.append(one)
        elif isinstance(one, Swap):
            swaps.append(one)
        else:
            calendars.append(one)
    takers: dict[tuple[str, int], str] = {}
    for swap in sorted((one for one in swaps if one.state == "accepted"), key=lambda one: one.answered):
        takers[swap.rota, swap.start] = swap.taker
        if swap.back is not None:
            takers[swap.back] = swap.giver
    found: list[Duty] = []
    for rota in rotas:
        days = {day for one in calendars if _holds(one, rota.place) for day, _ in one.days}
        for duty in _of_rota(rota, days, start, end, zone):
            taker = takers.get((rota.id, duty.start))
            if taker is not None and taker != duty.person:
                duty = msgspec.structs.replace(duty, person=taker, swapped=duty.person)
            found.append(duty)
    for calendar in calendars:
        found += [one for one in calendar.duties if one.start < end and one.end > start]
    return sorted(found, key=lambda one: (one.start, one.place, one.person, one.source))


def _holds(calendar: ImportedCalendar, place: str) -> bool:
    return calendar.kind == "holidays" and within(place, calendar.place)


def _of_rota(rota: Rota, holidays: set[str], start: int, end: int, zone: tzinfo) -> Iterable[Duty]:
    if not rota.people:
        return
    first = date.fromisoformat(rota.first)
    hours = [_hours(hour) for hour in rota.hours]
    day = datetime.fromtimestamp((start - 2 * _DAY) / 1000, zone).date()
    last = datetime.fromtimestamp(end / 1000, zone).date()
    while day <= last:
        holiday = day.isoformat() in holidays
        works = rota.holidays == "usual" or (rota.holidays == "only") == holiday
        if day >= first and works:
            person = rota.people[_turn(rota, first, day) % len(rota.people)]
            for hour in hours:
                if day.weekday() in hour.days:
                    begins, ends = _moment(day, hour.start, zone), _moment(day, hour.end, zone)
                    if begins < end and ends > start and begins < ends:
                        yield Duty(rota.place, person, begins, ends, rota.id)
        day += timedelta(days=1)


def _turn(rota: Rota, first: date, day: date) -> int:
    if rota.every == "day":
        return (day - first).days
    return (day - (first - timedelta(days=first.weekday()))).days // 7


def _moment(day: date, minutes: int, zone: tzinfo) -> int:
    """The moment (ms UTC) so many minutes by the wall clock after the midnight of ``day``."""
    days, rest = divmod(minutes, 24 * 60)
    local = datetime.combine(day + timedelta(days=days), time(rest // 60, rest % 60), zone)
    return round(local.timestamp() * 1000)


def on_call(known: Iterable[Duty], machine: str, now: int) -> tuple[str, ...]:
    """Who is on call for ``machine`` (or a place) at ``now``: those of the nearest place that has somebody.

    >>> known = [Duty("a/b", "kim", 0, 10, "r"), Duty("a/b/c", "lee", 0, 5, "s")]
    >>> on_call(known, "a/b/c/d/e", 4), on_call(known, "a/b/c/d/e", 5), on_call(known, "x", 4)
    (('lee',), ('kim',), ())
    """
    there = [one for one in known if one.start <= now < one.end and within(machine, one.place)]
    if not there:
        return ()
    nearest = max(one.place.count("/") for one in there)
    return tuple(dict.fromkeys(one.person for one in there if one.place.count("/") == nearest))
