"""iCalendar (RFC 5545): what is read of a file for the on-call calendar, and the file to subscribe to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from dateutil.rrule import rrulestr
from icalendar import Calendar, Component, Event

from desk.rules.on_call import Duty

#: Of one file: events, and what recurring ones become; of one event: steps of its rule.
MOST_EVENTS, MOST_STEPS = 5_000, 20_000
_UNTIL = re.compile(r"UNTIL=(\d{8})(T\d{6})?Z?")
#: Rules that repeat more often make no duty and no holiday.
_RARE = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")


class CalendarError(ValueError):
    """The file cannot be used; the message says which event, and why."""


def read_holidays(content: bytes, start: int, end: int, zone: tzinfo) -> list[tuple[str, str]]:
    """The days (ISO date, name) of a calendar between two times (ms UTC). Raises `CalendarError`."""
    found: dict[str, str] = {}
    for event, begins, ends in _occurrences(content, start, end, zone):
        last = ends - timedelta(microseconds=1)
        day = begins.date()
        while day <= last.date() and len(found) < MOST_EVENTS:
            found[day.isoformat()] = _text(event, "SUMMARY")
            day += timedelta(days=1)
    return sorted(found.items())


def read_duties(
    content: bytes,
    place: str,
    source: str,
    start: int,
    end: int,
    zone: tzinfo,
    who: Callable[[str], str | None],
) -> list[Duty]:
    """The duties of a calendar between two times (ms UTC).

    ``who`` returns the account that a name or address stands for; an event names one as attendee or in its
    summary. Raises `CalendarError`, also for an event that names nobody.
    """
    found: list[Duty] = []
    for event, begins, ends in _occurrences(content, start, end, zone):
        person = next((one for one in map(who, _names(event)) if one), None)
        if person is None:
            raise CalendarError(f"{_text(event, 'SUMMARY') or begins.date()}: names no account of this desk")
        found.append(Duty(place, person, _ms(begins), _ms(ends), source))
    return sorted(found, key=lambda one: (one.start, one.end, one.person))


def write_duties(
    duties: Iterable[Duty], name: str, title: Callable[[Duty], str], made: int, url: str
) -> bytes:
    """A calendar called ``name`` with an event for each duty; ``made`` (ms UTC) is when it was."""
    calendar = Calendar()
    calendar.add("prodid", "-//Yeji//on call//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval;value=duration", "PT1H")
    for duty in duties:
        event = Event()
        event.add("uid", f"{duty.source}-{duty.start}-{duty.person}@yeji")
        event.add("dtstamp", datetime.fromtimestamp(made / 1000, UTC))
        event.add("dtstart", datetime.fromtimestamp(duty.start / 1000, UTC))
        event.add("dtend", datetime.fromtimestamp(duty.end / 1000, UTC))
        event.add("summary", title(duty))
        event.add("location", duty.place)
        event.add("url", url)
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _occurrences(
    content: bytes, start: int, end: int, zone: tzinfo
) -> Iterator[tuple[Component, datetime, datetime]]:
    """Every event of the file with its beginning and end; recurring ones as often as they come."""
    try:
        calendar = Calendar.from_ical(content)
        events = [one for one in calendar.walk("VEVENT") if _text(one, "STATUS").upper() != "CANCELLED"]
    except Exception as error:
        raise CalendarError(f"this is no iCalendar file: {error}") from None
    if len(events) > MOST_EVENTS:
        raise CalendarError(f"{len(events)} events; {MOST_EVENTS} at most")
    first = datetime.fromtimestamp(start / 1000, zone)
    last = datetime.fromtimestamp(end / 1000, zone)
    moved = {
        (_text(one, "UID"), _moment(one, "RECURRENCE-ID", zone)) for one in events if "RECURRENCE-ID" in one
    }
    many = 0
    for event in events:
        begins, ends = _span(event, zone)
        for at in _starts(event, begins, first - (ends - begins), last, zone):
            if "RECURRENCE-ID" not in event and (_text(event, "UID"), at) in moved:
                continue
            until = at + (ends - begins) if _all_day(event) else _later(at, begins, ends)
            if until <= first or at >= last:
                continue
            many += 1
            if many > MOST_EVENTS:
                raise CalendarError(f"more than {MOST_EVENTS} events")
            yield event, at, until


def _later(at: datetime, begins: datetime, ends: datetime) -> datetime:
    """The end of an occurrence: at the same wall-clock time as the event's own end."""
    days = (ends.date() - begins.date()).days
    return ends.replace(year=at.year, month=at.month, day=at.day) + timedelta(days=days)


