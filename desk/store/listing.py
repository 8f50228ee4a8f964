"""A page of the alarm list: chosen, counted and sorted by the file, so that only what is shown is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

from desk.rules.point import Point
from desk.rules.scope import Scope
from desk.rules.views import MUTED_RANK
from desk.store.store import Transaction, decode_point, escaped
from pipeline.priority import Priority
from pipeline.records import AlarmKind

#: Cards of a page, and alarms of a card: 200 kB at most.
CARDS = 20
MEMBERS = 12
Show = Literal["open", "waiting", "muted"]
Order = Literal["urgent", "newest", "machine"]
#: rank and onset in one number: a card stands where its first alarm does
_PLACE = "rank * 100000000000000 - onset"
_ORDERS: dict[Order, str] = {
    "urgent": f"min({_PLACE}), card",
    "newest": "max(onset) DESC, card",
    "machine": "min(machine), card",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked for: a part of the list, alarms from a priority up, of a kind, of what a text names."""

    show: Show = "open"
    priority: int = 0
    kind: str = ""
    text: str = ""
    order: Order = "urgent"
    page: int = 1


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its points, how many each card has in all, and how much there is of everything.

    ``cards`` of the choice; ``waiting`` alarms that ask for an answer, ``open`` and ``muted`` alarms in all.
    """

    points: list[Point]
    sizes: dict[str, int]
    cards: int
    waiting: int
    open: int
    muted: int

    @property
    def pages(self) -> int:
        """How many pages the choice has, at least one."""
        return max(1, -(-self.cards // CARDS))


def choice(query: dict[str, str]) -> Choice:
    """The choice in an address; what is not known is left out.

    >>> choice({"show": "muted", "priority": "high", "page": "2", "order": "'; DROP"})
    Choice(show='muted', priority=3, kind='', text='', order='urgent', page=2)
    """
    priority, kind, page = (query.get(name, "") for name in ("priority", "kind", "page"))
    show, order = query.get("show", ""), query.get("order", "")
    return Choice(
        cast(Show, show) if show in get_args(Show) else "open",
        int(Priority[priority.upper()]) if priority.upper() in Priority.__members__ else 0,
        kind if kind in set(AlarmKind) else "",
        query.get("q", "").strip()[:100],
        order if order in _ORDERS else "urgent",
        min(max(int(page), 1), 10_000) if page.isascii() and page.isdigit() else 1,
    )


def page_of(t: Transaction, scope: Scope, wanted: Choice) -> Page:
    """The page ``wanted`` of what stands within ``scope``; a card is whole when one alarm of it fits."""
    where, values = scope.sql("machine")
    parts = {"open": "rank < ?", "waiting": "rank < ? AND rank % 2 = 0", "muted": "rank >= ?"}
    conditions = [where, parts[wanted.show]]
    parameters: list[str | int] = [*values, MUTED_RANK]
    if wanted.priority:
        conditions.append("priority >= ?")
        parameters.append(wanted.priority)
    if wanted.kind:
        conditions.append("kind = ?")
        parameters.append(wanted.kind)
    if wanted.text:
        conditions.append("(machine LIKE ? ESCAPE '\\' OR sensor LIKE ? ESCAPE '\\')")
        like = f"%{escaped(wanted.text)}%"
        parameters += [like, like]
    matching = f"SELECT DISTINCT card FROM points WHERE shown = 1 AND {' AND '.join(conditions)}"  # noqa: S608
    total = t.db.execute(f"SELECT count(*) FROM ({matching})", parameters).fetchone()[0]  # noqa: S608
    pages = max(1, -(-total // CARDS))
    chosen = t.db.execute(
        f"SELECT card, count(*) FROM points WHERE shown = 1 AND {where} AND card IN ({matching}) "  # noqa: S608
        f"GROUP BY card ORDER BY {_ORDERS[wanted.order]} LIMIT ? OFFSET ?",
        (*values, *parameters, CARDS, (min(wanted.page, pages) - 1) * CARDS),
    ).fetchall()
    sizes = {card: int(many) for card, many in chosen}
    marks = ", ".join("?" * len(sizes))
    rows = t.db.execute(
        f"SELECT body FROM (SELECT body, row_number() OVER (PARTITION BY card ORDER BY {_PLACE}, id) AS n "  # noqa: S608
        f"FROM points WHERE shown = 1 AND {where} AND card IN ({marks})) WHERE n <= ?",
        (*values, *sizes, MEMBERS + 1),
    )
    counted = t.db.execute(
        f"SELECT sum(rank < ? AND rank % 2 = 0), sum(rank < ?), sum(rank >= ?) FROM points "  # noqa: S608
        f"WHERE shown = 1 AND {where}",
        (MUTED_RANK, MUTED_RANK, MUTED_RANK, *values),
    ).fetchone()
    waiting, alive, muted = (int(one or 0) for one in counted)
    return Page([decode_point(body) for (body,) in rows], sizes, total, waiting, alive, muted)
