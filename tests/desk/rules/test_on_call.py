"""The on-call calendar: turns through changed clocks, swaps, holidays, iCalendar in and out."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from desk.rules.on_call import Duty, ImportedCalendar, Rota, Swap, check_rota, duties, on_call
from desk.service.icalendar_files import CalendarError, read_duties, read_holidays, write_duties

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000
DAY = 24 * HOUR


def ms(text: str, zone: ZoneInfo = BERLIN) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def rota(**given: object) -> Rota:
    usual = {"id": "r", "place": "a/b", "name": "n", "people": ("kim", "lee", "choi"), "first": "2026-01-05"}
    return Rota(**(usual | given))


def test_weeks_and_days_turn():
    week = duties([rota(hours=("mon-fri 06:00-14:00",))], ms("2026-01-05"), ms("2026-01-26"), BERLIN)
    assert [one.person for one in week] == ["kim"] * 5 + ["lee"] * 5 + ["choi"] * 5
    assert (week[0].start, week[0].end) == (ms("2026-01-05T06:00"), ms("2026-01-05T14:00"))
    day = duties([rota(every="day", hours=("00:00-24:00",))], ms("2026-01-05"), ms("2026-01-09"), BERLIN)
    assert [one.person for one in day] == ["kim", "lee", "choi", "kim"]
    assert duties([rota()], ms("2025-12-01"), ms("2026-01-05"), BERLIN) == [], "before the first turn nobody"


@pytest.mark.parametrize(("night", "hours"), [("2026-03-28", 7), ("2026-10-24", 9), ("2026-06-01", 8)])
def test_a_night_in_which_clocks_change_is_an_hour_longer_or_shorter(night: str, hours: int):
    shifts = ("22:00-06:00", "06:00-14:00", "14:00-22:00")
    found = duties([rota(hours=shifts, every="day")], ms(night), ms(night) + 3 * DAY, BERLIN)
    late = next(one for one in found if one.start == ms(f"{night}T22:00"))
    assert (late.end - late.start) / HOUR == hours
    for before, after in pairwise(found):
        assert before.end == after.start, "nobody is missing, and nobody is there twice"


@given(
    st.sampled_from(["Europe/Berlin", "Asia/Seoul", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    st.integers(0, 366 * 24 * 4),
    st.sampled_from(["day", "week"]),
)
def test_round_the_clock_there_is_always_one(zone: str, quarters: int, every: str):
    moment = ms("2026-01-12", ZoneInfo("UTC")) + quarters * 15 * 60_000
    shifts = ("02:30-10:30", "10:30-18:30", "18:30-02:30")
    found = duties([rota(hours=shifts, every=every)], moment, moment + 1, ZoneInfo(zone))
    there = [one for one in found if one.start <= moment < one.end]
    assert len({one.person for one in there}) == 1
    assert len(there) == 1


def test_swaps_that_were_accepted():
    night = rota(hours=("22:00-06:00",), every="day")
    first, second, third = duties([night], ms("2026-01-05T12:00"), ms("2026-01-08T01:00"), BERLIN)
    given_away = {"place": "a/b", "rota": "r", "giver": "kim", "asked_at": 0}
    swap = Swap(id="s", start=first.start, end=first.end, taker="choi", back=("r", third.start), **given_away)
    span = (ms("2026-01-05T12:00"), ms("2026-01-08T01:00"), BERLIN)
    assert duties([night, swap], *span) == [first, second, third], "asked is not accepted"
    accepted = Swap(
        id="s",
        start=first.start,
        end=first.end,
        taker="choi",
        back=("r", third.start),
        state="accepted",
        **given_away,
    )
    found = duties([night, accepted], *span)
    assert [(one.person, one.swapped) for one in found] == [("choi", "kim"), ("lee", ""), ("kim", "choi")]


def test_holidays_within_a_place():
    off, only = rota(holidays="off", every="day"), rota(id="h", holidays="only", people=("oh",))
    elsewhere = ImportedCalendar(id="e", place="x", name="n", kind="holidays", days=(("2026-01-06", "x"),))
    ours = ImportedCalendar(id="c", place="a", name="n", kind="holidays", days=(("2026-01-07", "h"),))
    found = duties([off, only, elsewhere, ours], ms("2026-01-05"), ms("2026-01-09"), BERLIN)
    assert [one.person for one in found] == ["kim", "lee", "oh", "kim"]


def test_the_nearest_place_is_called():
    area, line = rota(people=("kim",)), rota(id="l", place="a/b/c", people=("lee",), hours=("06:00-14:00",))
    noon, night = ms("2026-01-06T12:00"), ms("2026-01-06T20:00")
    known = duties([area, line], ms("2026-01-06"), ms("2026-01-07"), BERLIN)
    assert on_call(known, "a/b/c/d", noon) == ("lee",)
    assert on_call(known, "a/b/c/d", night) == ("kim",)
    assert on_call(known, "a/bc/d", noon) == ()


@pytest.mark.parametrize("bad", [{"hours": ("sometimes",)}, {"hours": ("25:00-26:00",)}, {"first": "soon"}])
def test_a_rota_that_cannot_be_read(bad: dict[str, object]):
    with pytest.raises(ValueError, match=r"hours|past|format"):
        check_rota(rota(**bad))


# -- iCalendar

HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n"
SPAN = (ms("2026-01-01"), ms("2027-01-01"))


def ics(*events: str) -> bytes:
    body = "".join(f"BEGIN:VEVENT\r\nUID:{n}\r\n{one}\r\nEND:VEVENT\r\n" for n, one in enumerate(events))
    return f"{HEAD}{body}END:VCALENDAR\r\n".encode()


def who(name: str) -> str | None:
    return {"kim": "kim", "lee@plant.example": "lee"}.get(name.lower())


def read(*events: str) -> list[Duty]:
    return read_duties(ics(*events), "a/b", "src", *SPAN, BERLIN, who)


def test_duties_of_a_file_in_their_own_zones():
    zone = "TZID=Europe/Berlin"
    night = f"DTSTART;{zone}:20261024T220000\r\nDTEND;{zone}:20261025T060000\r\nSUMMARY:Kim"
    utc = "DTSTART:20260105T050000Z\r\nDURATION:PT8H\r\nSUMMARY:x\r\nATTENDEE;CN=Lee:mailto:Lee@plant.example"
    floating = "DTSTART:20260106T060000\r\nDTEND:20260106T140000\r\nSUMMARY:kim"
    gone = f"{floating}\r\nSTATUS:CANCELLED"
    found = read(night, utc, floating, gone)
    assert [(one.person, (one.end - one.start) / HOUR) for one in found] == [
        ("lee", 8),
        ("kim", 8),
        ("kim", 9),
    ]
    assert found[1].start == ms("2026-01-06T06:00"), "a time without a zone is of the desk's"


def test_a_rule_repeats_by_the_wall_clock():
    start = "DTSTART;TZID=America/New_York:20260302T080000\r\nDTEND;TZID=America/New_York:20260302T160000"
    rule = "RRULE:FREQ=WEEKLY;UNTIL=20260323T235959Z\r\nEXDATE;TZID=America/New_York:20260316T080000"
    found = read(f"{start}\r\n{rule}\r\nSUMMARY:kim")
    york = ZoneInfo("America/New_York")
    assert [one.start for one in found] == [ms(f"2026-03-{day:02}T08:00", york) for day in (2, 9, 23)]


def test_one_of_a_series_that_was_moved():
    series = "DTSTART:20260105T060000Z\r\nDTEND:20260105T140000Z\r\nSUMMARY:kim\r\nRRULE:FREQ=DAILY;COUNT=3"
    moved = "DTSTART:20260106T080000Z\r\nDTEND:20260106T100000Z\r\nSUMMARY:kim"
    moved += "\r\nRECURRENCE-ID:20260106T060000Z"
    content = ics(series, moved).replace(b"UID:1", b"UID:0")
    found = read_duties(content, "a/b", "src", *SPAN, BERLIN, who)
    assert [datetime.fromtimestamp(one.start / 1000, ZoneInfo("UTC")).hour for one in found] == [6, 8, 6]


def test_holidays_of_a_file():
    one = "DTSTART;VALUE=DATE:20260101\r\nSUMMARY:New Year"
    days = "DTSTART;VALUE=DATE:20260216\r\nDTEND;VALUE=DATE:20260219\r\nSUMMARY:Seollal"
    yearly = "DTSTART;VALUE=DATE:20201225\r\nSUMMARY:Christmas\r\nRRULE:FREQ=YEARLY;UNTIL=20301231"
    found = read_holidays(ics(one, days, yearly), *SPAN, BERLIN)
    assert [day for day, _ in found] == ["2026-01-01", "2026-02-16", "2026-02-17", "2026-02-18", "2026-12-25"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no iCalendar file"),
        (b"\xff\xfe", "no iCalendar file"),
        (ics("SUMMARY:kim"), "time cannot be read"),
        (ics("DTSTART:20260105T060000Z\r\nDTEND:20260105T050000Z\r\nSUMMARY:kim"), "ends before"),
        (ics("DTSTART:20260105T060000Z\r\nDURATION:PT8H\r\nSUMMARY:stranger"), "names no account"),
        (
            ics("DTSTART:20260105T060000Z\r\nDURATION:PT8H\r\nSUMMARY:kim\r\nRRULE:FREQ=SECONDLY"),
            "repeats daily at most",
        ),
    ],
)
def test_a_file_that_cannot_be_used_says_why(content: bytes, words: str):
    with pytest.raises(CalendarError, match=words):
        read_duties(content, "a/b", "src", *SPAN, BERLIN, who)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: ics(text)))
def test_any_file_is_read_or_refused(content: bytes):
    try:
        read_holidays(content, *SPAN, BERLIN)
    except CalendarError:
        return


def test_what_is_written_can_be_read_again():
    made = duties([rota(hours=("mon-fri 22:00-06:00",))], ms("2026-10-19"), ms("2026-10-31"), BERLIN)
    content = write_duties(made, "On call", lambda one: one.person, ms("2026-10-01"), "https://desk/on-call")
    calendar = Calendar.from_ical(content)
    assert len({str(one["UID"]) for one in calendar.walk("VEVENT")}) == len(made)
    again = read_duties(content, "a/b", "r", *SPAN, BERLIN, lambda name: name or None)
    assert [(one.start, one.end, one.person) for one in again] == [
        (one.start, one.end, one.person) for one in made
    ]
