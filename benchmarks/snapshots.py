"""Snapshots of a fleet: bytes a machine, time to write and to restore, beside pickled River pipelines.

python benchmarks/snapshots.py --machines 10000
"""

from __future__ import annotations

import argparse
import gc
import pickle
import statistics
import time

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from river import anomaly, compose, preprocessing

from pipeline.pipeline import Pipeline
from pipeline.records import Frame
from streams.settings import Settings

SENSORS = tuple(f"s{i}" for i in range(8))
RIVER = 50  # pickled River models are measured on so many and scaled up: each costs more than a MB


def frames(machines: int, start: int, readings: int, rng: np.random.Generator) -> list[Frame]:
    """One frame a machine of correlated, noisy readings."""
    times = 1_700_000_000_000 + 1000 * np.arange(start, start + readings)
    load = 1 + 0.3 * np.sin(np.arange(start, start + readings) / 20)
    out = []
    for number in range(machines):
        values = 10 + load[:, None] * np.arange(1, 9) + rng.normal(0, 0.2, (readings, 8))
        out.append(Frame(f"park/site/area/line/machine-{number:06d}", times, SENSORS, values))
    return out


def river_models(count: int, readings: int, rng: np.random.Generator) -> list[compose.Pipeline]:
    """What the same number of machines is in plain River: a scaler and half-space trees each."""
    models = []
    for seed in range(count):
        model = compose.Pipeline(preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(seed=seed))
        for row in rng.normal(10, 2, (readings, 8)).tolist():
            model.learn_one(dict(zip(SENSORS, row, strict=True)))
        models.append(model)
    return models


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=10_000)
    parser.add_argument("--readings", type=int, default=600)
    asked = parser.parse_args()
    rng = np.random.default_rng(1)
    console = Console()
    first = Pipeline(Settings())
    chunk = 1000
    for begin in track(range(0, asked.readings, 100), description="filling the fleet", console=console):
        batch = frames(asked.machines, begin, min(100, asked.readings - begin), rng)
        for some in range(0, asked.machines, chunk):
            first.process(batch[some : some + chunk])
    gc.disable()  # else Python looks for garbage among them: four fifths of the time of River's, none of ours
    began = time.perf_counter()
    saved = [first.dump(name) for name in first.changed()]
    dumping = time.perf_counter() - began
    second = Pipeline(Settings())
    began = time.perf_counter()
    for data in saved:
        second.restore(data)
    restoring = time.perf_counter() - began
    assert second.machines == asked.machines
    models = river_models(RIVER, asked.readings, rng)
    began = time.perf_counter()
    pickled = [pickle.dumps(model) for model in models]
    river_dumping = (time.perf_counter() - began) * asked.machines / RIVER
    began = time.perf_counter()
    for data in pickled:
        pickle.loads(data)
    river_restoring = (time.perf_counter() - began) * asked.machines / RIVER
    sizes, river_size = [len(data) for data in saved], statistics.median(map(len, pickled))
    table = Table(
        "", "Yeji", "pickled River", "ratio", title=f"{asked.machines} machines, 8 sensors, whole state"
    )
    ours = statistics.median(sizes)
    table.add_row("bytes a machine, median", f"{ours:,.0f}", f"{river_size:,.0f}", f"{river_size / ours:.1f}")
    table.add_row("bytes a machine, largest", f"{max(sizes):,}", "", "")
    for what, mine, theirs in (
        ("write all, s", dumping, river_dumping),
        ("restore all, s", restoring, river_restoring),
    ):
        table.add_row(what, f"{mine:.2f}", f"{theirs:.2f}", f"{theirs / mine:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
