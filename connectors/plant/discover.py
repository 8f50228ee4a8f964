"""A plant proposed from its traffic: which machines there are, what they measure, how far and how often."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pipeline.conversion import UnitError, conversion
from pipeline.machine import display_name
from pipeline.plant import Plant, PlantArea, PlantLine, PlantMachine, PlantSensor
from pipeline.records import Frame

#: Gaps that are remembered of a machine, to tell its pace.
_GAPS = 4096
#: Ends of names that say the unit, as temp_degC and pressure_bar.
_ENDS = {
    "degc": "degC",
    "celsius": "degC",
    "degf": "degF",
    "bar": "bar",
    "mbar": "mbar",
    "kpa": "kPa",
    "mpa": "MPa",
    "psi": "psi",
    "rpm": "rpm",
    "hz": "Hz",
    "kw": "kW",
    "kwh": "kWh",
    "mms": "mm/s",
    "mm_s": "mm/s",
    "lpm": "l/min",
    "l_min": "l/min",
    "m3_h": "m3/h",
    "m3h": "m3/h",
    "kn": "kN",
    "nm": "Nm",
    "amps": "A",
    "volts": "V",
    "percent": "%",
}
_BRACKETS = re.compile(r"[\[(]([^\[\]()]{1,12})[\])]\s*$")


@dataclass(slots=True)
class _Seen:
    """What was seen of one sensor."""

    low: float = float("inf")
    high: float = float("-inf")
    readings: int = 0


@dataclass(slots=True)
class _Machine:
    sensors: dict[str, _Seen] = field(default_factory=dict)
    gaps: list[int] = field(default_factory=list)
    last: int = -1
    source: str = ""


class Discovery:
    """Collects what frames show; any number of machines, a few numbers each."""

    def __init__(self) -> None:
        self._machines: dict[str, _Machine] = {}

    @property
    def machines(self) -> int:
        """How many machines were seen."""
        return len(self._machines)

    def add(self, frame: Frame, source: str = "") -> None:
        """Look at the readings of a machine that ``source`` brought."""
        machine = self._machines.setdefault(frame.machine, _Machine())
        machine.source = source or machine.source
        times = np.unique(frame.time)
        gaps = np.diff(np.append(machine.last, times)) if machine.last >= 0 else np.diff(times)
        machine.gaps = (machine.gaps + gaps[gaps > 0].tolist())[-_GAPS:]
        machine.last = max(machine.last, int(frame.time.max()))
        for column, name in enumerate(frame.sensors):
            values = frame.values[:, column]
            values = values[np.isfinite(values)]
            seen = machine.sensors.setdefault(name, _Seen())
            if len(values):
                seen.low, seen.high = min(seen.low, float(values.min())), max(seen.high, float(values.max()))
                seen.readings += len(values)

    def plant(self, units: Mapping[tuple[str, str], str] | None = None) -> Plant:
        """What was seen, as a plant. ``units`` by machine and sensor are those that the source names.

        Machines with the same sensors are of one class. What was seen of a sensor is no range of it, so
        it is a remark (`remarks`) and nothing more.
        """
        known = units or {}
        names = sorted(self._machines)
        first = names[0].split("/") if names else ["", ""]
        here = [name for name in names if name.split("/")[:2] == first[:2]]
        areas: dict[str, PlantArea] = {}
        machines = []
        for name in here:
            _, _, area, line, machine = (display_name(one) for one in name.split("/"))
            areas.setdefault(area, PlantArea()).lines.setdefault(line, PlantLine())
            one = PlantMachine(id=machine, area=area, line=line)
            if self._machines[name].source:
                one.source = self._machines[name].source
            one.sensors = {
                sensor: _described(known.get((name, sensor)) or unit_of(sensor))
                for sensor in self._machines[name].sensors
            }
            machines.append(one)
        return Plant(enterprise=display_name(first[0]), site=display_name(first[1]), machines=machines)

    def remarks(self, plant: Plant) -> dict[tuple[str, ...], str]:
        """What was seen, by what it is a remark on (`connectors.plant.write.plant_toml`)."""
        said: dict[tuple[str, ...], str] = {}
        for machine in plant.machines:
            seen = self._machines[plant.machine_name(machine)]
            if seen.gaps:
                said["machines", machine.id] = f"a reading every {_seconds(float(np.median(seen.gaps)))}"
            for name, one in seen.sensors.items():
                told = f"seen {one.low:g} .. {one.high:g}" if one.readings else "no value seen"
                said["machines", machine.id, name] = f"{told} in {one.readings} readings"
        return said

    def elsewhere(self, plant: Plant) -> list[str]:
        """Machines that are of another site than ``plant``: each site is described by itself."""
        return sorted(set(self._machines) - {plant.machine_name(machine) for machine in plant.machines})


def unit_of(sensor: str) -> str:
    """The unit that a sensor's name tells; "" = none.

    >>> unit_of("oil temp [°C]"), unit_of("pressure_bar"), unit_of("spindle (left)"), unit_of("flow")
    ('°C', 'bar', '', '')
    """
    found = _BRACKETS.search(sensor)
    if found is not None:
        try:
            conversion(found[1], found[1] + " ")  # another text, so that the unit is looked up
        except UnitError:
            return ""
        return found[1]
    low = sensor.lower()
    return next((unit for end, unit in _ENDS.items() if low.endswith((f"_{end}", f".{end}"))), "")


def _described(unit: str) -> PlantSensor:
    return PlantSensor(unit=unit) if unit else PlantSensor()


def _seconds(ms: float) -> str:
    return f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s"
