"""A screw compressor of the compressed-air station: loads and unloads as the net's pressure asks."""

from __future__ import annotations

import numpy as np

from connectors.simulator.faults import FaultKind
from connectors.simulator.model import Model, Sensor
from connectors.simulator.shifts import activity
from connectors.simulator.span import MINUTE, Span
from pipeline.records import Floats, Ints

_CYCLE = 5 * MINUTE  # loading and unloading takes about so long


def _demand(time: Ints) -> Floats:
    """The share of its time that the compressor must be loaded."""
    return 0.28 + 0.44 * activity(time)


def _readings(span: Span) -> tuple[Floats, ...]:
    bearing, leak = span.fault(FaultKind.BEARING_WEAR), span.fault(FaultKind.LEAK)
    heat = span.fault(FaultKind.OVERHEATING)
    duty = np.clip(_demand(span.time) + span.slow("demand", 25 * MINUTE, 0.035) + 0.24 * leak, 0.05, 0.97)
    phase = (span.time / _CYCLE + span.slow("phase", 30 * MINUTE, 0.6)) % 1.0
    loaded = np.where(phase < duty, 1.0, 0.0)
    within = np.where(phase < duty, phase / duty, (1 - phase) / (1 - duty))  # 0 .. 1 .. 0, a saw
    pulse = span.noise()

    pressure = 6.6 + 0.62 * within - 0.35 * leak + 0.012 * pulse + span.noise(0.012)
    air_flow = loaded * (14.2 - 0.15 * within - 0.5 * leak) + span.noise(0.09)
    current = 58 + loaded * (96 + 9 * within) * (1 + 0.004 * pulse) + 5 * bearing + span.noise(0.9)
    vibration = (1.5 + 1.0 * loaded) * (1 + 2.6 * bearing) * np.exp(0.03 * pulse + span.noise(0.045))
    warm = span.lagged(_demand, 20 * MINUTE)
    oil_temperature = span.ambient + 46 + 16 * warm + 4 * leak + 24 * heat + 2 * loaded
    bearing_temperature = span.ambient + 40 + 14 * warm + 13 * bearing + 11 * heat
    air_temperature = span.ambient + 58 + 10 * warm + 5 * loaded + 20 * heat
    return (
        pressure,
        air_flow,
        current,
        vibration,
        oil_temperature + span.noise(0.25),
        bearing_temperature + span.noise(0.2),
        air_temperature + span.noise(0.4),
    )


COMPRESSOR = Model(
    "compressor",
    (
        Sensor("discharge_pressure", "bar", "discharge pressure", "토출 압력", 0, 16, 3),
        Sensor("air_flow", "m3/min", "air flow", "공기 유량", -0.5, 30, 2),
        Sensor("motor_current", "A", "motor current", "모터 전류", 0, 300, 2),
        Sensor("vibration_rms", "mm/s", "vibration", "진동", 0, 50, 3, (2, "flexible")),
        Sensor("oil_temperature", "degC", "oil temperature", "오일 온도", -20, 200, 2),
        Sensor("bearing_temperature", "degC", "bearing temperature", "베어링 온도", -20, 200, 2),
        Sensor("air_temperature", "degC", "discharge air temperature", "토출 공기 온도", -20, 250, 2),
    ),
    (FaultKind.BEARING_WEAR, FaultKind.LEAK, FaultKind.OVERHEATING),
    _readings,
)
