"""Tells open pages that there is something new: one watcher, however many pages are open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

#: Seconds between two signs of life; proxies cut connections that are silent for longer.
HEARTBEAT = 15.0


class Changes:
    """Asks ``version`` every so many seconds while anybody listens, and wakes the listeners when it changed.

    A listener that is slow misses nothing: it is told once that there is something new.
    """

    def __init__(self, version: Callable[[], object], every: float = 1.0) -> None:
        self._version = version
        self._every = every
        self._listeners: set[asyncio.Event] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def listeners(self) -> int:
        """How many pages are listening."""
        return len(self._listeners)

    async def listen(self) -> AsyncIterator[bool]:
        """Yield True when something is new, False as a sign of life; end when stopped."""
        news = asyncio.Event()
        self._listeners.add(news)
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())
        try:
            yield False
            while not self._stopped:
                try:
                    await asyncio.wait_for(news.wait(), HEARTBEAT)
                except TimeoutError:
                    yield False
                    continue
                news.clear()
                if not self._stopped:
                    yield True
        finally:
            self._listeners.discard(news)

    async def _watch(self) -> None:
        seen = await self._ask()
        while self._listeners and not self._stopped:
            await asyncio.sleep(self._every)
            now = await self._ask()
            if now != seen:
                seen = now
                self.tell()

    async def _ask(self) -> object:
        try:
            return await run_in_threadpool(self._version)
        except Exception as error:  # the store cannot be read: pages learn it when they ask, and when it can
            return str(error)

    def tell(self) -> None:
        """Wake every listener. Call it on the server's loop."""
        for news in self._listeners:
            news.set()

    def stop(self) -> None:
        """End every `listen`. Call it on the server's loop."""
        self._stopped = True
        self.tell()

    def response(self) -> StreamingResponse:
        """The news as server-sent events."""

        async def events() -> AsyncIterator[str]:
            yield "retry: 2000\n\n"
            async for new in self.listen():
                yield "event: changed\ndata:\n\n" if new else ": alive\n\n"

        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events(), media_type="text/event-stream", headers=headers)
