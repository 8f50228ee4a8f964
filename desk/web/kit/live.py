"""Tells open pages that there is something new: one watcher, however many pages are open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

#: Seconds between two signs of life; proxies cut connections that are silent for longer.
HEARTBEAT = 15.0


class Listeners:
    """Open pages, each with what it is interested in.

    A listener that is slow misses nothing: it is told once that there is something new.
    """

    def __init__(self) -> None:
        self._listeners: dict[asyncio.Event, object] = {}
        self._stopped = False

    def __len__(self) -> int:
        return len(self._listeners)

    async def listen(self, interest: object = None, seen: str = "") -> AsyncGenerator[bool, None]:
        """Yield True when something is new, False as a sign of life; end when stopped.

        ``seen`` is what the page showed when it was made (`now` as text): what came since is told at once.
        """
        live_updates = asyncio.Event()
        self._listeners[live_updates] = interest
        try:
            now = await self.now()
            yield bool(seen) and seen != now
            while not self._stopped:
                try:
                    await asyncio.wait_for(live_updates.wait(), HEARTBEAT)
                except TimeoutError:
                    yield False
                    continue
                live_updates.clear()
                if not self._stopped:
                    yield True
        finally:
            del self._listeners[live_updates]

    async def now(self) -> str:
        """What there is now; whatever comes after it is told to those who listen already."""
        return ""

    def notify(self, concerns: Callable[[object], bool] = lambda _: True) -> None:
        """Wake every listener whose interest it ``concerns``. Call it on the server's loop."""
        verdicts: dict[object, bool] = {}
        for live_updates, interest in self._listeners.items():
            if interest not in verdicts:
                verdicts[interest] = concerns(interest)
            if verdicts[interest]:
                live_updates.set()

    def stop(self) -> None:
        """End every `listen`. Call it on the server's loop."""
        self._stopped = True
        self.notify()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def response(self, interest: object = None, seen: str = "") -> StreamingResponse:
        """The news as server-sent events, as `listen` tells them."""

        async def events() -> AsyncIterator[str]:
            yield "retry: 2000\n\n"
            async with aclosing(self.listen(interest, seen)) as heard:
                async for new in heard:
                    yield "event: changed\ndata:\n\n" if new else ": alive\n\n"

        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events(), media_type="text/event-stream", headers=headers)


class Watch(Listeners):
    """Looks every so many seconds whether there is anything new, while anybody listens."""

    def __init__(self, every: float) -> None:
        super().__init__()
        self._every = every
        self._watcher: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    async def now(self) -> str:
        """As `Listeners.now`: what the watcher knows, which begins to watch if it does not yet."""
        if self._watcher is None or self._watcher.done():
            self._ready.clear()
            self._watcher = asyncio.create_task(self._watch())
        await self._ready.wait()
        return self.known()

    async def _watch(self) -> None:
        await self.look()
        self._ready.set()
        while not self.stopped:
            await asyncio.sleep(self._every)
            if not len(self):
                return
            await self.look()

    def known(self) -> str:
        """What the last look saw."""
        raise NotImplementedError

    async def look(self) -> None:
        """Look, and tell those whom it concerns."""
        raise NotImplementedError


class Changes(Watch):
    """Tells everybody when ``version`` returns something else than before."""

    def __init__(self, version: Callable[[], object], every: float = 1.0) -> None:
        super().__init__(every)
        self._version = version
        self._known: str | None = None

    def known(self) -> str:
        """The version that the last look saw."""
        return self._known or ""

    async def look(self) -> None:
        """Ask for the version."""
        try:
            now = str(await run_in_threadpool(self._version))
        except Exception as error:  # the store cannot be read: pages learn it when they ask, and when it can
            now = str(error)
        before, self._known = self._known, now
        if before not in (None, now):
            self.notify()
