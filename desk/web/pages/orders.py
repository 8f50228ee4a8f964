"""Work orders: the list, one order to act on and to print, and what a CMMS would ask for on paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import get_args
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from desk.access.roles import Role
from desk.rules.desk import RefusedError
from desk.rules.work_orders import OrderAct, WorkOrder, parse_parts, possible
from desk.service.desk import Desk
from desk.service.work_orders import Done, Plan, WorkOrders
from desk.store.orders import OrderChoice, Show, order_choice
from desk.web.access.guard import AccessGuard, Visit
from desk.web.pages.alarms import finding_of
from desk.web.pages.times import local_text, parse_local
from pipeline.priority import Priority
from pipeline.records import VerdictKind

#: Who may do what: the crew works, an engineer signs and cancels.
ROLES = {
    OrderAct.PLAN: Role.CREW,
    OrderAct.START: Role.CREW,
    OrderAct.FINISH: Role.CREW,
    OrderAct.REOPEN: Role.ENGINEER,
    OrderAct.SIGN_OFF: Role.ENGINEER,
    OrderAct.CANCEL: Role.ENGINEER,
}


#: Machines that are offered while typing: a plant's thousands would make the page long.
_OFFERED = 300


class OrderPages:
    """Routes of `/orders`."""

    def __init__(self, guard: AccessGuard, desk: Desk, orders: WorkOrders) -> None:
        self.guard, self.desk, self.orders = guard, desk, orders
        self.acts: dict[OrderAct, Callable[[Visit, str], object]] = {
            OrderAct.PLAN: lambda v, id: orders.plan(v.scope, id, self._plan(v), by=v.by),
            OrderAct.START: lambda v, id: orders.start(v.scope, id, by=v.by),
            OrderAct.FINISH: self._finish,
            OrderAct.REOPEN: lambda v, id: orders.reopen(v.scope, id, by=v.by, why=v.form.get("why", "")),
            OrderAct.SIGN_OFF: lambda v, id: orders.sign_off(v.scope, id, by=v.by, why=v.form.get("why", "")),
            OrderAct.CANCEL: lambda v, id: orders.cancel(v.scope, id, by=v.by, why=v.form.get("why", "")),
        }

    def routes(self) -> list[BaseRoute]:
        """Routes of these pages."""
        return [
            self.guard.page("/orders", self.all),
            self.guard.act("/orders", self.request),
            self.guard.page("/orders/{id}", self.one),
            *(self.guard.act(f"/orders/{{id}}/{act}", self._act(act), role) for act, role in ROLES.items()),
        ]

    def all(self, visit: Visit) -> Response:
        """The list, chosen and in pages, made to be printed too."""
        wanted = order_choice(dict(visit.request.query_params))
        page = self.orders.listed(visit.scope, wanted)
        query = visit.request.query_params
        return self.guard.show(
            visit,
            "work/orders.html",
            page=page,
            wanted=wanted,
            shows=get_args(Show),
            link=lambda **change: address_of(wanted, **change),
            now=self.desk.clock(),
            machine=query.get("machine", ""),
            machines=self.desk.machines(visit.scope)[:_OFFERED],
            people=self._people(visit),
            priorities=sorted(Priority, reverse=True),
            zone=self.desk.settings.desk.timezone,
            places=visit.account.places,
        )

    def one(self, visit: Visit) -> Response:
        """One order: what is to be done, with what, and what was done."""
        order = self.orders.order(visit.scope, visit.request.path_params["id"])
        language = self.guard.render.language(visit.request)
        advisor, zone = self.desk.advice.advisor, self.desk.settings.desk.timezone
        machine_class = self.desk.settings.class_of(order.machine) or ""
        alarm = self.desk.occurrence(visit.scope, order.alarm) if order.alarm else None
        advice = (
            self.desk.advice.advise(self.desk.alarm(visit.scope, order.alarm), self.desk.clock(), language)
            if alarm
            else None
        )
        modes = advisor.modes(machine_class, order.machine)
        known = self.desk.verdicts(visit.scope, machine=order.machine, limit=100)
        parts = [
            *(advice.parts if advice else ()),
            *(p.of(language) for m in modes.values() for p in m.parts),
        ]
        return self.guard.show(
            visit,
            "work/order.html",
            order=order,
            alarm=alarm,
            advice=advice,
            acts=[act for act in possible(order.state) if visit.account.role >= ROLES[act]],
            history=self.orders.history(visit.scope, order.id),
            now=self.desk.clock(),
            due="" if order.due is None else local_text(order.due, zone),
            zone=zone,
            people=self._people(visit),
            priorities=sorted(Priority, reverse=True),
            parts=list(dict.fromkeys([*parts, *(one.part for one in known if one.part)])),
            modes=advisor.titles(machine_class, order.machine, language),
            sensors=[contribution.sensor for contribution in alarm.event.contributions] if alarm else [],
            machine_class=machine_class,
            kinds=VerdictKind,
        )

    # -- acts

    def request(self, visit: Visit) -> Response:
        """A new order; the answer is its page."""
        form = visit.form
        order = self.orders.request(
            visit.scope,
            form.get("machine", ""),
            form.get("title", ""),
            by=visit.by,
            alarm=form.get("alarm", ""),
            plan=self._plan(visit),
        )
        return RedirectResponse(f"/orders/{order.id}", 303)

    def _act(self, act: OrderAct) -> Callable[[Visit], Response]:
        def handler(visit: Visit) -> Response:
            self.acts[act](visit, visit.request.path_params["id"])
            return self.guard.back(visit, "done.order", what=self._words(visit, act))

        return handler

    def _words(self, visit: Visit, act: OrderAct) -> str:
        return self.guard.render.texts(visit.request)(f"entry.order-{act}")

    def _finish(self, visit: Visit, id: str) -> WorkOrder:
        form = visit.form
        downtime = form.get("downtime", "").strip().replace(",", ".")
        try:
            parts = parse_parts(form.get("parts", ""))
            minutes = float(downtime) if downtime else None
        except ValueError:
            raise RefusedError("order-numbers") from None
        finding = finding_of(form) if form.get("kind") else None
        done = Done(form.get("report", ""), parts, minutes, finding)
        return self.orders.finish(visit.scope, id, done, by=visit.by)

    def _plan(self, visit: Visit) -> Plan:
        form = visit.form
        due = form.get("due", "").strip()
        priority = form.get("priority", "").upper()
        return Plan(
            form.get("assignee"),
            parse_local(due, self.desk.settings.desk.timezone) if due else None,
            Priority[priority] if priority in Priority.__members__ else None,
            form.get("instructions"),
        )

    def _people(self, visit: Visit) -> list[str]:
        """Whom an order can be given to: the accounts of the visitor's own places."""
        return sorted(
            one.name
            for one in self.guard.accounts.all()
            if not one.disabled
            and one.role >= Role.CREW
            and any(visit.scope.allows(place) for place in one.places)
        )


def address_of(wanted: OrderChoice, **change: object) -> str:
    """The address of a page of the list.

    >>> address_of(OrderChoice(), show="done", page=2)
    '/orders?show=done&page=2'
    """
    usual = asdict(OrderChoice())
    given = asdict(wanted) | ({"page": 1} if "page" not in change else {}) | change
    names = {"text": "q"}
    query = urlencode({names.get(k, k): v for k, v in given.items() if v != usual[k]})
    return f"/orders?{query}" if query else "/orders"
