"""A cooling-water pump with a frequency converter: follows the plant's demand by the affinity laws."""

from __future__ import annotations

import numpy as np

from connectors.simulator.faults import FaultKind
from connectors.simulator.model import Model, Sensor
from connectors.simulator.shifts import activity
from connectors.simulator.span import MINUTE, Span
from pipeline.records import Floats, Ints


def _demand(time: Ints) -> Floats:
    """Speed as a share of the nominal one."""
    return 0.62 + 0.36 * activity(time)


def _readings(span: Span) -> tuple[Floats, ...]:
    speed = _demand(span.time) + span.slow("demand", 12 * MINUTE, 0.012) + span.noise(0.0015)
    swirl = span.noise()  # turbulence: moves flow, pressure and current together
    bearing, leak = span.fault(FaultKind.BEARING_WEAR), span.fault(FaultKind.LEAK)
    misaligned, heat = span.fault(FaultKind.MISALIGNMENT), span.fault(FaultKind.OVERHEATING)

    flow = 128 * speed * (1 - 0.16 * leak) * (1 + 0.006 * swirl) + span.noise(0.35)
    pressure = 5.6 * speed**2 * (1 - 0.14 * leak) * (1 + 0.004 * swirl) + span.noise(0.015)
    power = speed**3 * (1 + 0.10 * leak + 0.05 * misaligned + 0.04 * bearing)
    current = 13 + 44 * power * (1 + 0.005 * swirl) + span.noise(0.25)
    shaking = 0.45 + 1.25 * speed**2
    vibration = shaking * (1 + 2.6 * bearing + 0.7 * misaligned) * np.exp(span.noise(0.05) + 0.02 * swirl)
    axial = 0.55 * shaking * (1 + 0.8 * bearing + 2.2 * misaligned) * np.exp(span.noise(0.06))
    warm = span.lagged(lambda time: _demand(time) ** 3, 30 * MINUTE)
    bearing_temperature = span.ambient + 11 + 18 * warm + 12 * bearing + 5 * misaligned + 9 * heat
    winding_temperature = span.ambient + 22 + 34 * warm + 4 * misaligned + 34 * heat
    return (
        1480 * speed + span.noise(1.2),
        flow,
        pressure,
        current,
        vibration,
        axial,
        bearing_temperature + span.noise(0.15),
        winding_temperature + span.noise(0.2),
    )


PUMP = Model(
    "pump",
    (
        Sensor("speed", "1/min", "shaft speed", "회전수", 0, 1800, 1),
        Sensor("flow", "m3/h", "flow", "유량", 0, 200, 2),
        Sensor("discharge_pressure", "bar", "discharge pressure", "토출 압력", 0, 10, 3),
        Sensor("motor_current", "A", "motor current", "모터 전류", 0, 120, 2),
        Sensor("vibration_rms", "mm/s", "vibration, radial", "진동(반경)", 0, 50, 3, (2, "flexible")),
        Sensor("vibration_axial", "mm/s", "vibration, axial", "진동(축)", 0, 50, 3, (2, "flexible")),
        Sensor("bearing_temperature", "degC", "bearing temperature", "베어링 온도", -20, 200, 2),
        Sensor("winding_temperature", "degC", "winding temperature", "권선 온도", -20, 250, 2),
    ),
    (FaultKind.BEARING_WEAR, FaultKind.LEAK, FaultKind.MISALIGNMENT, FaultKind.OVERHEATING),
    _readings,
)
