"""What crews would live through on a simulated plant with known faults, with the default settings.

    python benchmarks/plant.py --days 28 --machines 16

For every kind of machine: alarms that were false, faults that were caught and how late, time in false alarm.
A fault counts as caught when a condition alarm (a sensor fault: a quality alarm of that sensor) is raised
between its start and its end; a machine already in alarm at its start has missed it.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from connectors.simulator import Fault, plant_classes, steady_plant
from connectors.simulator.faults import SENSOR_FAULTS
from pipeline.pipeline import Pipeline
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase
from pipeline.settings import DetectorSettings
from streams.settings import Settings

HOUR = 3_600_000
DAY = 24 * HOUR
#: Eight days before faults may begin: the simulator draws them by periods of ten days, and machines are
#: commissioned for a week.
HEALTHY = 8 * DAY
START = 2073 * 10 * DAY - HEALTHY
#: An alarm so soon after a fault's end still speaks of it.
GRACE = HOUR


@dataclass
class Episode:
    """One alarm of a machine; ``end`` None = still on."""

    event: AlarmEvent
    end: int | None = None


@dataclass
class Figures:
    """What is counted for one kind of machine."""

    days: float = 0.0
    false_condition: int = 0
    false_quality: int = 0
    false_time: float = 0.0
    faults: int = 0
    caught: int = 0
    blind: int = 0
    sensor_faults: int = 0
    sensor_caught: int = 0
    delays: list[float] = field(default_factory=list)


def replay(
    days: float, machines: int, seed: int, interval: int, settings: Settings
) -> tuple[list[Fault], list[Episode]]:
    """Run the plant through the pipeline; its faults, and every alarm."""
    plant = steady_plant(machines, seed=seed, interval=interval, fault_rate=0.6, faults_from=START + HEALTHY)
    stop = START + round(days * DAY)
    pipeline = Pipeline(settings)
    episodes: dict[str, Episode] = {}
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("readings", total=plant.readings(START, stop))
        batch, held = [], 0
        for frame in plant.frames(START, stop, HOUR):
            batch.append(frame)
            held += len(frame)
            if held >= 20_000:
                note(episodes, pipeline.process(batch).alarms)
                progress.advance(bar, held)
                batch, held = [], 0
        note(episodes, pipeline.process(batch).alarms)
        progress.advance(bar, held)
    return plant.faults(START, stop), list(episodes.values())


def note(episodes: dict[str, Episode], alarms: list[AlarmEvent]) -> None:
    """Keep alarms' begins and ends."""
    for alarm in alarms:
        if alarm.phase is AlarmPhase.RAISED:
            episodes[alarm.id] = Episode(alarm)
        else:
            episodes[alarm.id].end = alarm.time


def judge(
    faults: list[Fault], episodes: list[Episode], names: list[str], days: float, watched: float
) -> dict[str, Figures]:
    """Figures of each kind of machine, which was watched for the last ``watched`` of the ``days``."""
    found: dict[str, Figures] = defaultdict(Figures)
    by_machine: dict[str, list[Episode]] = defaultdict(list)
    for episode in episodes:
        by_machine[episode.event.machine].append(episode)
    for name in names:
        figures = found[name.rsplit("/", 1)[1].rsplit("-", 1)[0]]
        figures.days += watched
        own = [fault for fault in faults if fault.machine == name]
        for fault in own:
            judge_fault(figures, fault, by_machine[name])
        for episode in by_machine[name]:
            spoken_of = [f for f in own if f.start <= episode.event.time < f.end + GRACE]
            sensor_only = spoken_of and all(f.kind in SENSOR_FAULTS for f in spoken_of)
            if episode.event.kind is AlarmKind.QUALITY:
                figures.false_quality += not spoken_of
            elif not spoken_of or sensor_only:
                figures.false_condition += 1
                end = episode.end if episode.end is not None else START + round(days * DAY)
                figures.false_time += (end - episode.event.time) / DAY
    return found


def judge_fault(figures: Figures, fault: Fault, episodes: list[Episode]) -> None:
    """Whether and when one fault was alarmed."""
    sensor = fault.kind in SENSOR_FAULTS
    kind = AlarmKind.QUALITY if sensor else AlarmKind.CONDITION
    raised = [
        e.event.time
        for e in episodes
        if e.event.kind is kind and fault.start <= e.event.time < fault.end
        if not sensor or e.event.sensor == fault.sensor
    ]
    blind = any(
        e.event.kind is kind and e.event.time < fault.start and (e.end is None or e.end > fault.start)
        for e in episodes
    )
    if sensor:
        figures.sensor_faults += 1
        figures.sensor_caught += bool(raised)
        return
    figures.faults += 1
    figures.blind += blind and not raised
    if raised:
        figures.caught += 1
        figures.delays.append((min(raised) - fault.start) / (fault.end - fault.start))


def main() -> None:
    """Replay and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--days", type=float, default=28)
    parser.add_argument("--machines", type=int, default=16)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--settle", type=float, help="days of commissioning instead of the default")
    parser.add_argument("--interval", type=int, default=5000, help="ms between readings")
    parser.add_argument(
        "--detectors", nargs="*", help="kinds instead of the default ones, as similarity mspc"
    )
    parser.add_argument("--list", action="store_true", help="list every false condition alarm")
    asked = parser.parse_args()
    settings = Settings(classes=plant_classes())
    for one in settings.classes.values():
        if asked.detectors:
            one.detectors = [DetectorSettings(kind=kind) for kind in asked.detectors]
        if asked.settle is not None:
            one.learning.settle = asked.settle * 86_400
    faults, episodes = replay(asked.days, asked.machines, asked.seed, asked.interval, settings)
    names = [machine.name for machine in steady_plant(asked.machines, seed=asked.seed).machines]
    settle = max(one.learning.settle for one in settings.classes.values()) / 86_400
    found = judge(faults, episodes, names, asked.days, asked.days - settle)
    table = Table(title=f"{asked.machines} machines, {asked.days:g} days, seed {asked.seed}")
    for column in (
        "kind",
        "machine-days",
        "false alarms a machine-day",
        "false sensor alarms a machine-day",
        "time in false alarm",
        "faults caught",
        "blind at onset",
        "caught after share of its course, median",
        "sensor faults named",
    ):
        table.add_column(column, justify="right")
    for kind, one in sorted(found.items()):
        table.add_row(
            kind,
            f"{one.days:.0f}",
            f"{one.false_condition / one.days:.3f}",
            f"{one.false_quality / one.days:.3f}",
            f"{one.false_time / one.days:.1%}",
            f"{one.caught}/{one.faults}",
            f"{one.blind}",
            f"{statistics.median(one.delays):.0%}" if one.delays else "",
            f"{one.sensor_caught}/{one.sensor_faults}",
        )
    console = Console(width=150)
    console.print(table)
    if asked.list:
        for episode in sorted(episodes, key=lambda e: e.event.time):
            e = episode.event
            if not any(f.machine == e.machine and f.start <= e.time < f.end + GRACE for f in faults):
                day, sensors = (e.time - START) / DAY, [c.sensor for c in e.contributions[:3]]
                length = ((episode.end or 0) - e.time) / HOUR
                console.print(f"day {day:6.2f} {e.machine} {e.kind} {length:.2f} h {sensors} {e.detail}")


if __name__ == "__main__":
    main()
