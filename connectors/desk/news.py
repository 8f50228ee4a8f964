"""Tells each open desk that something happened on a machine that it may see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from connectors.desk_service import Desk
from connectors.page.live import Listeners
from streams.alarms.scope import EVERYTHING, Scope

T = TypeVar("T")
#: Seconds after which every desk is told anyway: ages are shown, and shelves have times.
REFRESH = 60.0


class News(Listeners):
    """Follows the journal while anybody listens; the interest of a listener is its `Scope`.

    The journal is read, not listened to: other processes write to it too (`yeji desk` in several).
    """

    def __init__(self, desk: Desk, every: float = 0.5) -> None:
        super().__init__()
        self._desk = desk
        self._every = every
        self._watcher: asyncio.Task[None] | None = None
        #: the number of the latest entry that was told of
        self.head = -1

    async def listen(self, interest: object = None) -> AsyncGenerator[bool, None]:
        """As `Listeners.listen`."""
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())
        async with aclosing(super().listen(interest)) as heard:
            async for new in heard:
                yield new

    async def _watch(self) -> None:
        told = asyncio.get_running_loop().time()
        self.head = await self._ask(self._desk.head, self.head)
        while not self.stopped:
            await asyncio.sleep(self._every)
            if not len(self):
                return
            self._tell_of(await self._ask(self._since, frozenset[str]()))
            now = asyncio.get_running_loop().time()
            if now - told >= REFRESH:
                told = now
                self.tell()

    def _tell_of(self, machines: frozenset[str]) -> None:
        if machines:
            self.tell(lambda scope: isinstance(scope, Scope) and any(map(scope.allows, machines)))

    def _since(self) -> frozenset[str]:
        """The machines, or places, that entries since the last look are about."""
        if self._desk.head() == self.head:
            return frozenset()
        entries = self._desk.journal(EVERYTHING, after=self.head, limit=10_000)
        if entries:
            self.head = entries[-1].seq
        return frozenset(entry.machine for entry in entries)

    async def _ask(self, call: Callable[[], T], otherwise: T) -> T:
        try:
            return await run_in_threadpool(call)
        except Exception:  # the store cannot be read just now: the pages say so themselves when they ask
            return otherwise
