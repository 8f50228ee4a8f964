"""The whole pipeline in one process as the fleet grows: time and memory for 100 to 100,000 machines.

    .venv/bin/python benchmarks/fleet_growth.py            # a table, each size in a process of its own
    .venv/bin/python benchmarks/fleet_growth.py --profile  # where the time goes, 100 machines

Every machine has 8 sensors and default settings (--kind half-space-trees: those alone), and is past its
warm-up. Readings come as frames of JSON, as from Kafka: decode, validate, quality, score, alarm, health,
prognosis and learning are all in the time; transport and writing are not. What counts is the processor's
time, which other work on the machine does not lengthen, but for the caches that it takes.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import resource
import subprocess
import sys
import time

import msgspec
import numpy as np

from pipeline.pipeline import Pipeline
from pipeline.records import Message
from pipeline.settings import ClassSettings, DetectorSettings
from streams.settings import Settings

SENSORS = tuple(f"sensor_{i}" for i in range(8))
START, STEP = 1_700_000_000_000, 1_000
WARM = 4  # frames of 100 readings that a machine has sent before it is timed


class Plant:
    """Machines that send frames of ``each`` readings."""

    def __init__(self, machines: int) -> None:
        self.names = [f"bench/site/area/line-{i // 100}/machine-{i}" for i in range(machines)]
        self.rng = np.random.default_rng(7)
        self.sent = [0] * machines

    def message(self, machine: int, each: int) -> Message:
        """The machine's next frame."""
        load = self.rng.normal(size=(each, 1))
        values = np.round(50 + 10 * (0.6 * load + 0.8 * self.rng.normal(size=(each, len(SENSORS)))), 3)
        first = START + STEP * self.sent[machine]
        self.sent[machine] += each
        body = {
            "machine": self.names[machine],
            "time": list(range(first, first + each * STEP, STEP)),
            "sensors": {name: values[:, i].tolist() for i, name in enumerate(SENSORS)},
        }
        return Message(msgspec.json.encode(body), received=first + each * STEP)


def resident() -> float:
    """MiB that this process holds in memory now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def cpu(run: object) -> float:
    start = time.process_time()
    run()  # type: ignore[operator]
    return time.process_time() - start


def settings(kind: str) -> Settings:
    """Default settings, or the default class with one kind of detector."""
    if not kind:
        return Settings()
    return Settings(classes={"default": ClassSettings(detectors=[DetectorSettings(kind=kind)])})


def measure(machines: int, each: int, batch: int, rounds: int, profile: bool, kind: str) -> dict[str, float]:
    plant, pipeline = Plant(machines), Pipeline(settings(kind))
    empty = resident()
    started = 0.0
    for first in range(0, machines, batch):
        last = min(machines, first + batch)
        frames = [plant.message(i, 100) for _ in range(WARM) for i in range(first, last)]
        started += cpu(lambda frames=frames: pipeline.process(frames))
    grown = resident()
    spent = readings = 0.0
    best = float("inf")
    profiler = cProfile.Profile()
    for _ in range(rounds):
        for first in range(0, min(machines, 10 * batch), batch):
            frames = [plant.message(i, each) for i in range(first, min(machines, first + batch))]
            if profile:
                profiler.enable()
            taken = cpu(lambda frames=frames: pipeline.process(frames))
            profiler.disable()
            spent, readings = spent + taken, readings + len(frames) * each
            best = min(best, taken / (len(frames) * each))
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
    return {
        "machines": machines,
        "warm": 100 * WARM * machines / started,
        "mean": readings / spent,
        "best": 1 / best,
        "resident": resident(),
        "a_machine": (grown - empty) * 1024 / machines,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machines", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--each", type=int, default=100, help="readings a frame")
    parser.add_argument("--batch", type=int, default=100, help="frames that come together")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--kind", default="", help="only this kind of detector")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", action="store_true", help="measure in this process; print JSON")
    options = parser.parse_args()
    if options.profile or options.json:
        size = options.machines[0]
        print(
            json.dumps(
                measure(size, options.each, options.batch, options.rounds, options.profile, options.kind)
            )
        )
        return
    heads = ("warm-up/s", "readings/s", "best/s", "resident MiB", "kB a machine")
    print(f"{'machines':>10}" + "".join(f"{head:>14}" for head in heads))
    for size in options.machines:
        command = [sys.executable, __file__, "--json", "--machines", str(size)]
        for name in ("each", "batch", "rounds", "kind"):
            command += [f"--{name}", str(getattr(options, name))]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"{size:10,}{found['warm']:14,.0f}{found['mean']:14,.0f}{found['best']:14,.0f}"
            f"{found['resident']:14,.0f}{found['a_machine']:14,.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
