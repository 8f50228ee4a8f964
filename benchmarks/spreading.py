"""How much sooner machines of another site are watched when they begin with what a lead site learned.

    .venv/bin/python -m benchmarks.spreading

Two simulated sites with different machines of the same classes, a reading a machine every 30 seconds. The
lead site runs for six healthy days and exports its priors. At the other site every machine begins with a
fault three hours after its first reading (or healthy, for false alarms). Compared: a full warm-up, the same
short warm-up without a prior, and the short warm-up with the lead site's prior.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from connectors.simulator import Fault, FaultKind, Plant, plant_classes, steady_plant
from pipeline.pipeline import Pipeline
from pipeline.records import AlarmKind, AlarmPhase
from pipeline.settings import DetectorSettings
from pipeline.spreading.prior import Prior, pack, short, unpack
from pipeline.spreading.spreading import export
from streams.settings import Settings

START, HOUR, INTERVAL = 1_790_000_000_000, 3_600_000, 30_000


@dataclass
class Figures:
    """Of one way to begin: hours to the first score, alarms without a fault a machine-day, faults seen."""

    first: list[float] = field(default_factory=list)
    false: int = 0
    machine_days: float = 0.0
    caught: int = 0
    faults: int = 0
    delays: list[float] = field(default_factory=list)
    warm: int = 0
    machines: int = 0


def settings(detector: str, warmup: int | None = None) -> Settings:
    made = Settings(classes=plant_classes())
    for one in made.classes.values():
        one.detectors = [DetectorSettings(kind=detector)]
        one.learning.warmup = warmup or one.learning.warmup
    return made


def lead(detector: str, machines: int, days: float) -> list[Prior]:
    plant = steady_plant(machines, seed=11, interval=INTERVAL, fault_rate=0.0)
    pipeline = Pipeline(settings(detector))
    for frame in plant.frames(START, START + round(days * 24) * HOUR, 6 * HOUR):
        pipeline.process([frame])
    found = [export(pipeline, name, made=START) for name in pipeline.settings.classes]
    sizes = ", ".join(f"{one.machine_class} {len(pack(one)) / 1024:.0f} kB" for one in found)
    print(f"lead site: {machines} machines, {days:g} days; packages: {sizes}")
    return [unpack(pack(one)) for one in found]


def begin(detector: str, priors: list[Prior], machines: int, warmup: int | None, faulty: bool) -> Figures:
    plant = steady_plant(machines, seed=77, interval=INTERVAL, fault_rate=0.0)
    names = [one.name for one in plant.machines]
    kinds = {"press": FaultKind.BEARING_WEAR, "compressor": FaultKind.LEAK}
    faults = {
        name: Fault(
            START + 3 * HOUR,
            START + 27 * HOUR,
            name,
            kinds.get(name.rpartition("/")[2].rpartition("-")[0], FaultKind.OVERHEATING),
        )
        for name in names
    }
    if faulty:
        plant = Plant(
            plant.machines, seed=77, interval=INTERVAL, planned=sorted(faults.values()), fault_rate=0.0
        )
    pipeline = Pipeline(settings(detector, warmup))
    for prior in priors:
        pipeline.adopt(prior)
    first: dict[str, int] = {}
    raised: dict[str, list[int]] = defaultdict(list)
    hours = 30 if faulty else 48
    for frame in plant.frames(START, START + hours * HOUR, HOUR):
        results = pipeline.process([frame])
        for scored in results.scored:
            known = np.isfinite(scored.score)
            if known.any():
                first.setdefault(scored.machine, int(scored.time[known][0]))
        for alarm in results.alarms:
            if alarm.kind is AlarmKind.CONDITION and alarm.phase is AlarmPhase.RAISED:
                raised[alarm.machine].append(alarm.time)
    found = Figures(machines=machines)
    for name in names:
        found.first.append((first.get(name, START + hours * HOUR) - START) / HOUR)
        if faulty:
            fault = faults[name]
            seen = [time for time in raised[name] if fault.start <= time < fault.end]
            found.faults += 1
            found.caught += bool(seen)
            if seen:
                found.delays.append((seen[0] - fault.start) / HOUR)
        else:
            found.false += len(raised[name])
            found.machine_days += hours / 24
    found.warm = sum(not one.cold for kind in pipeline.settings.classes for one in pipeline.watched(kind))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machines", type=int, default=16)
    parser.add_argument("--days", type=float, default=6)
    parser.add_argument("--detector", default="similarity")
    asked = parser.parse_args()
    priors = lead(asked.detector, asked.machines, asked.days)
    full = settings(asked.detector).classes["press"].warmup_for(4)
    ways = (
        (f"full warm-up ({full})", [], None),
        (f"short warm-up ({short(full)}), no prior", [], short(full)),
        (f"short warm-up ({short(full)}), prior", priors, None),
    )
    heads = (("first score", 14), ("false alarms", 16), ("faults seen", 14), ("after, median", 16))
    print(" " * 34 + "".join(f"{name:>{wide}}" for name, wide in heads) + f"{'begun warm':>12}")
    for name, known, warmup in ways:
        healthy = begin(asked.detector, known, asked.machines, warmup, faulty=False)
        faulty = begin(asked.detector, known, asked.machines, warmup, faulty=True)
        after = f"{statistics.median(faulty.delays):.1f} h" if faulty.delays else ""
        warm = f"{healthy.warm}/{healthy.machines}" if known else ""
        print(
            f"{name:34}{statistics.median(healthy.first):>12.2f} h"
            f"{healthy.false / healthy.machine_days:>12.2f}/day"
            f"{f'{faulty.caught}/{faulty.faults}':>14}{after:>16}{warm:>12}"
        )


if __name__ == "__main__":
    main()
