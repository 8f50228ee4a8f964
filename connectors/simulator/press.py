"""A mechanical transfer press of a body shop: runs parts of different force, stops for die changes."""

from __future__ import annotations

import numpy as np

from connectors.simulator.faults import FaultKind
from connectors.simulator.model import Model, Sensor
from connectors.simulator.shifts import activity
from connectors.simulator.span import MINUTE, Span
from pipeline.records import Floats, Ints

_LOT = 40 * MINUTE  # one part is made for so long
_STOP = 4 * MINUTE  # in each such stretch there may be a short stop


def _running(span: Span, time: Ints) -> Floats:
    """1.0 where the press makes parts: not between shifts, at die changes and in short stops."""
    lot = time // _LOT
    wanted = activity(time) > span.chance("wanted", lot)
    change = time - lot * _LOT < MINUTE * (5 + 7 * span.chance("change", lot))
    stop = (time // _STOP) * 2
    lasts = 0.5 * _STOP * span.chance("stop", stop + 1)
    stopped = (span.chance("stop", stop) < 0.04) & (time % _STOP < lasts)
    return np.where(wanted & ~change & ~stopped, 1.0, 0.0)


def _force(span: Span, time: Ints) -> Floats:
    """The part's share of the press's nominal force."""
    share: Floats = np.array([0.72, 0.81, 0.88, 1.0])[(4 * span.chance("part", time // _LOT)).astype(int)]
    return share


def _readings(span: Span) -> tuple[Floats, ...]:
    running = _running(span, span.time)
    force = running * _force(span, span.time)
    stroke = span.noise()  # how hard this stroke was: felt by force, current and vibration alike
    bearing, leak = span.fault(FaultKind.BEARING_WEAR), span.fault(FaultKind.LEAK)
    misaligned, heat = span.fault(FaultKind.MISALIGNMENT), span.fault(FaultKind.OVERHEATING)

    press_force = 6300 * force * (1 + 0.012 * stroke) + span.noise(9.0)
    pace = 14.5 - 3.0 * force + span.slow("pace", 20 * MINUTE, 0.12) + span.noise(0.06)
    current = 24 + running * 14 + 152 * force * (1 + 0.015 * stroke + 0.05 * misaligned) + span.noise(1.6)
    shaking = 0.28 + running * (0.8 + 1.3 * force)
    vibration = shaking * (1 + 2.6 * bearing + 0.7 * misaligned) * np.exp(0.05 * stroke + span.noise(0.045))
    axial = 0.6 * shaking * (1 + 0.8 * bearing + 2.2 * misaligned) * np.exp(0.03 * stroke + span.noise(0.06))
    warm = span.lagged(lambda time: _running(span, time) * _force(span, time), 50 * MINUTE)
    bearing_temperature = span.ambient + 8 + 24 * warm + 13 * bearing + 5 * misaligned + 30 * heat
    oil_pressure = 162 - 7 * force - 34 * leak + span.slow("oil", 15 * MINUTE, 0.8) + span.noise(0.7)
    oil_temperature = span.ambient + 14 + 9 * warm + 4 * leak + 14 * heat
    return (
        press_force,
        running * pace,
        current,
        vibration,
        axial,
        bearing_temperature + span.noise(0.15),
        oil_pressure,
        oil_temperature + span.noise(0.12),
    )


PRESS = Model(
    "press",
    (
        Sensor("press_force", "kN", "press force", "프레스 하중", -200, 8000, 1),
        Sensor("stroke_rate", "1/min", "stroke rate", "스트로크 수", 0, 30, 2),
        Sensor("motor_current", "A", "main motor current", "주모터 전류", 0, 400, 2),
        Sensor("vibration_rms", "mm/s", "vibration, radial", "진동(반경)", 0, 50, 3, (1, "rigid")),
        Sensor("vibration_axial", "mm/s", "vibration, axial", "진동(축)", 0, 50, 3, (1, "rigid")),
        Sensor("bearing_temperature", "degC", "bearing temperature", "베어링 온도", -20, 200, 2),
        Sensor("oil_pressure", "bar", "hydraulic pressure", "유압", 0, 250, 2),
        Sensor("oil_temperature", "degC", "oil temperature", "오일 온도", -20, 150, 2),
    ),
    (FaultKind.BEARING_WEAR, FaultKind.LEAK, FaultKind.MISALIGNMENT, FaultKind.OVERHEATING),
    _readings,
)
