"""Runs a source in a thread and keeps what it brings, for tests of sources that go on until closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from connectors.base.contract import Item, Source
from connectors.base.gather import gathered
from pipeline.records import Frame, Message, Rejection


def until(condition: Callable[[], object], seconds: float = 20.0, what: object = "it") -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} never came true"
        time.sleep(0.01)


@dataclass
class Collected:
    """What came so far. With ``durable`` every item is acknowledged at once."""

    source: Source
    acknowledges: bool = True
    items: list[Item] = field(default_factory=list)
    error: BaseException | None = None

    def run(self) -> None:
        try:
            for item in self.source:
                self.items.append(item)
                if self.acknowledges:
                    self.source.durable(len(self.items))
        except BaseException as error:  # the test says what it expects
            self.error = error

    def acknowledge_all(self) -> None:
        self.source.durable(len(self.items))

    @property
    def frames(self) -> list[Frame]:
        return [item for item in self.items if isinstance(item, Frame)]

    @property
    def rejections(self) -> list[Rejection]:
        return [item for item in self.items if isinstance(item, Rejection)]

    @property
    def messages(self) -> list[Message]:
        return [item for item in self.items if isinstance(item, Message)]

    def values(self, sensor: str) -> list[float]:
        """All values of a sensor, in the order in which they came."""
        found: list[float] = []
        for frame in self.frames:
            if sensor in frame.sensors:
                column = frame.values[:, frame.sensors.index(sensor)]
                found += column[~np.isnan(column)].tolist()
        return found

    def by_machine(self) -> dict[str, Frame]:
        """One frame a machine of everything that came."""
        return {frame.machine: frame for frame in gathered(self.frames)}

    def until(self, condition: Callable[[Collected], object], seconds: float = 20.0) -> None:
        """Wait until a condition of what came holds; the source's own error ends it."""
        deadline = time.monotonic() + seconds
        while not condition(self):
            if self.error is not None:
                raise self.error
            assert time.monotonic() < deadline, f"it never came true; there came {self.items}"
            time.sleep(0.01)


@contextmanager
def collecting(source: Source, *, acknowledges: bool = True) -> Iterator[Collected]:
    """Run a source meanwhile."""
    collected = Collected(source, acknowledges)
    thread = threading.Thread(target=collected.run, daemon=True)
    thread.start()
    try:
        yield collected
    finally:
        source.close()
        thread.join(20)
        assert not thread.is_alive(), "the source did not end"
