"""The on-call calendar: who is on call, swaps, rotas, and calendars in and out as iCalendar files."""

from __future__ import annotations

from datetime import datetime
from typing import get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from desk.access.on_call import OnCallAccess
from desk.access.roles import ALL, Account, Role
from desk.rules.desk import RefusedError
from desk.rules.on_call import CalendarKind, Duty, Every, Holidays, Rota, SwapState
from desk.service.desk import NotFoundError
from desk.service.icalendar_files import write_duties
from desk.service.on_call import DAY, OnCallBook, account_of
from desk.web.access.guard import AccessGuard, Visit
from desk.web.access.shown_once import ShownOnce

#: Days that the page shows, and those of a subscribed calendar before and after today.
SHOWN, BEFORE, AFTER = 14, 31, 180


class OnCallPages:
    """Routes of `/on-call`."""

    def __init__(self, guard: AccessGuard, book: OnCallBook, people: OnCallAccess, url: str) -> None:
        """``url``: the desk as people reach it."""
        self.guard, self.book, self.people, self.url = guard, book, people, url
        self.shown = ShownOnce()

    def routes(self) -> list[BaseRoute]:
        """Routes of these pages."""
        act, viewer, engineer = self.guard.act, Role.VIEWER, Role.ENGINEER
        return [
            self.guard.page("/on-call", self.calendar),
            act("/on-call/ask", self.ask, Role.CREW),
            act("/on-call/swaps/{id}/{answer}", self.answer, Role.CREW),
            act("/on-call/address", self.address, viewer),
            act("/on-call/key", self.key, viewer),
            act("/on-call/key/end", self.end_key, viewer),
            act("/on-call/key/dismiss", self.dismiss, viewer),
            act("/on-call/rotas", self.put, engineer),
            act("/on-call/rotas/{id}", self.put, engineer),
            act("/on-call/rotas/{id}/remove", self.remove, engineer),
            act("/on-call/import", self.take_in, engineer),
            Route("/on-call/{token}/{which}.ics", self.file, name="public calendar"),
        ]

    def calendar(self, visit: Visit) -> Response:
        """Who is on call now and in the next two weeks; one's own duties, and what is asked of one."""
        now, zone = self.book.desk.clock(), self.book.zone
        found = self.book.duties(visit.scope, now, now + SHOWN * DAY)
        mine = self.book.duties(visit.scope, now, now + 2 * SHOWN * DAY, visit.account.name)
        days: dict[str, list[Duty]] = {}
        for duty in found:
            begins = datetime.fromtimestamp(max(duty.start, now) / 1000, zone)
            days.setdefault(begins.date().isoformat(), []).append(duty)
        rotas = self.book.rotas(visit.scope)
        swappable = {rota.id for rota in rotas}
        return self.guard.show(
            visit,
            "work/on_call.html",
            now=now,
            current=[one for one in found if one.start <= now],
            days=days,
            mine=[one for one in mine if one.source in swappable],
            others=[one for one in found if one.person != visit.account.name and one.source in swappable],
            swaps=self.book.swaps(visit.scope, visit.account.name),
            rotas=rotas,
            calendars=self.book.calendars(visit.scope),
            people=self._people(visit),
            address_of_mine=self.people.address(visit.account),
            has_key=self.people.has_key(visit.account),
            shown=self.shown.of(_session(visit)),
            zone=zone.key,
            every=get_args(Every),
            holidays=get_args(Holidays),
            kinds=get_args(CalendarKind),
            today=datetime.fromtimestamp(now / 1000, zone).date().isoformat(),
            places=[] if ALL in visit.account.places else visit.account.places,
        )

    # -- swaps

    def ask(self, visit: Visit) -> Response:
        """Ask somebody to take a duty, or to swap."""
        rota, _, start = visit.form.get("duty", "").partition(" ")
        taker, _, back = visit.form.get("taker", "").partition(" ")
        if taker not in self._people(visit) or not start.isdecimal():
            raise NotFoundError(taker)
        other, _, moment = back.partition(" ")
        returned = (other, int(moment)) if moment.isdecimal() else None
        self.book.ask(visit.scope, rota, int(start), taker, by=visit.by, back=returned)
        return self.guard.back(visit, "done.swap")

    def answer(self, visit: Visit) -> Response:
        """Accept, decline or withdraw."""
        parameters = visit.request.path_params
        state = next((one for one in get_args(SwapState) if one == parameters["answer"]), None)
        if state is None or state == "asked":
            raise NotFoundError(parameters["answer"])
        self.book.answer(visit.scope, parameters["id"], state, by=visit.by)
        return self.guard.back(visit, "done.swap")

    # -- one's own

    def address(self, visit: Visit) -> Response:
        """Where one is told."""
        self.people.set_address(visit.account, visit.form.get("address", ""))
        return self.guard.back(visit, "done.on.call")

    def key(self, visit: Visit) -> Response:
        """A new address to subscribe to, shown until it is dismissed."""
        token = self.people.new_key(visit.account)
        for which, text in (("mine", "on.call.link.mine"), ("all", "on.call.link.all")):
            address = f"{self.url}/on-call/{token}/{which}.ics"
            self.shown.add(_session(visit), text, visit.account.shown, address)
        return self.guard.back(visit, "done.on.call")

    def end_key(self, visit: Visit) -> Response:
        """Nobody subscribes any more."""
        self.people.end_key(visit.account)
        return self.guard.back(visit, "done.on.call")

    def dismiss(self, visit: Visit) -> Response:
        """They have the address."""
        self.shown.dismiss(_session(visit), visit.form.get("id", ""))
        return self.guard.back(visit, "done.on.call")

    def file(self, request: Request) -> Response:
        """The subscribed calendar: who has the key needs nothing else, and reads nothing else."""
        account, which = self.people.by_key(request.path_params["token"]), request.path_params["which"]
        if account is None or which not in ("mine", "all"):
            return Response("There is no such calendar.\n", 404, media_type="text/plain")
        now = self.book.desk.clock()
        person = account.name if which == "mine" else ""
        found = self.book.duties(account.scope, now - BEFORE * DAY, now + AFTER * DAY, person)
        t = self.guard.render.texts(request)
        body = write_duties(
            found,
            f"Yeji: {t('on.call')}",
            lambda one: t("on.call.event", person=one.person, place=one.place.rpartition("/")[2]),
            now,
            f"{self.url}/on-call",
        )
        headers = {"Cache-Control": "private, max-age=600"}
        return Response(body, media_type="text/calendar; charset=utf-8", headers=headers)

    # -- rotas and calendars

    def put(self, visit: Visit) -> Response:
        """A new rota, or another form of one."""
        form = visit.form
        people = tuple(line.strip() for line in form.get("people", "").replace(",", "\n").splitlines())
        strangers = [one for one in people if one and one not in self._people(visit)]
        if strangers:
            raise RefusedError("rota-stranger", name=strangers[0])
        rota = Rota(
            id=visit.request.path_params.get("id", ""),
            place=form.get("place", ""),
            name=form.get("name", ""),
            people=people,
            hours=tuple(line.strip() for line in form.get("hours", "").splitlines() if line.strip()),
            every=next((one for one in get_args(Every) if one == form.get("every")), "week"),
            first=form.get("first", ""),
            holidays=next((one for one in get_args(Holidays) if one == form.get("holidays")), "usual"),
        )
        self.book.put_rota(visit.scope, rota, by=visit.by)
        return self.guard.back(visit, "done.on.call")

    def remove(self, visit: Visit) -> Response:
        """End a rota, or take out a calendar."""
        self.book.remove(visit.scope, visit.request.path_params["id"], by=visit.by)
        return self.guard.back(visit, "done.on.call")

    def take_in(self, visit: Visit) -> Response:
        """An iCalendar file of holidays or duties."""
        kind: CalendarKind = "duties" if visit.form.get("kind") == "duties" else "holidays"
        content = next((file for file in visit.files.values() if file), b"")
        accounts = self._accounts(visit)
        addresses = self.people.addresses([account.name for account in accounts])
        names = {account.shown: account.name for account in accounts} | {
            account.name: account.name for account in accounts
        }
        names |= {address: name for name, address in addresses.items()}
        form = visit.form
        place, name = form.get("place", ""), form.get("name", "")
        self.book.import_calendar(visit.scope, place, name, kind, content, account_of(names), by=visit.by)
        return self.guard.back(visit, "done.on.call")

    # -- who

    def _accounts(self, visit: Visit) -> list[Account]:
        """Who can be on call for the visitor's places: crews of these, or of wider places."""
        return [
            one
            for one in self.guard.accounts.all()
            if not one.disabled
            and one.role >= Role.CREW
            and any(place != ALL and _meet(visit, place) for place in one.places)
        ]

    def _people(self, visit: Visit) -> list[str]:
        return sorted(account.name for account in self._accounts(visit))


def _meet(visit: Visit, place: str) -> bool:
    """Whether ``place`` and the visitor's places have machines in common."""
    return visit.scope.allows(place) or bool(visit.scope.narrowed([place]).places)


def _session(visit: Visit) -> str:
    return visit.session.id if visit.session else ""
