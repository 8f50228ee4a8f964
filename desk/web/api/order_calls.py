"""The API's calls for work orders: a maintenance system follows them and moves them on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from desk.rules.finding import Finding
from desk.rules.work_orders import WorkOrder
from desk.service.work_orders import Done, Plan
from desk.store.orders import OrderChoice, Show
from desk.web.api import order_models as m
from desk.web.api.calls import By, Shown, There, ms, named
from desk.web.api.guarded import ForCrew, ForEngineers, Guarded
from pipeline.priority import Priority

read = APIRouter(route_class=Guarded)
crew = APIRouter(route_class=ForCrew)
engineers = APIRouter(route_class=ForEngineers)
ROUTERS = (read, crew, engineers)

NO_PERSON = m.PersonIn()
NO_SIGN = m.SignIn()
NO_WORDS = m.DoneIn()


def _out(there: Shown, order: WorkOrder) -> m.OrderOut:
    return m.OrderOut.of(order, there.url, there.desk.clock())


def _plan(given: m.PlanIn) -> Plan:
    return Plan(
        given.assignee,
        None if given.due is None else ms(given.due),
        None if given.priority is None else Priority[given.priority.upper()],
        given.instructions,
    )


@read.get("/orders", **named("listOrders"))
def orders(
    by: By,
    there: There,
    show: Annotated[Show, Query(description="a state, or several of them by one word")] = "open",
    place: Annotated[str, Query(max_length=400, description="of machines under this place")] = "",
    assignee: Annotated[str, Query(max_length=100, description="of this person alone")] = "",
    alarm: Annotated[str, Query(max_length=100, description="that come of this alarm")] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> m.OrdersOut:
    """Work orders, the most pressing first, 50 a page."""
    wanted = OrderChoice(show, place.strip("/"), assignee, alarm, "", page)
    found = there.orders.listed(by.scope, wanted)
    return m.OrdersOut(
        items=[_out(there, order) for order in found.orders], total=found.total, pages=found.pages
    )


@crew.post("/orders", status_code=201, **named("requestWork"))
def request(by: By, there: There, given: m.OrderIn) -> m.OrderOut:
    """Ask for work on a machine, or on that of an alarm, which has one open order at most."""
    order = there.orders.request(
        by.scope, given.machine, given.title, by=by.by, alarm=given.alarm, plan=_plan(given)
    )
    return _out(there, order)


@read.get("/orders/{id}", **named("getOrder"))
def one(id: str, by: By, there: There) -> m.OrderOut:
    """One work order."""
    return _out(there, there.orders.order(by.scope, id))


@crew.post("/orders/{id}/plan", **named("planOrder"))
def plan(id: str, by: By, there: There, given: m.PlanIn) -> m.OrderOut:
    """Say who does it, until when and how."""
    return _out(there, there.orders.plan(by.scope, id, _plan(given), by=by.by))


@crew.post("/orders/{id}/start", **named("startOrder"))
def start(id: str, by: By, there: There, given: m.PersonIn = NO_PERSON) -> m.OrderOut:
    """The work begins."""
    return _out(there, there.orders.start(by.scope, id, by=by.by, person=given.person))


@crew.post("/orders/{id}/finish", **named("finishOrder"))
def finish(id: str, by: By, there: There, given: m.DoneIn = NO_WORDS) -> m.OrderOut:
    """The work is done: what was found goes on to the models as a verdict on the alarm."""
    found = given.finding
    done = Done(
        given.report,
        [part.part() for part in given.parts],
        given.downtime_minutes,
        Finding(found.kind, found.failure_mode, part=found.part, sensor=found.sensor, comment=found.comment)
        if found
        else None,
    )
    return _out(there, there.orders.finish(by.scope, id, done, by=by.by, person=given.person))


@engineers.post("/orders/{id}/sign-off", **named("signOrder"))
def sign_off(id: str, by: By, there: There, given: m.SignIn = NO_SIGN) -> m.OrderOut:
    """Another person than who did it has seen that it is done."""
    return _out(there, there.orders.sign_off(by.scope, id, by=by.by, person=given.person, why=given.why))


@engineers.post("/orders/{id}/reopen", **named("reopenOrder"))
def reopen(id: str, by: By, there: There, given: m.ReasonIn) -> m.OrderOut:
    """It is not done after all."""
    return _out(there, there.orders.reopen(by.scope, id, by=by.by, why=given.why))


@engineers.post("/orders/{id}/cancel", **named("cancelOrder"))
def cancel(id: str, by: By, there: There, given: m.ReasonIn) -> m.OrderOut:
    """It will not be done."""
    return _out(there, there.orders.cancel(by.scope, id, by=by.by, why=given.why))


@crew.put("/orders/{id}/link", **named("linkOrder"))
def link(id: str, by: By, there: There, given: m.LinkIn) -> m.OrderOut:
    """Keep the maintenance system's own number and address on the order; again changes nothing."""
    url = str(given.url) if given.url else ""
    return _out(there, there.orders.link(by.scope, id, by=by.by, number=given.number, url=url))
