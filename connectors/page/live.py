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

    async def listen(self, interest: object = None) -> AsyncGenerator[bool, None]:
        """Yield True when something is new, False as a sign of life; end when stopped."""
        news = asyncio.Event()
        self._listeners[news] = interest
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
            del self._listeners[news]

    def tell(self, concerns: Callable[[object], bool] = lambda _: True) -> None:
        """Wake every listener whose interest it ``concerns``. Call it on the server's loop."""
        verdicts: dict[object, bool] = {}
        for news, interest in self._listeners.items():
            if interest not in verdicts:
                verdicts[interest] = concerns(interest)
            if verdicts[interest]:
                news.set()

    def stop(self) -> None:
        """End every `listen`. Call it on the server's loop."""
        self._stopped = True
        self.tell()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def response(self, interest: object = None) -> StreamingResponse:
        """The news as server-sent events."""

        async def events() -> AsyncIterator[str]:
            yield "retry: 2000\n\n"
            async with aclosing(self.listen(interest)) as heard:
                async for new in heard:
                    yield "event: changed\ndata:\n\n" if new else ": alive\n\n"

        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events(), media_type="text/event-stream", headers=headers)


class Changes(Listeners):
    """Asks ``version`` every so many seconds while anybody listens, and tells all when it changed."""

    def __init__(self, version: Callable[[], object], every: float = 1.0) -> None:
        super().__init__()
        self._version = version
        self._every = every
        self._watcher: asyncio.Task[None] | None = None

    async def listen(self, interest: object = None) -> AsyncGenerator[bool, None]:
        """As `Listeners.listen`."""
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())
        async with aclosing(super().listen(interest)) as heard:
            async for new in heard:
                yield new

    async def _watch(self) -> None:
        seen = await self._ask()
        while not self.stopped:
            await asyncio.sleep(self._every)
            if not len(self):
                return
            now = await self._ask()
            if now != seen:
                seen = now
                self.tell()

    async def _ask(self) -> object:
        try:
            return await run_in_threadpool(self._version)
        except Exception as error:  # the store cannot be read: pages learn it when they ask, and when it can
            return str(error)
