"""The on-call calendar as pages, the API and the planner of messages use it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from desk.rules.desk import RefusedError
from desk.rules.journal import Action, Entry
from desk.rules.on_call import (
    CalendarKind,
    Duty,
    ImportedCalendar,
    OnCallChange,
    Rota,
    Swap,
    SwapState,
    check_rota,
    duties,
    on_call,
)
from desk.rules.scope import Scope
from desk.service.desk import Desk, NotFoundError
from desk.service.icalendar_files import CalendarError, read_duties, read_holidays
from desk.store.on_call import on_call_change, on_call_changes
from desk.store.store import Transaction
from pipeline.records import ID_NAMESPACE

DAY = 86_400_000
#: How far an imported calendar is read: so long back, and so long ahead (ms).
BACK, AHEAD = 31 * DAY, 400 * DAY
MOST_PEOPLE, MOST_NAME = 50, 100
_T = TypeVar("_T", Rota, Swap, ImportedCalendar)


class OnCallBook:
    """Who is on call. Changes are entries of the journal; ``by`` and `Scope` as for `Desk`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.zone = ZoneInfo(desk.settings.desk.timezone)

    # -- what people ask

    def duties(self, scope: Scope, start: int, end: int, person: str = "") -> list[Duty]:
        """Duties of places within ``scope`` between two times (ms UTC), of ``person`` alone if named."""
        with self.desk.store.reading() as r:
            found = self._duties(r, start, end)
        return [one for one in found if scope.allows(one.place) and person in ("", one.person)]

    def at(self, t: Transaction, moment: int) -> Callable[[str], tuple[str, ...]]:
        """Who is on call at a moment: machine or place → names, with the calendar read once in ``t``."""
        known = self._duties(t, moment, moment + 1)
        return lambda machine: on_call(known, machine, moment)

    def rotas(self, scope: Scope) -> list[Rota]:
        """The rotas of places within ``scope``."""
        found = [change for change in self._changes(scope) if isinstance(change, Rota)]
        return sorted(found, key=lambda one: (one.place, one.name, one.id))

    def calendars(self, scope: Scope) -> list[ImportedCalendar]:
        """Imported calendars of places within ``scope``."""
        found = [change for change in self._changes(scope) if isinstance(change, ImportedCalendar)]
        return sorted(found, key=lambda one: (one.place, one.name))

    def swaps(self, scope: Scope, person: str) -> list[Swap]:
        """Swaps of coming duties that ``person`` asked for or is asked about, the nearest first."""
        found = [change for change in self._changes(scope) if isinstance(change, Swap)]
        mine = [one for one in found if person in (one.giver, one.taker)]
        return sorted(mine, key=lambda one: (one.start, one.asked_at))

    # -- what people do

    def put_rota(self, scope: Scope, rota: Rota, *, by: str) -> Rota:
        """A new rota (with no id), or another form of one."""
        place = rota.place.strip("/")
        self._place(scope, place)
        people = tuple(dict.fromkeys(one.strip() for one in rota.people if one.strip()))
        if not people or not rota.name.strip() or not rota.hours:
            raise RefusedError("rota-empty")
        if len(people) > MOST_PEOPLE:
            raise RefusedError("rota-people", most=MOST_PEOPLE)
        try:
            check_rota(rota)
        except ValueError:
            raise RefusedError("rota-hours", example="mon-fri 06:00-14:00") from None
        with self.desk.store.writing() as t:
            id = rota.id
            if id:
                self._known(t, scope, id, Rota)
            else:
                key = f"rota\n{place}\n{rota.name}\n{self.desk.clock()}\n{by}"
                id = str(uuid.uuid5(ID_NAMESPACE, key))
            made = msgspec.structs.replace(
                rota, id=id, place=place, people=people, name=rota.name.strip()[:MOST_NAME]
            )
            self._tell(t, Action.ROTA, made, by)
        return made

    def remove(self, scope: Scope, id: str, *, by: str) -> None:
        """End a rota, or take out an imported calendar."""
        with self.desk.store.writing() as t:
            known = on_call_change(t.db, id)
            if known is None or isinstance(known, Swap) or not scope.allows(known.place):
                raise NotFoundError("There is no such rota or calendar.")
            if isinstance(known, Rota):
                self._tell(t, Action.ROTA, msgspec.structs.replace(known, people=()), by)
            else:
                self._tell(t, Action.CALENDAR, msgspec.structs.replace(known, days=(), duties=()), by)

    def ask(
        self, scope: Scope, rota: str, start: int, taker: str, *, by: str, back: tuple[str, int] | None = None
    ) -> Swap:
        """Ask ``taker`` to take the duty of ``rota`` that begins at ``start``, perhaps for one of theirs."""
        with self.desk.store.writing() as t:
            duty = self._duty(t, scope, rota, start, by)
            if back is not None:
                self._duty(t, scope, back[0], back[1], taker)
            if taker == by or not taker:
                raise RefusedError("swap-self")
            now = self.desk.clock()
            swap = Swap(
                id=str(uuid.uuid5(ID_NAMESPACE, f"swap\n{rota}\n{start}\n{by}\n{taker}\n{now}")),
                place=duty.place,
                rota=rota,
                start=start,
                end=duty.end,
                giver=by,
                taker=taker,
                asked_at=now,
                back=back,
            )
            self._tell(t, Action.SWAP, swap, by)
        return swap

    def answer(self, scope: Scope, id: str, state: SwapState, *, by: str) -> Swap:
        """Accept or decline (who was asked), or withdraw (who asked)."""
        with self.desk.store.writing() as t:
            swap = self._known(t, scope, id, Swap)
            if by != (swap.giver if state == "withdrawn" else swap.taker):
                raise NotFoundError("There is no such swap.")
            if swap.state != "asked":
                raise RefusedError("swap-answered", swap=swap.state)
            if state == "accepted":  # it is still theirs to give, and has not begun
                self._duty(t, scope, swap.rota, swap.start, swap.giver)
                if swap.back is not None:
                    self._duty(t, scope, *swap.back, swap.taker)
            made = msgspec.structs.replace(swap, state=state, answered=t.head()[0] + 1)
            self._tell(t, Action.SWAP, made, by)
        return made

    def import_calendar(
        self,
        scope: Scope,
        place: str,
        name: str,
        kind: CalendarKind,
        content: bytes,
        who: Callable[[str], str | None],
        *,
        by: str,
    ) -> ImportedCalendar:
        """Take in an iCalendar file, in place of the one of the same name, place and kind.

        ``who`` returns the account that a name or e-mail address stands for.
        """
        place, name = place.strip("/"), " ".join(name.split())[:MOST_NAME]
        self._place(scope, place)
        if not name:
            raise RefusedError("calendar-name")
        id = str(uuid.uuid5(ID_NAMESPACE, f"calendar\n{place}\n{kind}\n{name}"))
        now = self.desk.clock()
        span = (now - BACK, now + AHEAD)
        try:
            if kind == "holidays":
                days = read_holidays(content, *span, self.zone)
                made = ImportedCalendar(id=id, place=place, name=name, kind=kind, days=tuple(days))
            else:
                found = read_duties(content, place, id, *span, self.zone, who)
                made = ImportedCalendar(id=id, place=place, name=name, kind=kind, duties=tuple(found))
        except CalendarError as error:
            raise RefusedError("calendar-broken", error=str(error)) from None
        if not made.days and not made.duties:
            raise RefusedError("calendar-empty")
        with self.desk.store.writing() as t:
            self._tell(t, Action.CALENDAR, made, by)
        return made

    # -- inside

    def _changes(self, scope: Scope) -> Sequence[OnCallChange]:
        with self.desk.store.reading() as r:
            found = on_call_changes(r.db, self.desk.clock())
        return [one for one in found if scope.allows(one.place)]

    def _duties(self, t: Transaction, start: int, end: int) -> list[Duty]:
        return duties(on_call_changes(t.db, start - DAY), start, end, self.zone)

    def _duty(self, t: Transaction, scope: Scope, rota: str, start: int, person: str) -> Duty:
        """The coming duty that begins at ``start``, when it is ``person``'s."""
        found = self._duties(t, start, start + 1)
        duty = next((one for one in found if (one.source, one.start) == (rota, start)), None)
        fixed = isinstance(on_call_change(t.db, rota), ImportedCalendar)
        if duty is None or fixed or not scope.allows(duty.place):
            raise NotFoundError("There is no such duty.")
        if duty.person != person:
            raise RefusedError("swap-not-theirs", person=person)
        if duty.end <= self.desk.clock():
            raise RefusedError("swap-over")
        return duty

    def _known(self, t: Transaction, scope: Scope, id: str, kind: type[_T]) -> _T:
        found = on_call_change(t.db, id)
        if not isinstance(found, kind) or not scope.allows(found.place):
            raise NotFoundError("There is no such rota, swap or calendar.")
        return found

    def _place(self, scope: Scope, place: str) -> None:
        if not place or not scope.allows(place):
            raise NotFoundError(f"There is no {place!r} in what you may see.")

    def _tell(self, t: Transaction, action: Action, change: OnCallChange, by: str) -> None:
        now = self.desk.clock()
        t.append(Entry(at=now, time=now, by=by, action=action, machine=change.place, on_call=change))


def account_of(names: dict[str, str]) -> Callable[[str], str | None]:
    """Who a name or address stands for, whatever its case; ``names`` lead to accounts."""
    known = {name.casefold(): account for name, account in names.items() if name}
    return lambda name: known.get(name.casefold())
