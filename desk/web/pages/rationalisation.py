"""The rationalisation list (ISA-18.2): edited by engineers, approved, printed; and what lacks an entry."""

from __future__ import annotations

from urllib.parse import urlencode

from msgspec.structs import replace
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from desk.access.roles import Role
from desk.advice.sentence import Course
from desk.rules.desk import RefusedError
from desk.rules.rationalisation import ByPlace, Rationalisation
from desk.rules.routing import OWN
from desk.rules.scope import within
from desk.service.desk import Desk
from desk.service.rationalisation import RationalisationList
from desk.web.access.guard import AccessGuard, Visit
from pipeline.priority import Priority
from pipeline.records import AlarmEvent, AlarmKind

#: What came in so long (ms) and is in no entry is named.
_LOOK = 30 * 86_400_000
_NAMED = 50


class RationalisationPages:
    """Routes of `/rationalisation`."""

    def __init__(self, guard: AccessGuard, desk: Desk, records: RationalisationList) -> None:
        self.guard, self.desk, self.records = guard, desk, records

    def routes(self) -> list[BaseRoute]:
        """Routes of these pages."""
        return [
            self.guard.page("/rationalisation", self.all),
            self.guard.page("/rationalisation/edit", self.edit, Role.ENGINEER),
            self.guard.act("/rationalisation", self.put, Role.ENGINEER),
            self.guard.act("/rationalisation/{id}/approve", self.approve, Role.ENGINEER),
            self.guard.act("/rationalisation/{id}/remove", self.remove, Role.ENGINEER),
        ]

    def all(self, visit: Visit) -> Response:
        """The list, made to be printed, and the alarm points that came and are not in it."""
        records = self.records.all(visit.scope)
        holding = ByPlace(self.records.holding(visit.scope))
        now = self.desk.clock()
        came = self.desk.review(visit.scope, now - _LOOK)
        missing = [
            one for one in came if not within(one.event.machine, OWN) and holding.find(one.event) is None
        ]
        return self.guard.show(
            visit,
            "work/rationalisation.html",
            records=records,
            missing=missing[:_NAMED],
            more=max(0, len(missing) - _NAMED),
            came=len(came),
            now=now,
            places=visit.account.places,
            edit=lambda event: f"/rationalisation/edit?{urlencode(_key_of(event))}",
            edit_one=lambda one: f"/rationalisation/edit?{urlencode({'id': one.id})}",
        )

    def edit(self, visit: Visit) -> Response:
        """The form: of a record, or of points that an address names, begun with what the catalogue says."""
        query = visit.request.query_params
        known = query.get("id", "")
        record = self.records.one(visit.scope, known) if known else self._begun(visit)
        return self.guard.show(
            visit,
            "work/rationalise.html",
            record=record,
            kinds_of=list(AlarmKind),
            priorities=sorted(Priority, reverse=True),
            machine_classes=sorted(self.desk.settings.classes),
        )

    def _begun(self, visit: Visit) -> Rationalisation:
        """A record with what is known: of the points in the address, or of the alarm that it names."""
        query = visit.request.query_params
        given = {name: query.get(name, "")[:200] for name in ("machine_class", "kind", "sensor", "code")}
        begun = replace(Rationalisation(id="", place=query.get("place", "")[:400]), **given)
        if not query.get("alarm"):
            return begun
        alarm = self.desk.alarm(visit.scope, query["alarm"])
        language = self.guard.render.language(visit.request)
        advice = self.desk.advice.advisor.advise(alarm.event, (), Course(0, active=False), language)
        t = self.guard.render.texts(visit.request)
        return replace(
            begun,
            **_key_of(alarm.event),
            cause=advice.lead.title.of(language) if advice.lead else "",
            consequence=t(f"consequence.{alarm.criticality}"),
            response="\n".join(advice.first),
            minutes=float(advice.minutes or 0),
            priority=alarm.priority,
        )

    # -- acts

    def put(self, visit: Visit) -> Response:
        """Keep a record."""
        form = visit.form
        try:
            minutes = float(form.get("minutes", "").replace(",", ".") or "nan")
        except ValueError:
            raise RefusedError("rationalisation-minutes") from None
        priority = form.get("priority", "").upper()
        names = ("machine_class", "kind", "sensor", "code", "cause", "consequence", "response")
        wanted = replace(
            Rationalisation(id="", place=form.get("place", "")[:400]),
            minutes=minutes,
            priority=Priority[priority] if priority in Priority.__members__ else Priority.MEDIUM,
            **{name: form.get(name, "").strip() for name in names},
        )
        self.records.put(visit.scope, wanted, by=visit.by)
        return RedirectResponse("/rationalisation", 303)

    def approve(self, visit: Visit) -> Response:
        """It holds as it stands."""
        self.records.approve(visit.scope, visit.request.path_params["id"], by=visit.by)
        return self.guard.back(visit, "done.rationalisation")

    def remove(self, visit: Visit) -> Response:
        """Nothing is agreed on any more."""
        self.records.remove(visit.scope, visit.request.path_params["id"], by=visit.by)
        return self.guard.back(visit, "done.rationalisation")


def _key_of(event: AlarmEvent) -> dict[str, str]:
    """The point of ``event``, as an address says it."""
    return {
        "place": event.machine,
        "machine_class": event.machine_class,
        "kind": str(event.kind),
        "sensor": event.sensor or "",
        "code": event.code,
    }
