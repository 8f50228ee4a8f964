"""Sources whose other side sends by itself: what arrives is gathered by time and size, and acknowledged."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from connectors.base.contract import Item, Source, SourceStatus
from connectors.base.source_settings import GatherSettings

Arrival = TypeVar("Arrival")


class PushSource(Source, Generic[Arrival]):
    """Gathers arrivals that other threads `put`; a subclass converts them to items.

    Each arrival may carry a token, which is given back to `acknowledge` when all items that its gathering
    gave are durable.
    """

    status: SourceStatus

    def __init__(self, name: str, gather: GatherSettings) -> None:
        self.name = name
        self.status = SourceStatus()
        self._gather = gather
        self._queue: deque[Arrival] = deque()
        self._queued_tokens: deque[object] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._failure: BaseException | None = None
        self._given = 0
        self._durable = 0
        self._unacknowledged: deque[tuple[int, list[object]]] = deque()

    # -- for subclasses

    @abstractmethod
    def open(self) -> None:
        """Begin to listen, in a thread of its own; go on trying when the other side is away."""

    @abstractmethod
    def shut(self) -> None:
        """Stop listening; called once, after `open`."""

    @abstractmethod
    def convert(self, arrivals: list[Arrival]) -> Iterable[Item]:
        """What was gathered, as items. In the iterating thread."""

    def acknowledge(self, tokens: list[object]) -> None:
        """What carried these tokens is stored for good. In the thread that called `durable`."""

    def put(self, arrival: Arrival, token: object = None, *, wait: bool = False) -> bool:
        """Take one arrival. With ``wait`` it waits for room, otherwise the oldest makes room and is counted.

        False = the source is closed, or the arrival has to be brought again.
        """
        return self.put_all([arrival], [] if token is None else [token], wait=wait)

    def put_all(self, arrivals: list[Arrival], tokens: list[object], *, wait: bool = False) -> bool:
        """Take several arrivals at once, see `put`."""
        most = self._gather.waiting
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: len(self._queue) < most or self._closed)
            if self._closed:
                return False
            was = len(self._queue)
            self._queue.extend(arrivals)
            self._queued_tokens.extend(tokens)
            self.status.arrivals += len(arrivals)
            if not wait:
                while len(self._queue) > most:
                    self._queue.popleft()
                    self.status.lost += 1
            if was == 0 or was < self._gather.arrivals <= len(self._queue):
                self._changed.notify_all()
            return True

    def fail(self, error: BaseException) -> None:
        """End the iteration with an error that trying again does not mend."""
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

    # -- the contract

    def __iter__(self) -> Iterator[Item]:
        self.open()
        try:
            while (taken := self._gathering()) is not None:
                arrivals, tokens = taken
                for item in self.convert(arrivals):
                    self._given += 1
                    yield item
                self._bind(tokens)
        finally:
            self.close()
            self.shut()

    def _gathering(self) -> tuple[list[Arrival], list[object]] | None:
        """What was gathered; None at the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._queue or self._queued_tokens or self._closed or self._failure
            )
            if self._failure is not None:
                raise self._failure
            due = time.monotonic() + self._gather.seconds
            while not self._closed and len(self._queue) < self._gather.arrivals:
                left = due - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            if not self._queue and not self._queued_tokens:
                return None
            arrivals, self._queue = list(self._queue), deque()
            tokens, self._queued_tokens = list(self._queued_tokens), deque()
            self._changed.notify_all()
            return arrivals, tokens

    def _bind(self, tokens: list[object]) -> None:
        """Tokens of a gathering are due when all items up to here are durable."""
        if not tokens:
            return
        with self._changed:
            if self._given > self._durable:
                self._unacknowledged.append((self._given, tokens))
                return
        self.acknowledge(tokens)

    def durable(self, count: int) -> None:
        """Acknowledge what the first ``count`` items were made of."""
        due: list[object] = []
        with self._changed:
            self._durable = max(self._durable, count)
            while self._unacknowledged and self._unacknowledged[0][0] <= self._durable:
                due += self._unacknowledged.popleft()[1]
        if due:
            self.acknowledge(due)

    def close(self) -> None:
        """End after what was gathered."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Arrivals that wait to be converted."""
        return len(self._queue)

    @property
    def closed(self) -> bool:
        """Whether it was told to end."""
        return self._closed
