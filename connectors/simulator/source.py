"""The simulated plant as a source: its history at once, then its present as time goes by."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import msgspec

from connectors.base.clock import now_ms
from connectors.base.contract import Source
from connectors.simulator import Plant
from pipeline.records import Frame

#: The history comes in frames of so much event time.
STEP = 10 * 60_000


def history_step(interval: int) -> int:
    """How much event time one frame of the history holds, for readings ``interval`` ms apart."""
    return max(1, STEP // interval) * interval


class SimulatorSource(Source):
    """Frames of every machine from ``start`` (ms UTC) up to ``live`` at once, and then as they fall due.

    ``until`` ends it there (None = never). With ``speed`` 1 the present is the wall clock's, and a source
    that starts late catches up; with another speed event time runs so many times as fast from ``live``, or
    from where it goes on. The items are always the same, so that `skip` can go on from any count of them.
    """

    name = "simulator"

    def __init__(
        self,
        plant: Plant,
        start: int,
        live: int,
        *,
        until: int | None = None,
        speed: float = 1.0,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        if speed <= 0:
            raise ValueError(f"speed is {speed}; give more than 0")
        # Steps are whole readings, and the history is whole steps: then item number and time agree.
        self._tick = plant.interval
        self._step = history_step(self._tick)
        self.start = start - start % self._tick
        self.live = self.start + max(0, live - self.start) // self._step * self._step
        self.plant, self.until, self.speed, self._clock = plant, until, speed, clock
        self._skipped = 0
        self._closed = threading.Event()
        end = self.live if until is None else until
        self.total = plant.readings(self.start, max(self.start, end))

    def skip(self, count: int) -> None:
        """Leave out the first ``count`` items: they were taken before."""
        self._skipped = count

    @property
    def detail(self) -> str:
        """What another process needs to make the same items; see `connectors.sqlite.store.Position`."""
        return encode_detail(self.plant.seed, self._tick, self.start, self.live, len(self.plant.machines))

    def __iter__(self) -> Iterator[Frame]:
        index, skip_machines = divmod(self._skipped, len(self.plant.machines))
        began_at, began = self._clock(), max(self._time(index), self.live)
        while not self._closed.is_set():
            start, stop = self._time(index), self._time(index + 1)
            if self.until is not None and start >= self.until:
                return
            if stop > self.live and not self._wait(stop, began, began_at):
                return
            for machine in self.plant.machines[skip_machines:]:
                if self._closed.is_set():
                    return
                yield self.plant.frame(machine.name, start, stop)
            skip_machines = 0
            index += 1

    def _time(self, index: int) -> int:
        """When step number ``index`` begins: long steps up to `live`, then one reading each."""
        steps = (self.live - self.start) // self._step
        return self.start + min(index, steps) * self._step + max(0, index - steps) * self._tick

    def _wait(self, stop: int, began: int, began_at: int) -> bool:
        """Wait until event time ``stop`` has come; False when closed meanwhile."""
        while True:
            now = self._clock()
            present = now if self.speed == 1.0 else began + (now - began_at) * self.speed
            ahead = (stop - present) / (1000 * self.speed)
            if ahead <= 0:
                return True
            if self._closed.wait(min(ahead, 1.0)):
                return False

    def close(self) -> None:
        """End the iteration soon, also while it waits."""
        self._closed.set()


def encode_detail(seed: int, interval: int, start: int, live: int, machines: int) -> str:
    """The five numbers that make a simulation, for `Position.detail`."""
    return msgspec.json.encode(
        {"seed": seed, "interval": interval, "start": start, "live": live, "machines": machines}
    ).decode()
