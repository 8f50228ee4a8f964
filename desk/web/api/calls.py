"""The desk's JSON API, for a plant's maintenance system (CMMS) and other programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request

from desk.rules.finding import Finding
from desk.rules.scope import Scope, within
from desk.rules.views import AlarmView
from desk.service.desk import Desk
from desk.service.on_call import OnCallBook
from desk.service.rationalisation import RationalisationList
from desk.service.work_orders import WorkOrders
from desk.web.access.guard import Visit
from desk.web.api import models as m
from desk.web.api.guarded import ForCrew, ForEngineers, Guarded, visit

_DAY = 86_400_000
_MOST = 1000

read = APIRouter(route_class=Guarded)
crew = APIRouter(route_class=ForCrew)
engineers = APIRouter(route_class=ForEngineers)
ROUTERS = (read, crew, engineers)


#: What an act that may be explained is called with when it is not.
NO_WORD = m.WhyIn(why="")


class Shown:
    """The desk, and alarms as programs see them."""

    def __init__(
        self, desk: Desk, orders: WorkOrders, book: OnCallBook, records: RationalisationList
    ) -> None:
        self.desk, self.orders, self.book, self.records = desk, orders, book, records
        self.url = desk.settings.desk.url

    def alarm(self, view: AlarmView, scope: Scope) -> m.AlarmOut:
        """One alarm, with its work order and what to do about it."""
        now = self.desk.clock()
        en, ko = (self.desk.advice.advise(view, now, language) for language in ("en", "ko"))
        advice = m.AdviceOut.of(en, ko) if en and ko else None
        return m.AlarmOut.of(view, self.url, self.desk.work_order(scope, view.id), advice)


def shown(request: Request) -> Shown:
    """The desk as programs see it."""
    return cast(Shown, request.app.state.shown)


By = Annotated[Visit, Depends(visit)]
There = Annotated[Shown, Depends(shown)]
OfMachine = Annotated[str | None, Query(description="of this machine alone")]
Limit = Annotated[int, Query(description=f"at most so many; {_MOST} at most")]


def named(name: str) -> dict[str, Any]:
    """How a call is called in the document."""
    return {"operation_id": name, "name": name}


# -- alarms


@read.get("/alarms", **named("listAlarms"))
def alarms(
    by: By,
    there: There,
    priority: Annotated[m.PriorityName, Query(description="this priority and above")] = "low",
    waiting: Annotated[bool, Query(description="only those that wait for an acknowledgement")] = False,
    machine: OfMachine = None,
) -> m.Items[m.AlarmOut]:
    """Everything that stands on the desk, the most urgent first; related alarms on their own."""
    least = ("low", "medium", "high", "urgent").index(priority) + 1
    every = [one for lead in there.desk.open_alarms(by.scope) for one in (lead, *lead.members)]
    wanted = [
        one
        for one in every
        if one.priority >= least
        and (not waiting or one.waits)
        and (machine is None or one.machine == machine)
    ]
    return m.Items(items=[there.alarm(one, by.scope) for one in wanted])


@read.get("/alarms/{id}", **named("getAlarm"))
def alarm(id: str, by: By, there: There) -> m.AlarmOut:
    """One alarm."""
    return there.alarm(there.desk.alarm(by.scope, id), by.scope)


@crew.post("/alarms/{id}/acknowledge", **named("acknowledgeAlarm"))
def acknowledge(id: str, by: By, there: There, given: m.WhyIn = NO_WORD) -> m.AlarmOut:
    """Somebody has seen it and sees to it."""
    return there.alarm(there.desk.acknowledge(by.scope, id, by=by.by, why=given.why), by.scope)


@crew.post("/alarms/{id}/take", **named("takeAlarm"))
def assign(id: str, by: By, there: There, given: m.WhyIn = NO_WORD) -> m.AlarmOut:
    """The caller goes to look; also acknowledges."""
    return there.alarm(there.desk.assign(by.scope, id, by=by.by, why=given.why), by.scope)


@crew.post("/alarms/{id}/comment", **named("commentAlarm"))
def comment(id: str, by: By, there: There, given: m.CommentIn) -> m.AlarmOut:
    """Leave a word; it stays in the journal."""
    return there.alarm(there.desk.comment(by.scope, id, by=by.by, text=given.text), by.scope)


@crew.post("/alarms/{id}/shelve", **named("shelveAlarm"))
def shelve(id: str, by: By, there: There, given: m.ShelveIn) -> m.AlarmOut:
    """Keep it from the desk for a time."""
    until = None if given.until is None else ms(given.until)
    return there.alarm(there.desk.shelve(by.scope, id, by=by.by, why=given.why, until=until), by.scope)


@crew.post("/alarms/{id}/unshelve", **named("unshelveAlarm"))
def unshelve(id: str, by: By, there: There, given: m.WhyIn = NO_WORD) -> m.AlarmOut:
    """Bring it back."""
    return there.alarm(there.desk.unshelve(by.scope, id, by=by.by, why=given.why), by.scope)


@crew.post("/alarms/{id}/close", **named("closeAlarm"))
def close(id: str, by: By, there: There, given: m.CloseIn) -> m.VerdictOut:
    """Close it with what was found, as when a work order is finished. The models learn from it."""
    verdict = there.desk.close_alarm(
        by.scope,
        id,
        Finding(given.kind, given.failure_mode, part=given.part, sensor=given.sensor, comment=given.comment),
        by=by.by,
    )
    return m.VerdictOut.of(verdict)


@crew.put("/alarms/{id}/work-order", **named("setWorkOrder"))
def work_order(id: str, by: By, there: There, given: m.WorkOrderIn) -> m.AlarmOut:
    """Link the work order that was made of this alarm; the desk shows it, with its link."""
    url = str(given.url) if given.url else ""
    view = there.desk.link_work_order(by.scope, id, by=by.by, number=given.number, url=url)
    return there.alarm(view, by.scope)


# -- the rest


@read.get("/occurrences", **named("listOccurrences"))
def occurrences(
    by: By,
    there: There,
    machine: Annotated[str, Query(min_length=1, description="which machine")],
    limit: Limit = 200,
) -> m.Items[m.OccurrenceOut]:
    """A machine's alarms, the newest first, each with its verdict."""
    found = there.desk.history(by.scope, machine, limit=bounded(limit))
    return m.Items(items=[m.OccurrenceOut.of(one) for one in found])


