"""Tells each open desk that something happened on a machine that it may see."""

from __future__ import annotations

import time

from starlette.concurrency import run_in_threadpool

from desk.rules.scope import EVERYTHING, Scope
from desk.service.desk import Desk
from desk.web.kit.live import Watch

#: Seconds after which every desk is told anyway: ages are shown, and shelves have times.
REFRESH = 60.0


class LiveUpdates(Watch):
    """Follows the journal while anybody listens; the interest of a listener is its `Scope`.

    The journal is read, not listened to: other processes write to it too (`yeji desk` in several).
    """

    def __init__(self, desk: Desk, every: float = 0.5) -> None:
        super().__init__(every)
        self._desk = desk
        self._head: int | None = None
        self._told = time.monotonic()

    def known(self) -> str:
        """The number of the latest entry that was told of."""
        return "" if self._head is None else str(self._head)

    async def look(self) -> None:
        """Tell of entries that were written since the last look."""
        try:
            machines = await run_in_threadpool(self._since)
        except Exception:  # the store cannot be read just now: the pages say so themselves when they ask
            return
        if machines:
            self.notify(lambda scope: isinstance(scope, Scope) and any(map(scope.allows, machines)))
        if time.monotonic() - self._told >= REFRESH:
            self._told = time.monotonic()
            self.notify()

    def _since(self) -> frozenset[str]:
        """The machines, or places, that entries since the last look are about."""
        head = self._desk.head()
        if self._head is None or head == self._head:
            self._head = head
            return frozenset()
        entries = self._desk.journal(EVERYTHING, after=self._head, limit=10_000)
        if entries:
            self._head = entries[-1].seq
        return frozenset(entry.machine for entry in entries)
