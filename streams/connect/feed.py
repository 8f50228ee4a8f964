"""One source's way into the forwarder, in a thread of its own: begun again when it fails."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from connectors.base.contract import Source
from connectors.kafka.frames import item_records
from connectors.kafka.settings import KafkaSettings
from streams.connect.forwarder import Forwarder

#: Seconds until a source that failed is begun again: doubled each time up to the second number.
_AGAIN, _AGAIN_MOST = 1.0, 60.0


class Acknowledgements:
    """Counts the items whose records are all durable, as far as there is no gap before them.

    >>> told = []
    >>> counted = Acknowledgements(told.append)
    >>> first, second = counted.item(1), counted.item(2)
    >>> second(); second(); first(); told
    [2]
    """

    def __init__(self, durable: Callable[[int], None]) -> None:
        self._durable = durable
        self._lock = threading.Lock()
        self._open: deque[list[int]] = deque()
        self._count = 0

    def item(self, records: int) -> Callable[[], None]:
        """The next item, made of so many ``records``: what is to be called once for each that is durable."""
        left = [records]
        with self._lock:
            self._open.append(left)
        if not records:
            self._advance()

        def done() -> None:
            with self._lock:
                left[0] -= 1
            if left[0] == 0:
                self._advance()

        return done

    def _advance(self) -> None:
        with self._lock:
            before = self._count
            while self._open and self._open[0][0] <= 0:
                self._open.popleft()
                self._count += 1
            count = self._count
        if count > before:
            self._durable(count)


class Feed:
    """Carries the items of the source that ``open_source`` makes to ``forwarder``, until `stop`.

    A source that raises is made and begun again after a while; ``say`` is told.
    """

    def __init__(
        self,
        name: str,
        open_source: Callable[[], Source],
        forwarder: Forwarder,
        settings: KafkaSettings,
        readings: int,
        say: Callable[[str], None],
    ) -> None:
        self.name, self._open_source, self._forwarder = name, open_source, forwarder
        self._settings, self._readings, self._say = settings, readings, say
        self.items = self.readings = self.failures = 0
        self.trouble = ""
        self.source: Source = open_source()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"source-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after what has arrived; see `join`."""
        self._stopped.set()
        self.source.close()

    def join(self, timeout: float) -> None:
        """Return when the source has ended."""
        self._thread.join(timeout)

    @property
    def ended(self) -> bool:
        """Whether the source came to an end by itself, or was stopped."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = _AGAIN
        while True:
            began = time.monotonic()
            try:
                self._carry(self.source)
                return
            except Exception as error:  # whatever one source does, the others go on
                self.failures += 1
                self.trouble = f"{type(error).__name__}: {error}"
                self._say(f"{self.name} failed and is begun again: {self.trouble}")
                with suppress(Exception):
                    self.source.close()
            if time.monotonic() - began > _AGAIN_MOST:
                pause = _AGAIN
            if self._stopped.wait(pause):
                return
            pause = min(_AGAIN_MOST, 2 * pause)
            self.source = self._open_source()
            if self._stopped.is_set():
                return

    def _carry(self, source: Source) -> None:
        acknowledgements = Acknowledgements(source.durable)
        for item in source:
            records = list(item_records(item, self._settings, self._readings))
            done = acknowledgements.item(len(records))
            for record, label, readings in records:
                if not self._forwarder.send(record, label, readings, done, can_wait=source.can_wait):
                    return
                self.readings += readings
            self.items += 1
            self.trouble = ""
