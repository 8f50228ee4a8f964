"""Values that arrive in another unit than the settings' are converted before anything else sees them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.conversion import Conversion, conversion
from pipeline.layout import Layout
from pipeline.records import Floats, Frame
from pipeline.settings import ClassSettings, PipelineSettings


class Conversions:
    """What is to be done with the values of each machine, by class and layout, worked out once."""

    def __init__(self, settings: PipelineSettings) -> None:
        self._settings = settings
        self._of: dict[tuple[str, str, Layout], tuple[Floats, Floats] | None] = {}
        self._own = {name for name, one in settings.machines.items() if one.sensors}
        described = [section.sensors for section in settings.classes.values()]
        described += [machine.sensors for machine in settings.machines.values()]
        self._any = any(one.source_unit for sensors in described for one in sensors.values())

    def converted(self, frame: Frame, machine_class: str) -> Frame:
        """``frame`` in the units of the settings: itself, where nothing is to be converted."""
        if not self._any:
            return frame
        key = machine_class, frame.machine if frame.machine in self._own else "", frame.sensors
        if key not in self._of:
            found = self._settings.class_for(frame.machine, machine_class)
            self._of[key] = _scales(found, frame.sensors)
        scales = self._of[key]
        return frame if scales is None else replace(frame, values=frame.values * scales[0] + scales[1])


def _scales(settings: ClassSettings, sensors: Layout) -> tuple[Floats, Floats] | None:
    """(k,) factors and (k,) offsets; None where every value stays as it is."""
    nothing = Conversion(1.0, 0.0)
    known = [settings.sensors.get(name) for name in sensors]
    found = [conversion(one.source_unit, one.unit) if one and one.source_unit else nothing for one in known]
    if all(one == nothing for one in found):
        return None
    return np.array([one.factor for one in found]), np.array([one.offset for one in found])
