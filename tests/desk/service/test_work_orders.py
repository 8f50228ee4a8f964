"""Work orders: from an alarm to the signature of another person, and what the models are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.rules.desk import RefusedError
from desk.rules.finding import Finding
from desk.rules.scope import EVERYTHING, Scope
from desk.rules.work_orders import OPEN_STATES, OrderAct, OrderState, Part, parse_parts, possible, step
from desk.service.desk import Desk, NotFoundError
from desk.service.work_orders import Done, Plan, WorkOrders
from desk.store.orders import PAGE, OrderChoice
from desk.store.store import check_journal
from pipeline.priority import Priority
from pipeline.records import VerdictKind
from streams.settings import Settings
from tests.desk.rules.plant import PRESS, RIVAL, ROBOT, raised

NOW = 1_760_000_000_000
HOUR = 3_600_000
WORN = Finding(VerdictKind.FAULT, "bearing-wear", part="6205")


@pytest.fixture
def clock() -> list[int]:
    return [NOW]


@pytest.fixture
def desk(tmp_path: Path, clock: list[int]) -> Iterator[Desk]:
    desk = Desk(tmp_path / "desk.sqlite", Settings(data=tmp_path), lambda: clock[0])
    desk.receive([raised(PRESS, NOW - HOUR), raised(RIVAL, NOW - HOUR)])
    yield desk
    desk.close()


@pytest.fixture
def orders(desk: Desk) -> WorkOrders:
    return WorkOrders(desk)


def refused(error: pytest.ExceptionInfo[RefusedError]) -> str:
    return error.value.cause.code


def test_the_whole_way_of_an_order(desk: Desk, orders: WorkOrders, clock: list[int]):
    alarm = raised(PRESS, NOW - HOUR)
    order = orders.request(EVERYTHING, "", " Change   bearing ", by="kim", alarm=alarm.id)
    assert (order.number, order.title, order.machine) == (1, "Change bearing", PRESS)
    assert order.state is OrderState.REQUESTED
    assert order.priority is desk.alarm(EVERYTHING, alarm.id).priority
    order = orders.plan(EVERYTHING, order.id, Plan("lee", NOW + HOUR, Priority.HIGH, "lock out"), by="boss")
    assert (order.state, order.assignee, order.due) == (OrderState.PLANNED, "lee", NOW + HOUR)
    clock[0] += 2 * HOUR
    assert order.overdue(clock[0])
    order = orders.start(EVERYTHING, order.id, by="lee")
    assert (order.state, order.started_at) == (OrderState.IN_PROGRESS, clock[0])
    with pytest.raises(RefusedError) as error:
        orders.finish(EVERYTHING, order.id, Done("changed"), by="lee")
    assert refused(error) == "order-finding", "nobody said what it was"
    done = Done("changed it", (Part("Bearing 6205", 2),), 45.0, WORN)
    order = orders.finish(EVERYTHING, order.id, done, by="lee")
    assert (order.state, order.parts[0].quantity, order.downtime) == (OrderState.DONE, 2.0, 45.0)
    (verdict,) = desk.verdicts(EVERYTHING, machine=PRESS)
    assert (verdict.id, verdict.alarm, verdict.failure_mode) == (order.verdict, alarm.id, "bearing-wear")
    assert desk.occurrence(EVERYTHING, alarm.id).verdict == verdict
    with desk.store.reading() as r:
        assert r.unpublished() == [verdict], "it goes out to the models"
    for name in ("lee", "LEE"):
        with pytest.raises(RefusedError) as error:
            orders.sign_off(EVERYTHING, order.id, by=name)
        assert refused(error) == "order-same-person"
    order = orders.sign_off(EVERYTHING, order.id, by="boss")
    assert (order.state, order.signed_by) == (OrderState.SIGNED_OFF, "boss")
    acts = [entry.action.value for entry in orders.history(EVERYTHING, order.id)]
    assert acts == ["order-request", "order-plan", "order-start", "order-finish", "order-sign-off"]
    assert check_journal(desk.store.path, [])[0] == desk.head(), "the list follows from the journal"


def test_an_alarm_that_was_judged_wants_no_second_finding(desk: Desk, orders: WorkOrders):
    alarm = raised(PRESS, NOW - HOUR)
    order = orders.request(EVERYTHING, "", "look", by="kim", alarm=alarm.id, plan=Plan("kim"))
    assert order.state is OrderState.PLANNED, "who does it was said at once"
    desk.close_alarm(EVERYTHING, alarm.id, WORN, by="kim")
    orders.start(EVERYTHING, order.id, by="kim")
    orders.finish(EVERYTHING, order.id, Done("looked"), by="kim")
    assert len(desk.verdicts(EVERYTHING, machine=PRESS)) == 1


def test_an_order_without_an_alarm_judges_the_time_since_it_was_asked_for(
    desk: Desk, orders: WorkOrders, clock: list[int]
):
    order = orders.request(EVERYTHING, f"/{ROBOT}", "noise", by="kim")
    clock[0] += HOUR
    order = orders.start(EVERYTHING, order.id, by="kim")
    assert order.assignee == "kim", "who begins it does it"
    orders.finish(EVERYTHING, order.id, Done(finding=WORN), by="kim")
    (verdict,) = desk.verdicts(EVERYTHING, machine=ROBOT)
    assert (verdict.start, verdict.end, verdict.alarm) == (NOW, NOW + HOUR, None)
    other = orders.request(EVERYTHING, ROBOT, "paint", by="kim")
    orders.start(EVERYTHING, other.id, by="kim")
    orders.finish(EVERYTHING, other.id, Done(), by="kim")
    assert len(desk.verdicts(EVERYTHING, machine=ROBOT)) == 1


def test_what_is_refused(orders: WorkOrders):
    alarm = raised(PRESS, NOW - HOUR).id
    first = orders.request(EVERYTHING, "", "look", by="kim", alarm=alarm)
    for code, act in (
        ("order-exists", lambda: orders.request(EVERYTHING, "", "again", by="lee", alarm=alarm)),
        ("order-title", lambda: orders.request(EVERYTHING, PRESS, "  ", by="lee")),
        ("order-why", lambda: orders.cancel(EVERYTHING, first.id, by="lee", why=" ")),
        ("order-not-possible", lambda: orders.sign_off(EVERYTHING, first.id, by="lee")),
        ("order-downtime", lambda: orders.finish(EVERYTHING, first.id, Done(downtime=-1.0), by="lee")),
        ("failure-mode-missing", lambda: finished(orders, first.id, Finding(VerdictKind.FAULT))),
    ):
        with pytest.raises(RefusedError) as error:
            act()
        assert refused(error) == code
    for machine in ("nowhere", "a//b", ""):
        with pytest.raises(NotFoundError):
            orders.request(EVERYTHING, machine, "x", by="kim")
    assert orders.order(EVERYTHING, first.id).state is OrderState.IN_PROGRESS, "a refusal changed nothing"
    orders.cancel(EVERYTHING, first.id, by="boss", why="not needed")
    assert orders.request(EVERYTHING, "", "again", by="lee", alarm=alarm).number == 2


def finished(orders: WorkOrders, id: str, finding: Finding) -> None:
    orders.start(EVERYTHING, id, by="kim")
    orders.finish(EVERYTHING, id, Done(finding=finding), by="kim")


def test_a_maintenance_system_names_the_people(orders: WorkOrders):
    order = orders.request(EVERYTHING, ROBOT, "oil", by="api:cmms")
    orders.start(EVERYTHING, order.id, by="api:cmms", person="Lee")
    orders.finish(EVERYTHING, order.id, Done(), by="api:cmms", person="Lee")
    with pytest.raises(RefusedError):
        orders.sign_off(EVERYTHING, order.id, by="api:cmms", person=" lee ")
    order = orders.sign_off(EVERYTHING, order.id, by="api:cmms", person="Choi")
    assert (order.done_by, order.signed_by) == ("api:cmms: Lee", "api:cmms: Choi")
    assert orders.request(EVERYTHING, ROBOT, "x", by="kim", plan=Plan("kim")).id != order.id
    assert orders.start(
        EVERYTHING, orders.listed(EVERYTHING, OrderChoice()).orders[0].id, by="kim", person="x"
    )


def test_a_number_counts_one_sites_orders_and_scopes_are_kept(orders: WorkOrders):
    ours, theirs = Scope.of("gwangju/ggm"), Scope.of("ulsan")
    first = orders.request(ours, PRESS, "one", by="kim")
    second = orders.request(ours, ROBOT, "two", by="kim")
    rival = orders.request(theirs, RIVAL, "zebra", by="rival")
    assert [first.number, second.number, rival.number] == [1, 2, 1]
    for act in (
        lambda: orders.order(ours, rival.id),
        lambda: orders.plan(ours, rival.id, Plan("x"), by="x"),
        lambda: orders.start(ours, rival.id, by="x"),
        lambda: orders.finish(ours, rival.id, Done(), by="x"),
        lambda: orders.sign_off(ours, rival.id, by="x"),
        lambda: orders.reopen(ours, rival.id, by="x", why="x"),
        lambda: orders.cancel(ours, rival.id, by="x", why="x"),
        lambda: orders.link(ours, rival.id, by="x", number="x"),
        lambda: orders.history(ours, rival.id),
        lambda: orders.request(ours, RIVAL, "x", by="x"),
        lambda: orders.request(ours, "", "x", by="x", alarm=raised(RIVAL, NOW - HOUR).id),
    ):
        with pytest.raises(NotFoundError):
            act()
    assert {one.id for one in orders.listed(ours, OrderChoice(show="all")).orders} == {first.id, second.id}
    assert orders.listed(ours, OrderChoice(place="ulsan")).orders == []
    assert orders.order(theirs, rival.id) == rival


def test_the_list(orders: WorkOrders, clock: list[int]):
    names = {}
    for title, plan in (
        ("late", Plan("kim", NOW - 1, Priority.LOW)),
        ("urgent", Plan("lee", None, Priority.URGENT)),
        ("soon", Plan("kim", NOW + HOUR, Priority.HIGH)),
        ("later", Plan("", NOW + 2 * HOUR, Priority.HIGH)),
    ):
        names[title] = orders.request(EVERYTHING, ROBOT, title, by="kim", plan=plan).id

    def titles(**choice: object) -> list[str]:
        return [one.title for one in orders.listed(EVERYTHING, OrderChoice(**choice)).orders]

    assert titles() == ["late", "urgent", "soon", "later"]
    assert titles(show="overdue") == ["late"]
    assert titles(assignee="kim") == ["late", "soon"]
    assert titles(show="requested") == ["later"]
    assert titles(text="soo") == ["soon"]
    assert titles(text="#2") == ["urgent"]
    assert titles(text="robot-01", place="gwangju/ggm/body/line-2") == titles()
    orders.cancel(EVERYTHING, names["urgent"], by="boss", why="x")
    assert "urgent" not in titles()
    assert titles(show="cancelled") == ["urgent"]
    for n in range(PAGE):
        orders.request(EVERYTHING, ROBOT, f"more {n}", by="kim")
    page = orders.listed(EVERYTHING, OrderChoice(page=99))
    assert (page.total, page.pages, len(page.orders)) == (PAGE + 3, 2, 3)


def test_the_maintenance_systems_number_is_kept_once(desk: Desk, orders: WorkOrders):
    order = orders.request(EVERYTHING, ROBOT, "x", by="kim")
    orders.link(EVERYTHING, order.id, by="api:cmms", number="4711", url="https://cmms/4711")
    head = desk.head()
    linked = orders.link(EVERYTHING, order.id, by="api:cmms", number="4711", url="https://cmms/4711")
    assert (linked.external, desk.head()) == ("4711", head)


@given(st.lists(st.sampled_from([act for act in OrderAct if act is not OrderAct.REQUEST]), max_size=20))
def test_no_way_leads_out_of_the_end(acts: list[OrderAct]):
    state = OrderState.REQUESTED
    for act in acts:
        after = step(state, act)
        assert (after is not None) == (act in possible(state))
        assert after is None or state in OPEN_STATES, "what is signed or cancelled stays so"
        state = after or state


@given(st.text(max_size=200))
def test_any_text_is_parts_or_an_error(text: str):
    try:
        parts = parse_parts(text)
    except ValueError:
        return
    assert all(part.name.strip() and part.quantity > 0 for part in parts)


def test_parts_with_a_size_in_their_name():
    assert parse_parts("M8 x 20 bolt") == (Part("M8 x 20 bolt"),)
    with pytest.raises(ValueError, match="more than 0"):
        parse_parts("0 x bolt")
