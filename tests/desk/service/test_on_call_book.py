"""The on-call calendar on the desk: rotas, swaps that are asked for and answered, files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.rules.desk import RefusedError
from desk.rules.on_call import Rota
from desk.rules.scope import EVERYTHING, Scope
from desk.service.desk import Desk, NotFoundError
from desk.service.on_call import DAY, OnCallBook, account_of
from desk.store.store import check_journal
from streams.settings import Settings
from tests.desk.rules.test_on_call import HOUR, ics, ms

NOW = ms("2026-01-05T12:00")
BODY = "gwangju/ggm/body"
NIGHTS = Rota(
    id="", place=f"/{BODY}/", name="nights", people=("kim", "lee", " "), hours=("22:00-06:00",), every="day",
    first="2026-01-05",
)  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "desk.sqlite", Settings(desk={"timezone": "Europe/Berlin"}), lambda: NOW)
    yield desk
    check_journal(desk.store.path, [])  # the calendar follows from the journal
    desk.close()


@pytest.fixture
def book(desk: Desk) -> OnCallBook:
    return OnCallBook(desk)


def code(error: pytest.ExceptionInfo[RefusedError]) -> str:
    return error.value.cause.code


def test_a_rota_is_made_changed_and_ended(book: OnCallBook):
    made = book.put_rota(EVERYTHING, NIGHTS, by="boss")
    assert (made.place, made.people) == (BODY, ("kim", "lee"))
    assert [one.person for one in book.duties(EVERYTHING, NOW, NOW + 2 * DAY)] == ["kim", "lee"]
    assert len(book.duties(EVERYTHING, NOW, NOW + 2 * DAY, "lee")) == 1
    changed = Rota(id=made.id, place=BODY, name="nights", people=("choi",), hours=("22:00-06:00",))
    book.put_rota(EVERYTHING, changed, by="boss")
    assert {one.person for one in book.duties(EVERYTHING, NOW, NOW + 2 * DAY)} == {"choi"}
    book.remove(EVERYTHING, made.id, by="boss")
    assert book.rotas(EVERYTHING) == []
    assert book.duties(EVERYTHING, NOW, NOW + 2 * DAY) == []


def test_a_swap_counts_once_it_is_accepted(book: OnCallBook):
    rota = book.put_rota(EVERYTHING, NIGHTS, by="boss")
    first, second = book.duties(EVERYTHING, NOW, NOW + 2 * DAY)
    swap = book.ask(EVERYTHING, rota.id, first.start, "lee", by="kim", back=(rota.id, second.start))
    assert book.duties(EVERYTHING, NOW, NOW + 2 * DAY) == [first, second]
    assert book.swaps(EVERYTHING, "lee") == [swap]
    with pytest.raises(NotFoundError):
        book.answer(EVERYTHING, swap.id, "accepted", by="kim")
    book.answer(EVERYTHING, swap.id, "accepted", by="lee")
    found = book.duties(EVERYTHING, NOW, NOW + 2 * DAY)
    assert [(one.person, one.swapped) for one in found] == [("lee", "kim"), ("kim", "lee")]
    with pytest.raises(RefusedError) as error:
        book.answer(EVERYTHING, swap.id, "declined", by="lee")
    assert code(error) == "swap-answered"
    again = book.ask(EVERYTHING, rota.id, first.start, "choi", by="lee")  # who took it can give it on
    other = book.ask(EVERYTHING, rota.id, first.start, "park", by="lee")
    book.answer(EVERYTHING, other.id, "accepted", by="park")
    with pytest.raises(RefusedError) as error:
        book.answer(EVERYTHING, again.id, "accepted", by="choi")
    assert code(error) == "swap-not-theirs", "somebody was quicker"
    book.answer(EVERYTHING, again.id, "withdrawn", by="lee")
    assert book.duties(EVERYTHING, NOW, NOW + DAY)[0].person == "park"


def test_what_is_refused(book: OnCallBook):
    rota = book.put_rota(EVERYTHING, NIGHTS, by="boss")
    first = book.duties(EVERYTHING, NOW, NOW + DAY)[0]
    for wanted, act in (
        ("swap-not-theirs", lambda: book.ask(EVERYTHING, rota.id, first.start, "kim", by="lee")),
        ("swap-self", lambda: book.ask(EVERYTHING, rota.id, first.start, "kim", by="kim")),
        ("rota-empty", lambda: put(book, people=())),
        ("rota-hours", lambda: put(book, hours=("never",))),
        ("rota-people", lambda: put(book, people=tuple(map(str, range(60))))),
        ("calendar-name", lambda: taken(book, b"", name=" ")),
        ("calendar-broken", lambda: taken(book, b"x")),
        ("calendar-empty", lambda: taken(book, ics("DTSTART;VALUE=DATE:20200101\r\nSUMMARY:x"))),
    ):
        with pytest.raises(RefusedError) as error:
            act()
        assert code(error) == wanted
    ours = Scope.of("ulsan")
    for out in (
        lambda: book.ask(EVERYTHING, rota.id, first.start + 1, "lee", by="kim"),
        lambda: book.ask(ours, rota.id, first.start, "lee", by="kim"),
        lambda: book.remove(ours, rota.id, by="x"),
        lambda: book.put_rota(ours, NIGHTS, by="x"),
        lambda: taken(book, b"", scope=ours),
    ):
        with pytest.raises(NotFoundError):
            out()
    assert book.duties(ours, NOW, NOW + DAY) == []
    assert book.rotas(ours) == []


def put(book: OnCallBook, **change: object) -> None:
    given = {"id": "", "place": BODY, "name": "n", "people": ("kim",)} | change
    book.put_rota(EVERYTHING, Rota(**given), by="boss")


def taken(book: OnCallBook, content: bytes, name: str = "n", scope: Scope = EVERYTHING) -> None:
    book.import_calendar(scope, BODY, name, "holidays", content, account_of({}), by="boss")


def test_calendars_from_files_replace_those_of_their_name(book: OnCallBook):
    book.put_rota(EVERYTHING, Rota(id="", place=BODY, name="n", people=("kim",), holidays="off",
                                   first="2026-01-05", every="day"), by="boss")  # fmt: skip
    assert len(book.duties(EVERYTHING, NOW, NOW + 3 * DAY)) == 4
    days = ics("DTSTART;VALUE=DATE:20260106\r\nSUMMARY:Epiphany")
    taken(book, days, "Holidays")
    assert len(book.duties(EVERYTHING, NOW, NOW + 3 * DAY)) == 3
    taken(book, ics("DTSTART;VALUE=DATE:20260101\r\nSUMMARY:New Year"), "Holidays")
    assert len(book.calendars(EVERYTHING)) == 1
    assert len(book.duties(EVERYTHING, NOW, NOW + 3 * DAY)) == 4
    duty = "DTSTART:20260106T060000\r\nDURATION:PT4H\r\nSUMMARY:on call\r\nATTENDEE:mailto:Lee@Plant.example"
    who = account_of({"Lee, the mechanic": "lee", "lee@plant.example": "lee"})
    line = f"{BODY}/line-2"
    made = book.import_calendar(EVERYTHING, line, "team", "duties", ics(duty), who, by="boss")
    (found,) = [one for one in book.duties(EVERYTHING, NOW, NOW + 3 * DAY) if one.person == "lee"]
    assert (found.start, found.end - found.start) == (ms("2026-01-06T06:00"), 4 * HOUR)
    with book.desk.store.reading() as r:
        assert book.at(r, found.start)(f"{line}/press-07") == ("lee",)
        assert book.at(r, found.end)(f"{line}/press-07") == ("kim",)
    with pytest.raises(NotFoundError):
        book.ask(EVERYTHING, made.id, found.start, "kim", by="lee")
    book.remove(EVERYTHING, made.id, by="boss")
    assert {one.person for one in book.duties(EVERYTHING, NOW, NOW + 3 * DAY)} == {"kim"}
