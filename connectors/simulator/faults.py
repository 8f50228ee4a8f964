"""Faults: what is injected into the plant and when. This is the ground truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from connectors.simulator.chance import seed_of, uniform
from connectors.simulator.shifts import DAY, HOUR
from pipeline.records import Floats, Ints


class FaultKind(StrEnum):
    """What breaks. The last three are a sensor's fault, the others the machine's."""

    BEARING_WEAR = "bearing-wear"
    LEAK = "leak"
    MISALIGNMENT = "misalignment"
    OVERHEATING = "overheating"
    SENSOR_STUCK = "sensor-stuck"
    SENSOR_DROPPED = "sensor-dropped"
    SENSOR_DRIFT = "sensor-drift"


MACHINE_FAULTS = (
    FaultKind.BEARING_WEAR,
    FaultKind.LEAK,
    FaultKind.MISALIGNMENT,
    FaultKind.OVERHEATING,
)
SENSOR_FAULTS = (FaultKind.SENSOR_STUCK, FaultKind.SENSOR_DROPPED, FaultKind.SENSOR_DRIFT)

#: Shortest and longest duration of each kind.
_LASTS: dict[FaultKind, tuple[int, int]] = {
    FaultKind.BEARING_WEAR: (36 * HOUR, 96 * HOUR),
    FaultKind.LEAK: (6 * HOUR, 36 * HOUR),
    FaultKind.MISALIGNMENT: (8 * HOUR, 36 * HOUR),
    FaultKind.OVERHEATING: (3 * HOUR, 12 * HOUR),
    FaultKind.SENSOR_STUCK: (1 * HOUR, 8 * HOUR),
    FaultKind.SENSOR_DROPPED: (1 * HOUR, 6 * HOUR),
    FaultKind.SENSOR_DRIFT: (24 * HOUR, 72 * HOUR),
}

#: A machine has at most one random fault in so long a time.
PERIOD = 10 * DAY


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault: the machine is not healthy from ``start`` up to ``end`` (ms UTC), then it is repaired.

    ``sensor`` is the faulty one for the sensor kinds, None for a fault of the machine.
    ``severity`` 1.0 is what a technician would stop the machine for.
    """

    start: int
    end: int
    machine: str
    kind: FaultKind
    sensor: str | None = None
    severity: float = 1.0

    def course(self, time: Ints) -> Floats:
        """How far it has developed at ``time`` (n,): 0 outside of it, at most ``severity``.

        >>> Fault(0, 100, "m", FaultKind.MISALIGNMENT).course(np.array([-1, 0, 50, 100])).tolist()
        [0.0, 0.0, 1.0, 0.0]
        """
        share = (time - self.start) / (self.end - self.start)
        shape = _SHAPES[self.kind](np.clip(share, 0.0, 1.0))
        developed: Floats = np.where((time >= self.start) & (time < self.end), self.severity * shape, 0.0)
        return developed


def _exponential(share: Floats) -> Floats:
    grown: Floats = np.expm1(4.0 * share) / np.expm1(4.0)
    return grown


def _ramp(until: float) -> Callable[[Floats], Floats]:
    return lambda share: np.minimum(1.0, share / until)


_SHAPES: dict[FaultKind, Callable[[Floats], Floats]] = {
    FaultKind.BEARING_WEAR: _exponential,
    FaultKind.LEAK: _ramp(0.02),
    FaultKind.MISALIGNMENT: _ramp(0.02),
    FaultKind.OVERHEATING: _ramp(0.30),
    FaultKind.SENSOR_STUCK: np.ones_like,
    FaultKind.SENSOR_DROPPED: np.ones_like,
    FaultKind.SENSOR_DRIFT: _ramp(1.0),
}


def random_fault(
    seed: int, machine: str, kinds: tuple[FaultKind, ...], sensors: tuple[str, ...], period: int, rate: float
) -> Fault | None:
    """The fault, if any, that ``machine`` has within period number ``period`` (see `PERIOD`).

    ``rate`` is the chance that it has one. Nothing of it depends on other periods or machines.
    """
    u = uniform(seed_of(seed, machine, "fault"), 8 * period + np.arange(6))
    if u[0] >= rate:
        return None
    kind = kinds[int(u[1] * len(kinds))]
    shortest, longest = _LASTS[kind]
    start = period * PERIOD + int(u[2] * 0.5 * PERIOD)
    end = start + int(shortest + u[3] * (longest - shortest))
    sensor = sensors[int(u[4] * len(sensors))] if kind in SENSOR_FAULTS else None
    return Fault(start, end, machine, kind, sensor, 0.7 + 0.6 * float(u[5]))
