"""Work orders in the desk's file: what follows from the journal's entries, and a page of the list."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal, cast, get_args

import msgspec

from desk.rules.journal import Entry
from desk.rules.scope import Scope
from desk.rules.work_orders import OPEN_STATES, OrderState, WorkOrder

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(WorkOrder).decode
#: Orders of one page of the list.
PAGE = 50
Show = Literal[
    "open", "overdue", "requested", "planned", "in-progress", "done", "signed-off", "cancelled", "all"
]
_OPEN = ", ".join(f"'{one}'" for one in OPEN_STATES)
_UNDONE = ", ".join(f"'{one}'" for one in OPEN_STATES if one is not OrderState.DONE)


@dataclass(frozen=True, slots=True)
class OrderChoice:
    """What is asked for: orders in a state, of a place, of a person, of an alarm, that a text names."""

    show: Show = "open"
    place: str = ""
    assignee: str = ""
    alarm: str = ""
    text: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class OrderPage:
    """One page of the list, and how many orders there are of the choice."""

    orders: list[WorkOrder]
    total: int

    @property
    def pages(self) -> int:
        """How many pages, at least one."""
        return max(1, -(-self.total // PAGE))


def order_choice(query: dict[str, str]) -> OrderChoice:
    """The choice in an address; what is not known is left out.

    >>> order_choice({"show": "done", "place": "a/b/", "page": "x"})
    OrderChoice(show='done', place='a/b', assignee='', alarm='', text='', page=1)
    """
    show, page = query.get("show", ""), query.get("page", "")
    return OrderChoice(
        cast(Show, show) if show in get_args(Show) else "open",
        query.get("place", "").strip().strip("/")[:400],
        query.get("assignee", "").strip()[:100],
        query.get("alarm", "").strip()[:100],
        query.get("q", "").strip()[:100],
        min(max(int(page), 1), 10_000) if page.isascii() and page.isdigit() else 1,
    )


def put_order(db: sqlite3.Connection, entry: Entry) -> None:
    """The order as ``entry`` leaves it."""
    order = entry.work
    assert order is not None  # noqa: S101 - the caller looked
    db.execute(
        "INSERT OR REPLACE INTO orders (id, site, number, machine, title, alarm, state, assignee, due, "
        "priority, requested, seq, body) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            order.id,
            order.site,
            order.number,
            order.machine,
            order.title,
            order.alarm,
            order.state,
            order.assignee,
            order.due,
            int(order.priority),
            order.requested_at,
            entry.seq,
            _pack(order),
        ),
    )


def next_number(db: sqlite3.Connection, site: str) -> int:
    """The number of the next order of ``site``."""
    query = "SELECT ifnull(max(number), 0) + 1 FROM orders WHERE site = ?"
    return int(db.execute(query, (site,)).fetchone()[0])


def order(db: sqlite3.Connection, id: str) -> WorkOrder | None:
    """One order."""
    row = db.execute("SELECT body FROM orders WHERE id = ?", (id,)).fetchone()
    return _unpack(row[0]) if row else None


def orders_of(db: sqlite3.Connection, scope: Scope, alarm: str) -> list[WorkOrder]:
    """The orders that an alarm led to, the newest first."""
    where, values = scope.sql("machine")
    query = f"SELECT body FROM orders WHERE alarm = ? AND alarm <> '' AND {where} ORDER BY number DESC"  # noqa: S608
    return [_unpack(body) for (body,) in db.execute(query, (alarm, *values))]


def latest_open(db: sqlite3.Connection) -> list[int]:
    """The numbers of the journal's entries that the open orders stand by."""
    query = f"SELECT seq FROM orders WHERE state IN ({_OPEN}) ORDER BY seq"  # noqa: S608 - our own words
    return [seq for (seq,) in db.execute(query)]


def page_of_orders(db: sqlite3.Connection, scope: Scope, wanted: OrderChoice, now: int) -> OrderPage:
    """The page ``wanted`` within ``scope``: overdue first, then by priority, due and age."""
    where, values = scope.sql("machine")
    conditions: list[str] = [where]
    parameters: list[str | int] = [*values]
    late = f"(state IN ({_UNDONE}) AND due IS NOT NULL AND due < ?)"
    if wanted.show == "open":
        conditions.append(f"state IN ({_OPEN})")
    elif wanted.show == "overdue":
        conditions.append(late)
        parameters.append(now)
    elif wanted.show != "all":
        conditions.append("state = ?")
        parameters.append(wanted.show)
    if wanted.place:
        within, below = Scope.of(wanted.place).sql("machine")
        conditions.append(within)
        parameters += below
    for column, value in (("assignee", wanted.assignee), ("alarm", wanted.alarm)):
        if value:
            conditions.append(f"{column} = ?")
            parameters.append(value)
    if wanted.text:
        conditions.append("(instr(lower(machine || ' ' || title), ?) OR CAST(number AS TEXT) = ?)")
        parameters += [wanted.text.lower(), wanted.text.lstrip("#")]
    chosen = " AND ".join(conditions)
    total = int(db.execute(f"SELECT count(*) FROM orders WHERE {chosen}", parameters).fetchone()[0])  # noqa: S608
    page = min(wanted.page, max(1, -(-total // PAGE)))
    rows = db.execute(
        f"SELECT body FROM orders WHERE {chosen} "  # noqa: S608
        f"ORDER BY {late} DESC, state IN ({_OPEN}) DESC, priority DESC, due IS NULL, due, requested DESC, id "
        "LIMIT ? OFFSET ?",
        (*parameters, now, PAGE, (page - 1) * PAGE),
    )
    return OrderPage([_unpack(body) for (body,) in rows], total)
