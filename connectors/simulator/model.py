"""What a kind of machine is: its sensors, the faults it can have, and how its readings come about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from connectors.simulator.faults import SENSOR_FAULTS, FaultKind
from connectors.simulator.span import Span
from pipeline.records import Floats


@dataclass(frozen=True, slots=True)
class Sensor:
    """One measured quantity. ``low`` .. ``high`` is what the sensor can show; ``digits`` its resolution.

    ``zones``: the machine group and mounting of ISO 20816-3 that its vibration is judged by.
    """

    name: str
    unit: str
    label: str
    label_ko: str
    low: float
    high: float
    digits: int
    zones: tuple[int, Literal["rigid", "flexible"]] | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of machine. ``readings`` returns one array (n,) a sensor, in the order of ``sensors``."""

    kind: str
    sensors: tuple[Sensor, ...]
    machine_faults: tuple[FaultKind, ...]
    readings: Callable[[Span], tuple[Floats, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """The sensors' names, in column order."""
        return tuple(sensor.name for sensor in self.sensors)

    @property
    def faults(self) -> tuple[FaultKind, ...]:
        """Every kind of fault that the machine or its sensors can have."""
        return self.machine_faults + SENSOR_FAULTS
