"""Several sources as one: each read in a thread of its own, each told what of it is durable."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence

from connectors.base.contract import Item, Source

#: This many items wait at most.
_WAITING = 64


class MergedSource(Source):
    """Brings what ``sources`` bring as it comes; in order for each of them. Ends when all have ended.

    What one of them raises ends the iteration.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.name = "sources"
        self.sources = list(sources)
        self.can_wait = all(source.can_wait for source in sources)
        self._changed = threading.Condition()
        self._queue: deque[tuple[int, Item]] = deque()
        self._running = len(self.sources)
        self._failure: BaseException | None = None
        self._closed = False
        self._given: deque[int] = deque()  # of which source each item was that is not durable yet
        self._durable = 0
        self._durable_of = [0] * len(self.sources)

    def __iter__(self) -> Iterator[Item]:
        for index, source in enumerate(self.sources):
            name = f"source-{source.name}"
            threading.Thread(target=self._read, args=(index, source), name=name, daemon=True).start()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or not self._running or self._failure)
                if self._failure is not None:
                    raise self._failure
                if not self._queue:
                    return
                index, item = self._queue.popleft()
                self._given.append(index)
                self._changed.notify_all()
            yield item

    def _read(self, index: int, source: Source) -> None:
        try:
            for item in source:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._queue) < _WAITING or self._closed)
                    if self._closed and len(self._queue) >= _WAITING:
                        return  # nobody reads any more
                    self._queue.append((index, item))
                    self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._failure = self._failure or error
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def durable(self, count: int) -> None:
        """Tell each source what of it is durable."""
        changed: set[int] = set()
        with self._changed:
            while self._durable < count and self._given:
                index = self._given.popleft()
                self._durable += 1
                self._durable_of[index] += 1
                changed.add(index)
            counts = [(self.sources[index], self._durable_of[index]) for index in changed]
        for source, its_count in counts:
            source.durable(its_count)

    def close(self) -> None:
        """Close all of them."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for source in self.sources:
            source.close()
