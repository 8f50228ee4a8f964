"""A six-axis welding robot: short cycles in which its axes swing and its gun welds."""

from __future__ import annotations

import numpy as np

from connectors.simulator.faults import FaultKind
from connectors.simulator.model import Model, Sensor
from connectors.simulator.shifts import activity
from connectors.simulator.span import MINUTE, Span
from pipeline.records import Floats, Ints

_LOT = 30 * MINUTE
_CYCLE = 57_000  # ms from one body to the next
_WAIT = 2 * MINUTE  # a body may be late


def _working(span: Span, time: Ints) -> Floats:
    lot = time // _LOT
    wanted = activity(time) > span.chance("wanted", lot)
    wait = (time // _WAIT) * 2
    waiting = (span.chance("wait", wait) < 0.05) & (time % _WAIT < _WAIT * span.chance("wait", wait + 1))
    return np.where(wanted & ~waiting, 1.0, 0.0)


def _readings(span: Span) -> tuple[Floats, ...]:
    working = _working(span, span.time)
    phase = 2 * np.pi * ((span.time % _CYCLE) / _CYCLE)
    swing = working * (0.55 + 0.45 * np.sin(phase))
    reach = working * (0.5 + 0.5 * np.sin(2 * phase + 0.8))
    welding = working * np.where(np.sin(3 * phase) > 0.2, 1.0, 0.0)
    gear, leak = span.fault(FaultKind.BEARING_WEAR), span.fault(FaultKind.LEAK)
    misaligned, heat = span.fault(FaultKind.MISALIGNMENT), span.fault(FaultKind.OVERHEATING)
    jerk = span.noise()

    friction = 1 + 0.22 * gear + 0.14 * leak + 0.06 * heat  # leak: the gearbox loses its grease
    base_torque = 120 + 610 * swing * friction * (1 + 0.012 * jerk) + span.noise(7.0)
    arm_torque = 240 + 480 * reach * friction * (1 + 0.012 * jerk) * (1 + 0.10 * misaligned) + span.noise(6.0)
    current = 3.1 + (9.5 * swing + 6.5 * reach) * friction * (1 + 0.01 * jerk) + span.noise(0.16)
    weld_current = welding * (9.6 + span.slow("gun", 10 * MINUTE, 0.12) + span.noise(0.09))
    vibration = (0.2 + 0.75 * swing) * (1 + 2.3 * gear) * np.exp(0.04 * jerk + span.noise(0.06))
    position_error = (0.03 + 0.05 * swing) * (1 + 0.8 * gear + 2.4 * misaligned) * np.exp(span.noise(0.08))
    warm = span.lagged(lambda time: _working(span, time), 40 * MINUTE)
    gearbox_temperature = span.ambient + 6 + 19 * warm + 9 * gear + 8 * leak + 28 * heat
    return (
        base_torque,
        arm_torque,
        current,
        weld_current + span.noise(0.02),
        vibration,
        position_error,
        gearbox_temperature + span.noise(0.15),
    )


ROBOT = Model(
    "robot",
    (
        Sensor("base_torque", "Nm", "torque of axis 1", "1축 토크", -2000, 2000, 1),
        Sensor("arm_torque", "Nm", "torque of axis 2", "2축 토크", -2000, 2000, 1),
        Sensor("drive_current", "A", "drive current", "구동 전류", 0, 60, 2),
        Sensor("weld_current", "kA", "weld current", "용접 전류", -0.5, 20, 2),
        Sensor("vibration_rms", "mm/s", "vibration of the wrist", "손목 진동", 0, 50, 3),
        Sensor("position_error", "mm", "position error", "위치 오차", 0, 10, 4),
        Sensor("gearbox_temperature", "degC", "gearbox temperature", "감속기 온도", -20, 150, 2),
    ),
    (FaultKind.BEARING_WEAR, FaultKind.LEAK, FaultKind.MISALIGNMENT, FaultKind.OVERHEATING),
    _readings,
)
