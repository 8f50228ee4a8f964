"""The desk's JSON API, for a plant's maintenance system (CMMS) and other programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from desk.access.roles import Role
from desk.rules.views import AlarmView
from desk.service.desk import Desk
from desk.web.access.guard import AccessGuard, InvalidError, Visit
from desk.web.api import models as m
from desk.web.api.call import Call, Parameter
from desk.web.api.openapi import document
from desk.web.page.app import whole
from desk.web.pages.work_orders import WorkOrders

PREFIX = "/api/v1"
_DAY = 86_400_000
_MOST = 1000
_In = TypeVar("_In", bound=BaseModel)


class Api:
    """Routes of `/api/v1/…`."""

    def __init__(self, guard: AccessGuard, desk: Desk, orders: WorkOrders) -> None:
        self.guard, self.desk, self.orders = guard, desk, orders
        self.url = desk.settings.desk.url
        limit = Parameter("limit", "integer", f"at most so many; {_MOST} at most")
        machine = Parameter("machine", "string", "of this machine alone")
        self.calls = (
            Call(
                "GET",
                "/alarms",
                "listAlarms",
                "Everything that stands on the desk, the most urgent first; related alarms on their own.",
                Role.VIEWER,
                self.alarms,
                m.AlarmOut,
                many=True,
                parameters=(
                    Parameter("priority", "string", "this priority and above: low, medium, high, urgent"),
                    Parameter("waiting", "boolean", "true = only those that wait for an acknowledgement"),
                    machine,
                ),
            ),
            Call("GET", "/alarms/{id}", "getAlarm", "One alarm.", Role.VIEWER, self.alarm, m.AlarmOut),
            self._act("acknowledge", "Somebody has seen it and sees to it.", m.WhyIn, self.acknowledge),
            self._act("take", "The caller goes to look; also acknowledges.", m.WhyIn, self.take),
            self._act("comment", "Leave a word; it stays in the journal.", m.CommentIn, self.comment),
            self._act("shelve", "Keep it from the desk for a time.", m.ShelveIn, self.shelve),
            self._act("unshelve", "Bring it back.", m.WhyIn, self.unshelve),
            Call(
                "POST",
                "/alarms/{id}/close",
                "closeAlarm",
                "Close it with what was found, as when a work order is finished. The models learn from it.",
                Role.CREW,
                self.close,
                m.VerdictOut,
                takes=m.CloseIn,
            ),
            Call(
                "PUT",
                "/alarms/{id}/work-order",
                "setWorkOrder",
                "Link the work order that was made of this alarm; the desk shows it, with its link.",
                Role.CREW,
                self.work_order,
                m.AlarmOut,
                takes=m.WorkOrderIn,
            ),
            Call(
                "GET",
                "/occurrences",
                "listOccurrences",
                "A machine's alarms, the newest first, each with its verdict.",
                Role.VIEWER,
                self.occurrences,
                m.OccurrenceOut,
                many=True,
                parameters=(Parameter("machine", "string", "which machine", required=True), limit),
            ),
            Call(
                "GET",
                "/verdicts",
                "listVerdicts",
                "What crews found, the newest first.",
                Role.VIEWER,
                self.verdicts,
                m.VerdictOut,
                many=True,
                parameters=(machine, limit),
            ),
            Call(
                "GET",
                "/windows",
                "listWindows",
                "Planned work under way and to come.",
                Role.VIEWER,
                self.windows,
                m.WindowOut,
                many=True,
            ),
            Call(
                "POST",
                "/windows",
                "planWork",
                "Plan work: alarms of everything under the place are suppressed meanwhile.",
                Role.ENGINEER,
                self.plan,
                m.WindowOut,
                takes=m.WindowIn,
                status=201,
            ),
            Call(
                "POST",
                "/windows/{id}/end",
                "endWork",
                "End planned work now, or call it off.",
                Role.ENGINEER,
                self.end,
                m.WindowOut,
                takes=m.WhyIn,
            ),
            Call(
                "GET",
                "/journal",
                "listEntries",
                "Who did what, in order: to follow the desk, ask again with the last `seq` as `after`.",
                Role.VIEWER,
                self.journal,
                m.EntryOut,
                many=True,
                parameters=(Parameter("after", "integer", "only entries after this one"), machine, limit),
            ),
            Call(
                "GET",
                "/kpis",
                "getKpis",
                "ISA-18.2's measures of the last days.",
                Role.VIEWER,
                self.kpis,
                m.KpisOut,
                parameters=(Parameter("days", "integer", "7 unless given, 366 at most"),),
            ),
        )

    def _act(
        self, name: str, about: str, takes: type[BaseModel], handler: Callable[[Visit], Response]
    ) -> Call:
        path = f"/alarms/{{id}}/{name}"
        return Call("POST", path, f"{name}Alarm", about, Role.CREW, handler, m.AlarmOut, takes=takes)

    def routes(self) -> list[BaseRoute]:
        """All calls, and the document that describes them."""
        described = document(self.calls, self.url, PREFIX)

        async def openapi(request: Request) -> Response:
            return JSONResponse(described)

        return [
            Route(f"{PREFIX}/openapi.json", openapi, name="public openapi"),
            *(
                self.guard.api(PREFIX + call.path, call.handler, call.role, call.method)
                for call in self.calls
            ),
        ]

    # -- alarms

    def alarms(self, visit: Visit) -> Response:
        """`GET /alarms`."""
        query = visit.request.query_params
        names = ("low", "medium", "high", "urgent")
        least = names.index(query["priority"]) + 1 if query.get("priority") in names else 1
        alarms = [one for lead in self.desk.open_alarms(visit.scope) for one in (lead, *lead.members)]
        wanted = [
            one
            for one in alarms
            if one.priority >= least
            and (query.get("waiting") != "true" or one.waits)
            and query.get("machine", one.machine) == one.machine
        ]
        return _json([self._out(one) for one in wanted])

    def alarm(self, visit: Visit) -> Response:
        """`GET /alarms/{id}`."""
        return _json(self._out(self.desk.alarm(visit.scope, _id(visit))))

    def acknowledge(self, visit: Visit) -> Response:
        """`POST /alarms/{id}/acknowledge`."""
        given = _read(visit, m.WhyIn)
        return _json(self._out(self.desk.acknowledge(visit.scope, _id(visit), by=visit.by, why=given.why)))

    def take(self, visit: Visit) -> Response:
        """`POST /alarms/{id}/take`."""
        given = _read(visit, m.WhyIn)
        return _json(self._out(self.desk.take(visit.scope, _id(visit), by=visit.by, why=given.why)))

    def comment(self, visit: Visit) -> Response:
        """`POST /alarms/{id}/comment`."""
        given = _read(visit, m.CommentIn)
        return _json(self._out(self.desk.comment(visit.scope, _id(visit), by=visit.by, text=given.text)))

    def shelve(self, visit: Visit) -> Response:
        """`POST /alarms/{id}/shelve`."""
        given = _read(visit, m.ShelveIn)
        until = None if given.until is None else _ms(given.until)
        return _json(
            self._out(self.desk.shelve(visit.scope, _id(visit), by=visit.by, why=given.why, until=until))
        )

    def unshelve(self, visit: Visit) -> Response:
        """`POST /alarms/{id}/unshelve`."""
        given = _read(visit, m.WhyIn)
        return _json(self._out(self.desk.unshelve(visit.scope, _id(visit), by=visit.by, why=given.why)))

    def close(self, visit: Visit) -> Response:
        """`POST /alarms/{id}/close`."""
        given = _read(visit, m.CloseIn)
        verdict = self.desk.close_alarm(
            visit.scope,
            _id(visit),
            by=visit.by,
            kind=given.kind,
            failure_mode=given.failure_mode,
            part=given.part,
            sensor=given.sensor,
            comment=given.comment,
        )
        return _json(m.VerdictOut.of(verdict))

    def work_order(self, visit: Visit) -> Response:
        """`PUT /alarms/{id}/work-order`."""
        given, id = _read(visit, m.WorkOrderIn), _id(visit)
        url = str(given.url) if given.url else ""
        words = f"Work order {given.number}" + (f": {url}" if url else "")
        before = self.orders.of(id)
        view = self.desk.alarm(visit.scope, id)
        if before is None or (before.number, before.url) != (
            given.number,
            url,
        ):  # a repeated call adds nothing
            view = self.desk.comment(visit.scope, id, by=visit.by, text=words)
        order = self.orders.set(id, given.number, url, visit.by)
        return _json(m.AlarmOut.of(view, self.url, order, self._advice(view)))

    def _out(self, view: AlarmView) -> m.AlarmOut:
        return m.AlarmOut.of(view, self.url, self.orders.of(view.id), self._advice(view))

    def _advice(self, view: AlarmView) -> m.AdviceOut | None:
        now = self.desk.clock()
        en, ko = (self.desk.advice.advise(view, now, language) for language in ("en", "ko"))
        return m.AdviceOut.of(en, ko) if en and ko else None

    # -- the rest

    def occurrences(self, visit: Visit) -> Response:
        """`GET /occurrences`."""
        machine = visit.request.query_params.get("machine", "")
        if not machine:
            raise InvalidError("machine is missing: which machine's alarms?")
        found = self.desk.history(visit.scope, machine, limit=_limit(visit))
        return _json([m.OccurrenceOut.of(one) for one in found])

    def verdicts(self, visit: Visit) -> Response:
        """`GET /verdicts`."""
        machine = visit.request.query_params.get("machine")
        found = self.desk.verdicts(visit.scope, machine=machine, limit=_limit(visit))
        return _json([m.VerdictOut.of(one) for one in found])

    def windows(self, visit: Visit) -> Response:
        """`GET /windows`."""
        return _json([m.WindowOut.of(one) for one in self.desk.windows(visit.scope)])

    def plan(self, visit: Visit) -> Response:
        """`POST /windows`."""
        given = _read(visit, m.WindowIn)
        window = self.desk.open_window(
            visit.scope, given.place, start=_ms(given.start), end=_ms(given.end), by=visit.by, why=given.why
        )
        return _json(m.WindowOut.of(window), 201)

    def end(self, visit: Visit) -> Response:
        """`POST /windows/{id}/end`."""
        given = _read(visit, m.WhyIn)
        return _json(
            m.WindowOut.of(self.desk.end_window(visit.scope, _id(visit), by=visit.by, why=given.why))
        )

    def journal(self, visit: Visit) -> Response:
        """`GET /journal`."""
        query = visit.request.query_params
        after = whole(query.get("after"), 0, most=2**53)
        found = self.desk.journal(visit.scope, machine=query.get("machine"), after=after, limit=_limit(visit))
        return _json([m.EntryOut.of(one) for one in found])

    def kpis(self, visit: Visit) -> Response:
        """`GET /kpis`."""
        days = whole(visit.request.query_params.get("days"), 7, most=366) or 7
        end = self.desk.clock()
        return _json(m.KpisOut.of(self.desk.kpis(visit.scope, end - days * _DAY, end)))


def _read(visit: Visit, kind: type[_In]) -> _In:
    """The body of a call. Raises `InvalidError` with one line a mistake."""
    try:
        return kind.model_validate_json(visit.body or b"{}")
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors()]
        raise InvalidError("; ".join(lines)) from None


def _json(given: BaseModel | Sequence[BaseModel], status: int = 200) -> Response:
    body: object = (
        given.model_dump(mode="json")
        if isinstance(given, BaseModel)
        else {"items": [one.model_dump(mode="json") for one in given]}
    )
    return JSONResponse(body, status, headers={"Cache-Control": "no-store"})


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _limit(visit: Visit) -> int:
    return max(1, whole(visit.request.query_params.get("limit"), 200, most=_MOST))


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