@read.get("/verdicts", **named("listVerdicts"))
def verdicts(by: By, there: There, machine: OfMachine = None, limit: Limit = 200) -> m.Items[m.VerdictOut]:
    """What crews found, the newest first."""
    found = there.desk.verdicts(by.scope, machine=machine, limit=bounded(limit))
    return m.Items(items=[m.VerdictOut.of(one) for one in found])


@read.get("/windows", **named("listWindows"))
def windows(by: By, there: There) -> m.Items[m.WindowOut]:
    """Planned work under way and to come."""
    return m.Items(items=[m.WindowOut.of(window) for window in there.desk.windows(by.scope)])


@engineers.post("/windows", status_code=201, **named("planWork"))
def plan(by: By, there: There, given: m.WindowIn) -> m.WindowOut:
    """Plan work: alarms of everything under the place are suppressed meanwhile."""
    window = there.desk.open_window(
        by.scope, given.place, start=ms(given.start), end=ms(given.end), by=by.by, why=given.why
    )
    return m.WindowOut.of(window)


@engineers.post("/windows/{id}/end", **named("endWork"))
def end(id: str, by: By, there: There, given: m.WhyIn = NO_WORD) -> m.WindowOut:
    """End planned work now, or call it off."""
    return m.WindowOut.of(there.desk.end_window(by.scope, id, by=by.by, why=given.why))


@engineers.get("/journal", **named("listEntries"))
def journal(
    by: By,
    there: There,
    after: Annotated[int, Query(ge=0, le=2**53, description="only entries after this one")] = 0,
    machine: OfMachine = None,
    limit: Limit = 200,
) -> m.Items[m.EntryOut]:
    """Who did what, in order: to follow the desk, ask again with the last `seq` as `after`."""
    found = there.desk.journal(by.scope, machine=machine, after=after, limit=bounded(limit))
    return m.Items(items=[m.EntryOut.of(one) for one in found])


@read.get("/on-call", **named("listDuties"))
def duties(
    by: By,
    there: There,
    days: Annotated[int, Query(ge=1, le=92, description="so many days from now on")] = 7,
    place: Annotated[str, Query(max_length=400, description="for machines under this place")] = "",
    person: Annotated[str, Query(max_length=100, description="of this person alone")] = "",
) -> m.Items[m.DutyOut]:
    """Who is on call now and in the next days, in the order of time."""
    now = there.desk.clock()
    found = there.book.duties(by.scope, now, now + days * _DAY, person)
    wanted = [one for one in found if not place or within(one.place, place.strip("/"))]
    return m.Items(items=[m.DutyOut.of(one, now) for one in wanted])


@read.get("/kpis", **named("getKpis"))
def kpis(by: By, there: There, days: Annotated[int, Query(description="366 at most")] = 7) -> m.KpisOut:
    """ISA-18.2's measures of the last days."""
    end = there.desk.clock()
    span = min(max(days, 1), 366) * _DAY
    return m.KpisOut.of(there.desk.kpis(by.scope, end - span, end))


def bounded(limit: int) -> int:
    """``limit`` as far as it is allowed."""
    return min(max(limit, 1), _MOST)


def ms(moment: datetime) -> int:
    """``moment`` in ms UTC."""
    return round(moment.timestamp() * 1000)
