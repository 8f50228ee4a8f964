"""Work orders as pages and the API use them: from an alarm to the signature of another person."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from desk.rules.desk import RefusedError
from desk.rules.finding import Finding
from desk.rules.journal import Action, Entry
from desk.rules.scope import Scope
from desk.rules.work_orders import OrderAct, OrderState, Part, WorkOrder, site_of, step
from desk.service.desk import Desk, NotFoundError
from desk.store.orders import OrderChoice, OrderPage, next_number, order, orders_of, page_of_orders
from desk.store.store import Transaction
from pipeline.machine import parse_machine
from pipeline.priority import Priority
from pipeline.records import ID_NAMESPACE

#: Longest texts of an order, in characters.
TITLE, WORDS, NAME = 200, 4000, 100
_Change = Callable[[WorkOrder], WorkOrder]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a planner says of an order; None leaves it as it is."""

    assignee: str | None = None
    due: int | None = None
    priority: Priority | None = None
    instructions: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What is reported when the work is done; ``finding`` goes on to the models as a verdict."""

    report: str = ""
    parts: Sequence[Part] = ()
    downtime: float | None = None
    finding: Finding | None = None


class WorkOrders:
    """Work orders of a desk. Each act is an entry of the journal with the whole order in it.

    ``by`` is who acts, as the journal names them; ``person`` whom a maintenance system names, where that is
    who calls. Raises as `Desk` does.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    # -- what people ask

    def listed(self, scope: Scope, wanted: OrderChoice) -> OrderPage:
        """One page of the list."""
        with self.desk.store.reading() as r:
            return page_of_orders(r.db, scope, wanted, self.desk.clock())

    def order(self, scope: Scope, id: str) -> WorkOrder:
        """One order."""
        with self.desk.store.reading() as r:
            return self._find(r, scope, id)

    def of_alarm(self, scope: Scope, alarm: str) -> list[WorkOrder]:
        """The orders that an alarm led to, the newest first."""
        with self.desk.store.reading() as r:
            return orders_of(r.db, scope, alarm)

    def history(self, scope: Scope, id: str) -> list[Entry]:
        """What was done to an order, the oldest first."""
        found = self.order(scope, id)
        entries = self.desk.journal(scope, machine=found.machine, since=found.requested_at, limit=10_000)
        return [entry for entry in entries if entry.work is not None and entry.work.id == id]

    # -- what people do

    def request(
        self,
        scope: Scope,
        machine: str,
        title: str,
        *,
        by: str,
        alarm: str = "",
        plan: Plan = Plan(),
    ) -> WorkOrder:
        """Ask for work on ``machine``, or on that of ``alarm``; with an assignee it is planned at once.

        An alarm has one open order at most.
        """
        title = " ".join(title.split())[:TITLE]
        if not title:
            raise RefusedError("order-title")
        priority = Priority.MEDIUM
        if alarm:
            seen = self.desk.alarm(scope, alarm)
            machine, priority = seen.machine, seen.priority
        machine = machine.strip("/")
        try:
            parse_machine(machine)
        except ValueError:
            raise NotFoundError(f"There is no machine {machine!r}.") from None
        if not scope.allows(machine):
            raise NotFoundError(f"There is no machine {machine!r}.")
        with self.desk.store.writing() as t:
            if alarm and (known := next((one for one in orders_of(t.db, scope, alarm) if one.open), None)):
                raise RefusedError("order-exists", number=known.number)
            now = self.desk.clock()
            number = next_number(t.db, site_of(machine))
            id = str(uuid.uuid5(ID_NAMESPACE, f"work order\n{site_of(machine)}\n{number}"))
            made = WorkOrder(
                id=id,
                number=number,
                machine=machine,
                title=title,
                requested_by=by,
                requested_at=now,
                alarm=alarm,
                priority=priority,
            )
            made = _planned(made, plan)
            if made.assignee:
                made = msgspec.structs.replace(made, state=OrderState.PLANNED)
            return self._write(t, Action.ORDER_REQUEST, made, by)

    def plan(self, scope: Scope, id: str, plan: Plan, *, by: str) -> WorkOrder:
        """Say who does it, until when and how."""
        return self._act(scope, id, OrderAct.PLAN, lambda one: _planned(one, plan), by=by)

    def start(self, scope: Scope, id: str, *, by: str, person: str = "") -> WorkOrder:
        """The work begins; who begins it does it, where nobody else was named."""
        name, now = _who(by, person), self.desk.clock()

        def started(one: WorkOrder) -> WorkOrder:
            return msgspec.structs.replace(one, started_at=now, assignee=one.assignee or name)

        return self._act(scope, id, OrderAct.START, started, by=by)

    def finish(self, scope: Scope, id: str, done: Done, *, by: str, person: str = "") -> WorkOrder:
        """The work is done. An alarm that nobody judged is closed with the finding, and wants one.

        Without an alarm the finding speaks of the time since the order was asked for.
        """
        if done.downtime is not None and not 0 <= done.downtime <= 1_000_000:
            raise RefusedError("order-downtime")
        with self.desk.store.writing() as t:
            known = self._find(t, scope, id)
            after = _after(known, OrderAct.FINISH)
            now, verdict = self.desk.clock(), known.verdict
            if done.finding is not None:
                verdict = self._judge(t, scope, known, done.finding, by, now)
            elif known.alarm and not t.verdicts(scope, alarm=known.alarm, limit=1):
                raise RefusedError("order-finding")
            made = msgspec.structs.replace(
                known,
                state=after,
                done_by=_who(by, person),
                done_at=now,
                report=done.report.strip()[:WORDS],
                verdict=verdict,
                parts=tuple(done.parts)[:100],
                downtime=done.downtime,
            )
            return self._write(t, Action.ORDER_FINISH, made, by, made.report)

    def sign_off(self, scope: Scope, id: str, *, by: str, person: str = "", why: str = "") -> WorkOrder:
        """Another person than who did it has seen that it is done."""
        name, now = _who(by, person), self.desk.clock()

        def signed(one: WorkOrder) -> WorkOrder:
            if name.casefold() in (one.done_by.casefold(), one.assignee.casefold()):
                raise RefusedError("order-same-person", name=name)
            return msgspec.structs.replace(one, signed_by=name, signed_at=now)

        return self._act(scope, id, OrderAct.SIGN_OFF, signed, by=by, why=why)

    def reopen(self, scope: Scope, id: str, *, by: str, why: str) -> WorkOrder:
        """It is not done after all."""
        if not why.strip():
            raise RefusedError("order-why")
        return self._act(scope, id, OrderAct.REOPEN, lambda one: one, by=by, why=why)

    def cancel(self, scope: Scope, id: str, *, by: str, why: str) -> WorkOrder:
        """It will not be done."""
        if not why.strip():
            raise RefusedError("order-why")
        return self._act(scope, id, OrderAct.CANCEL, lambda one: one, by=by, why=why)

    def link(self, scope: Scope, id: str, *, by: str, number: str, url: str = "") -> WorkOrder:
        """Its number in the plant's maintenance system, and its address there; again changes nothing."""
        with self.desk.store.writing() as t:
            known = self._find(t, scope, id)
            made = msgspec.structs.replace(known, external=number[:NAME], url=url)
            return known if made == known else self._write(t, Action.ORDER_LINK, made, by)

    # -- inside

    def _judge(
        self, t: Transaction, scope: Scope, known: WorkOrder, finding: Finding, by: str, now: int
    ) -> str:
        if known.alarm:
            return self.desk.close_within(t, scope, known.alarm, finding, by=by).id
        start = min(known.requested_at, now)
        return self.desk.verdict_within(t, known.machine, finding, start=start, end=now, by=by).id

    def _act(
        self,
        scope: Scope,
        id: str,
        act: OrderAct,
        change: _Change,
        *,
        by: str,
        why: str = "",
    ) -> WorkOrder:
        with self.desk.store.writing() as t:
            known = self._find(t, scope, id)
            after = _after(known, act)
            made = msgspec.structs.replace(change(known), state=after)
            return self._write(t, Action(f"order-{act}"), made, by, why.strip()[:WORDS])

    def _write(self, t: Transaction, action: Action, made: WorkOrder, by: str, why: str = "") -> WorkOrder:
        now = self.desk.clock()
        t.append(
            Entry(
                at=now,
                time=now,
                by=by,
                action=action,
                machine=made.machine,
                alarm=made.alarm,
                why=why,
                work=made,
            )
        )
        return made

    def _find(self, t: Transaction, scope: Scope, id: str) -> WorkOrder:
        found = order(t.db, id)
        if found is None or not scope.allows(found.machine):
            raise NotFoundError("There is no such work order.")
        return found


def _after(known: WorkOrder, act: OrderAct) -> OrderState:
    after = step(known.state, act)
    if after is None:
        raise RefusedError("order-not-possible", doing=act.value, order=known.state.value)
    return after


def _planned(one: WorkOrder, plan: Plan) -> WorkOrder:
    return msgspec.structs.replace(
        one,
        assignee=one.assignee if plan.assignee is None else " ".join(plan.assignee.split())[:NAME],
        due=one.due if plan.due is None else plan.due,
        priority=one.priority if plan.priority is None else plan.priority,
        instructions=one.instructions if plan.instructions is None else plan.instructions.strip()[:WORDS],
    )


def _who(by: str, person: str) -> str:
    """Who did it: the person whom a maintenance system names, marked with the system's own name."""
    named = " ".join(person.split())[:NAME]
    return f"{by}: {named}" if named and by.startswith("api:") else by
