"""Are broken sensors named, and taken for broken machines? The simulated plant, with its ground truth.

    python benchmarks/sensor_faults.py [--seed 3]

One machine of each kind, a reading a minute, twelve days; after four days each of three sensors breaks for
0.8 days: one is stuck, one drops out, one drifts. Prints when each is named, what else is said meanwhile, and
what is said when nothing is broken.
"""

from __future__ import annotations

import argparse

from connectors.simulator.faults import SENSOR_FAULTS, Fault
from connectors.simulator.plant import Plant
from connectors.simulator.scenario import machines, plant_classes
from pipeline.pipeline import Pipeline
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase
from streams.settings import Settings

DAY, HOUR = 86_400_000, 3_600_000
START = 20_420 * DAY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=3)
    fleet = machines(1, 1, 1, 1)
    faults = [
        Fault(begin, begin + round(0.8 * DAY), machine.name, kind, machine.model.sensors[number].name)
        for machine in fleet
        for number, kind in enumerate(SENSOR_FAULTS)
        for begin in [START + round((4 + 2.5 * number) * DAY)]
    ]
    plant = Plant(fleet, seed=parser.parse_args().seed, interval=60_000, planned=sorted(faults))
    pipeline = Pipeline(Settings.model_construct(classes=plant_classes()))
    raised: list[AlarmEvent] = []
    for frame in plant.frames(START, START + 12 * DAY, HOUR):
        alarms = pipeline.process([frame]).alarms
        raised += [alarm for alarm in alarms if alarm.phase is AlarmPhase.RAISED]
    head = f"{'machine':16}{'broken sensor':22}{'how':16}{'named as':10}{'after, h':>9}  others  machine"
    print(head)
    inside = set()
    for fault in faults:
        here = [a for a in raised if a.machine == fault.machine and fault.start <= a.time <= fault.end]
        inside |= {alarm.id for alarm in here}
        named = [a for a in here if a.kind is AlarmKind.QUALITY and a.sensor == fault.sensor]
        others = {a.sensor for a in here if a.kind is AlarmKind.QUALITY} - {fault.sensor}
        condition = sum(a.kind is AlarmKind.CONDITION for a in here)
        what = named[0].detail.split(":")[0] if named else "-"
        after = f"{(named[0].time - fault.start) / HOUR:.1f}" if named else "-"
        machine = fault.machine.split("/")[-1]
        told = f"{what:10}{after:>9}  {len(others):6}  {condition:7}"
        print(f"{machine:16}{fault.sensor:22}{fault.kind:16}{told}")
    outside = [alarm for alarm in raised if alarm.id not in inside]
    quality = sum(alarm.kind is AlarmKind.QUALITY for alarm in outside)
    print(f"nothing broken: {quality} sensor alarms, {len(outside) - quality} others, in 38 machine-days")


if __name__ == "__main__":
    main()