def _starts(
    event: Component, begins: datetime, first: datetime, last: datetime, zone: tzinfo
) -> Iterator[datetime]:
    rule = event.get("RRULE")
    if rule is None:
        yield begins
        return
    words = rule.to_ical().decode()
    if not any(f"FREQ={one}" in words for one in _RARE):
        raise CalendarError(f"{_text(event, 'SUMMARY')}: a duty or holiday repeats daily at most ({words})")
    left_out = {one for part in _list(event.get("EXDATE")) for one in _dates(part, zone)}
    try:
        # Days have no zone: they repeat by the calendar alone.
        dtstart = begins.replace(tzinfo=None) if _all_day(event) else begins
        repeated = rrulestr(_until(words, "" if _all_day(event) else "Z"), dtstart=dtstart)
        for n, local in enumerate(repeated):
            at = local.replace(tzinfo=zone) if local.tzinfo is None else local
            if at >= last:
                return
            if n > MOST_STEPS:
                raise CalendarError(f"{_text(event, 'SUMMARY')}: comes more than {MOST_STEPS} times")
            if at >= first and at not in left_out:
                yield at
    except (ValueError, TypeError, OverflowError) as error:
        if isinstance(error, CalendarError):
            raise
        raise CalendarError(
            f"{_text(event, 'SUMMARY')}: its rule cannot be read ({words}): {error}"
        ) from None


def _until(rule: str, mark: str) -> str:
    """The rule with its end in the one form that goes with its beginning: UTC (``mark`` Z), or none.

    >>> _until("FREQ=DAILY;UNTIL=20261231", "Z"), _until("FREQ=DAILY;UNTIL=20261231T000000Z", "")
    ('FREQ=DAILY;UNTIL=20261231T235959Z', 'FREQ=DAILY;UNTIL=20261231T000000')
    """
    return _UNTIL.sub(lambda found: f"UNTIL={found[1]}{found[2] or 'T235959'}{mark}", rule)


def _span(event: Component, zone: tzinfo) -> tuple[datetime, datetime]:
    try:
        begins = _moment(event, "DTSTART", zone)
        if "DTEND" in event:
            ends = _moment(event, "DTEND", zone)
        elif "DURATION" in event:
            ends = begins + event.decoded("DURATION")
        else:
            ends = begins + timedelta(days=1) if _all_day(event) else begins
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise CalendarError(f"{_text(event, 'SUMMARY')}: its time cannot be read: {error}") from None
    if not begins < ends <= begins + timedelta(days=366):
        raise CalendarError(f"{_text(event, 'SUMMARY')}: ends before it begins, or lasts more than a year")
    return begins, ends


def _moment(event: Component, name: str, zone: tzinfo) -> datetime:
    return _in_zone(event.decoded(name), zone)


def _in_zone(value: Any, zone: tzinfo) -> datetime:
    """A date or time of the file, in its own zone; one without a zone is of ours."""
    if not isinstance(value, datetime):
        if not isinstance(value, date):
            raise ValueError(f"{value!r} is no time")
        return datetime(value.year, value.month, value.day, tzinfo=zone)
    return value.replace(tzinfo=zone) if value.tzinfo is None else value


def _all_day(event: Component) -> bool:
    return not isinstance(event.decoded("DTSTART"), datetime)


def _dates(part: Any, zone: tzinfo) -> list[datetime]:
    return [_in_zone(one.dt, zone) for one in getattr(part, "dts", ())]


def _list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _names(event: Component) -> Iterator[str]:
    """What an event may name a person by."""
    for attendee in _list(event.get("ATTENDEE")):
        yield str(attendee).lower().removeprefix("mailto:").strip()
        yield str(attendee.params.get("CN", "")).strip()
    yield _text(event, "SUMMARY")


def _text(event: Component, name: str) -> str:
    return " ".join(str(event.get(name, "")).split())[:200]


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
