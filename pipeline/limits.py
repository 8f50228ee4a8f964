"""The fixed limits of a class's sensors, from its settings; their state outlives a change of the settings."""

from __future__ import annotations

import numpy as np

from detectors.base import State as Saved
from detectors.batch import Bools, Floats
from detectors.decision.limits import Crossings, FleetLimits, Limit
from detectors.table import KernelTable
from pipeline.settings import ClassSettings, SensorSettings

WARNING, URGENT = 2, 4

#: The limits that a sensor may have, by the number that stands for each in snapshots.
_NAMES = ("warn", "trip", "low_warn", "low_trip", "zone C", "zone D")


class NamedLimits(FleetLimits):
    """`FleetLimits` whose saved state says whose limits it is of.

    A limit that has come since the state was saved begins afresh, one that is gone is left out; the others
    go on.
    """

    def __init__(self, limits: tuple[Limit, ...], on_delay: int, off_delay: int, min_readings: int) -> None:
        super().__init__(limits, on_delay, off_delay, min_readings)
        self._of = np.array(
            [limit.sensor * 16 + _NAMES.index(limit.name) for limit in limits], dtype=np.int64
        )

    def raised(self, row: int) -> list[Limit]:
        """The limits of ``row`` whose alarm is on."""
        return [one for one, on in zip(self.limits, self.columns.raised[row].tolist(), strict=True) if on]

    def dump(self, row: int) -> Saved:
        """The row's state, and the limits that it is of."""
        return {**super().dump(row), "of": self._of}

    def load(self, row: int, state: Saved) -> None:
        """Take up what `dump` gave, of these limits or of others."""
        given = {kind: values for kind, values in state.items() if kind != "of"}
        of = state.get("of")
        if of is None:  # an older Yeji did not say: all of the same number are the same
            of = self._of if given.get("b", self._of).shape == self._of.shape else np.empty(0, dtype=np.int64)
            given = given if len(of) == len(self._of) else {}
        if np.array_equal(of, self._of) and given:
            super().load(row, given)
            return
        self.reset(row, 0)
        before = KernelTable(Crossings, limits=len(of))
        before.resize(1)
        if given:
            before.load(0, given)
        places = {number: place for place, number in enumerate(of.tolist())}
        for place, number in enumerate(self._of.tolist()):
            if number in places:
                for name in Crossings._fields:
                    self[name][row, place] = before[name][0, places[number]]


def limits_of(settings: ClassSettings, sensors: tuple[str, ...]) -> tuple[Limit, ...]:
    """Every limit that the class sets for these sensors.

    ISO zones give a warning where zone C begins and an urgent alarm where zone D does; a `warn` or
    `trip` of the sensor's own takes their place.

    >>> press = ClassSettings(sensors={"v": {"iso20816": {"group": 2}, "trip": 4.0}})
    >>> [(limit.name, limit.value, limit.severity) for limit in limits_of(press, ("t", "v"))]
    [('zone C', 2.8, 2), ('trip', 4.0, 4)]
    """
    found = []
    for column, name in enumerate(sensors):
        sensor = settings.sensors.get(name)
        if sensor is None:
            continue
        warn: tuple[str, float | None] = ("warn", sensor.warn)
        trip: tuple[str, float | None] = ("trip", sensor.trip)
        if sensor.iso20816 is not None:
            _, c, d = settings.zones[sensor.iso20816.key]
            warn = ("zone C", c) if sensor.warn is None else warn
            trip = ("zone D", d) if sensor.trip is None else trip
        for (title, value), above, severity in (
            (warn, True, WARNING),
            (trip, True, URGENT),
            (("low_warn", sensor.low_warn), False, WARNING),
            (("low_trip", sensor.low_trip), False, URGENT),
        ):
            if value is not None:
                found.append(Limit(column, title, value, above, severity, _deadband(sensor, value)))
    return tuple(found)


def _deadband(sensor: SensorSettings, value: float) -> float:
    return abs(value) * 0.05 if sensor.deadband is None else sensor.deadband


_VIBRATION_UNITS = frozenset({"mm/s", "m/s2", "m/s²", "m/s^2", "g", "in/s", "µm", "um"})
_VIBRATION_NAMES = ("vibration", "accelero", "accel", "velocity_rms", "envelope", "kurtosis", "crest")


def symptoms_of(settings: ClassSettings, sensors: tuple[str, ...]) -> Bools:
    """(k,) which sensors show wear by themselves: one that rises alone is no drift of the sensor.

    >>> symptoms_of(ClassSettings(sensors={"de": {"unit": "mm/s"}}), ("de", "vibration_rms", "flow")).tolist()
    [True, True, False]
    """
    found = []
    for name in sensors:
        known = settings.sensors.get(name, SensorSettings())
        by_itself = known.unit in _VIBRATION_UNITS or known.iso20816 is not None
        by_itself |= any(part in name.lower() for part in _VIBRATION_NAMES)
        found.append(by_itself if known.symptom is None else known.symptom)
    return np.array(found, dtype=bool)


def rails_of(settings: ClassSettings, sensors: tuple[str, ...]) -> tuple[Floats, Floats]:
    """The ends of the sensors' measuring ranges, (k,) each; NaN = not known."""
    known = [settings.sensors.get(name, SensorSettings()) for name in sensors]
    low = np.array([np.nan if one.low is None else one.low for one in known])
    high = np.array([np.nan if one.high is None else one.high for one in known])
    return low, high
