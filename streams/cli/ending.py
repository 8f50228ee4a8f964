"""SIGINT and SIGTERM: the first asks a long command to end in good order, the second ends it at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType


class Ending:
    """Whether the end was asked for, and what is to be done then.

    The handler runs in the main thread between any two of its steps, so it takes no lock that the main
    thread may hold: of the standard queues only `SimpleQueue` may be used so.
    """

    def __init__(self) -> None:
        self.asked = False
        self._woken: SimpleQueue[None] = SimpleQueue()
        self._stop: Callable[[], None] | None = None

    def stops(self, stop: Callable[[], None]) -> None:
        """Call ``stop`` when the end is asked for; at once, if it was already."""
        self._stop = stop
        if self.asked:
            stop()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self._woken.put(None)
        if self._stop is not None:
            self._stop()

    def wait(self) -> None:
        """Return once a signal has come."""
        self._woken.get()


@contextmanager
def ended_by_signals() -> Iterator[Ending]:
    """Handle both signals meanwhile. Enter it before anything that an interrupt would leave behind."""
    ending = Ending()
    before = {number: signal.signal(number, ending.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
