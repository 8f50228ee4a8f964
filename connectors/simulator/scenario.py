"""Ready plants: the one that `yeji run` shows, one for trials of any size, and the settings that fit both."""

from __future__ import annotations

from connectors.simulator.compressor import COMPRESSOR
from connectors.simulator.faults import Fault, FaultKind
from connectors.simulator.model import Model, Sensor
from connectors.simulator.plant import Plant, SimulatedMachine
from connectors.simulator.press import PRESS
from connectors.simulator.pump import PUMP
from connectors.simulator.robot import ROBOT
from connectors.simulator.shifts import HOUR
from pipeline.settings import (
    AlarmSettings,
    ClassSettings,
    DetectorSettings,
    IsoZoneSettings,
    LearningSettings,
    SensorSettings,
)

MODELS: tuple[Model, ...] = (PRESS, PUMP, COMPRESSOR, ROBOT)

_SITE = "gwangju/ggm"
_MINUTE = HOUR // 60

# What goes together under any load and shift, and River's trees beside it: benchmarks/plant.py compares.
_DETECTORS = (
    DetectorSettings(kind="similarity", params={"smooth": 12}),
    # A window of a week, at a reading every 15 s: a shorter one forgets Friday over the weekend.
    DetectorSettings(kind="half-space-trees", params={"window_size": 7 * 24 * 240}),
)


def machines(presses: int, pumps: int, compressors: int, robots: int) -> list[SimulatedMachine]:
    """So many of each, on lines of eight presses and twelve robots.

    >>> [m.name for m in machines(1, 1, 0, 1)][0]
    'gwangju/ggm/body/press-line-1/press-01'
    """
    made = [
        SimulatedMachine(f"{_SITE}/body/press-line-{1 + i // 8}/press-{i + 1:02}", PRESS)
        for i in range(presses)
    ]
    made += [SimulatedMachine(f"{_SITE}/utilities/cooling-water/pump-{i + 1:02}", PUMP) for i in range(pumps)]
    made += [
        SimulatedMachine(f"{_SITE}/utilities/compressed-air/compressor-{i + 1:02}", COMPRESSOR)
        for i in range(compressors)
    ]
    made += [
        SimulatedMachine(f"{_SITE}/body/weld-line-{1 + i // 12}/robot-{i + 1:02}", ROBOT)
        for i in range(robots)
    ]
    return made


def steady_plant(
    count: int = 15, *, seed: int = 1, interval: int = 5000, fault_rate: float = 0.3, faults_from: int = 0
) -> Plant:
    """A plant of ``count`` machines of all four kinds, with random faults at ``fault_rate`` a ten days."""
    share = count // 4
    fleet = machines(count - 3 * share, share, share, share)
    return Plant(fleet, seed=seed, interval=interval, fault_rate=fault_rate, faults_from=faults_from)


def demo_plant(live: int, *, seed: int = 1, interval: int = 5000) -> Plant:
    """Fifteen machines whose last two days before ``live`` (ms UTC) hold four faults, and a fifth begins.

    To be told, they want a history of more than the week of commissioning of `plant_classes`.

    A press's bearing wears until today, a compressor leaks and is repaired, a robot's sensor loses
    contact, a pump's thermometer sticks; as it goes live another pump begins to overheat.
    """

    def hours(before: float) -> int:
        return live - round(before * HOUR)

    body, utilities = f"{_SITE}/body", f"{_SITE}/utilities"
    faults = [
        Fault(hours(20), hours(-3), f"{body}/press-line-1/press-05", FaultKind.BEARING_WEAR),
        Fault(hours(15), hours(9), f"{utilities}/compressed-air/compressor-02", FaultKind.LEAK),
        Fault(
            hours(12), hours(10.5), f"{body}/weld-line-1/robot-02", FaultKind.SENSOR_DROPPED, "vibration_rms"
        ),
        Fault(
            hours(7), hours(1), f"{utilities}/cooling-water/pump-02", FaultKind.SENSOR_STUCK,
            "bearing_temperature",
        ),
        Fault(
            live - 2 * _MINUTE,
            live + 10 * _MINUTE,
            f"{utilities}/cooling-water/pump-01",
            FaultKind.OVERHEATING,
        ),
    ]  # fmt: skip
    return Plant(
        machines(6, 3, 2, 4),
        seed=seed,
        interval=interval,
        planned=sorted(faults),
        fault_rate=0.6,
        faults_from=live + 4 * HOUR,
    )


def _known(sensor: Sensor) -> SensorSettings:
    # A sensor that rests at 0 is not saturated there.
    low = sensor.low if sensor.low != 0 else None
    zones = None
    if sensor.zones is not None:
        zones = IsoZoneSettings(group=sensor.zones[0], mounting=sensor.zones[1])
    return SensorSettings(
        unit=sensor.unit,
        label=sensor.label,
        label_ko=sensor.label_ko,
        low=low,
        high=sensor.high,
        iso20816=zones,
    )


def plant_classes() -> dict[str, ClassSettings]:
    """Machine classes for a simulated plant: what `yeji run` uses where the settings name none."""
    return {
        model.kind: ClassSettings(
            match=[f"*/{model.kind}-*"],
            detectors=list(_DETECTORS),
            # What ends within a minute is no reason to wake anyone.
            alarm=AlarmSettings(on_delay=60, off_delay=600, min_readings=6),
            # A week shows a machine's shifts; what it does then is learned, and nobody is woken.
            learning=LearningSettings(settle=7 * 24 * 3600, block=64),
            sensors={s.name: _known(s) for s in model.sensors},
        )
        for model in MODELS
    }
