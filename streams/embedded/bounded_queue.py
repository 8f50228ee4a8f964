"""The queue between the thread that reads a source and the one that processes: bounded, in readings."""

from __future__ import annotations

import threading
from collections import deque

from pipeline.records import Frame, Message, Rejection

Item = Message | Frame | Rejection

#: This many bytes of a message count as one reading: a guess that only bounds memory.
_BYTES_A_READING = 100


def weight(item: Item) -> int:
    """How much an item takes, in readings."""
    if isinstance(item, Frame):
        return 1 + len(item)
    return 1 + len(item.value if isinstance(item, Message) else item.original) // _BYTES_A_READING


class BoundedQueue:
    """A bounded queue of items. `put` waits while ``capacity`` readings lie in it.

    >>> h = BoundedQueue(10)
    >>> h.put(Message(b"x", 0)), h.end(), len(h.drain(5) or []), h.drain(5)
    (True, None, 1, None)
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._items: deque[Item] = deque()
        self._held = 0
        self._ended = self._stopped = False
        self._error: BaseException | None = None
        # Re-entrant: a signal may call `stop` in the very thread that is inside `take`.
        self._changed = threading.Condition(threading.RLock())

    def put(self, item: Item) -> bool:
        """Add an item; False when nobody wants any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._held < self.capacity or self._stopped)
            if self._stopped:
                return False
            self._items.append(item)
            self._held += weight(item)
            self._changed.notify_all()
            return True

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._items

    def end(self, error: BaseException | None = None) -> None:
        """No more will come; ``error`` is what ended it, raised by `take` after the last item."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def stop(self) -> None:
        """No more is wanted: `put` refuses, `take` returns what there still is, then None."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def drain(self, most: int, wait: float | None = None) -> list[Item] | None:
        """What there is, at least one item and about ``most`` readings; None at the end.

        Nothing after ``wait`` seconds in which nothing came.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._items) or self._ended or self._stopped, wait):
                return []
            if not self._items:
                if self._error is not None and not self._stopped:
                    raise self._error
                return None
            taken: list[Item] = []
            size = 0
            while self._items and size < most:
                item = self._items.popleft()
                taken.append(item)
                size += weight(item)
            self._held -= size
            self._changed.notify_all()
            return taken
