"""Which work order of the plant's maintenance system (CMMS) an alarm led to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from desk.access.store import AccessStore


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """One work order; ``at`` ms UTC."""

    alarm: str
    number: str
    url: str
    by: str
    at: int


class WorkOrders:
    """Kept beside the accounts: the journal says who linked it, this says where it is."""

    def __init__(self, store: AccessStore, clock: Callable[[], int]) -> None:
        self.store, self.clock = store, clock

    def of(self, alarm: str) -> WorkOrder | None:
        """The work order of an alarm."""
        with self.store.reading() as db:
            row = db.execute("SELECT * FROM work_orders WHERE alarm=?", (alarm,)).fetchone()
        return None if row is None else WorkOrder(*row)

    def set(self, alarm: str, number: str, url: str, by: str) -> WorkOrder:
        """Link an alarm to a work order; the one before is replaced."""
        order = WorkOrder(alarm, number, url, by, self.clock())
        with self.store.writing() as db:
            row = (order.alarm, order.number, order.url, order.by, order.at)
            db.execute("INSERT OR REPLACE INTO work_orders VALUES (?,?,?,?,?)", row)
        return order
