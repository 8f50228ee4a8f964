"""Values of one payload, gathered into readings: those of one machine and time are one."""

from __future__ import annotations

import math

import numpy as np

from pipeline.records import Frame


class Rows:
    """Gathers values; the last of several for one machine, time and sensor counts."""

    def __init__(self) -> None:
        self._machines: dict[str, tuple[dict[int, dict[str, float]], dict[str, None]]] = {}
        self._uncertain: set[tuple[str, int, str]] = set()

    def add(self, machine: str, time: int, sensor: str, value: float, uncertain: bool) -> None:
        """Add a value, NaN = missing."""
        found = self._machines.get(machine)
        if found is None:
            found = self._machines[machine] = ({}, {})
        readings, sensors = found
        sensors[sensor] = None
        readings.setdefault(time, {})[sensor] = value
        if uncertain:
            self._uncertain.add((machine, time, sensor))

    def frames(self) -> list[Frame]:
        """One frame a machine, in order of time."""
        return [self._frame(machine, *found) for machine, found in self._machines.items()]

    def _frame(self, machine: str, readings: dict[int, dict[str, float]], sensors: dict[str, None]) -> Frame:
        times, names = sorted(readings), tuple(sensors)
        values = np.array([[readings[time].get(name, math.nan) for name in names] for time in times])
        uncertain = None
        if self._uncertain:
            marks = [[(machine, time, name) in self._uncertain for name in names] for time in times]
            uncertain = np.array(marks, dtype=np.bool_)
        if uncertain is not None and not uncertain.any():
            uncertain = None
        return Frame(machine, np.array(times, dtype=np.int64), names, values, uncertain)
