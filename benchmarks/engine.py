"""The fleet engine against River, on one core, in one run: readings a second and memory a machine.

    .venv/bin/python benchmarks/engine.py

Both score and then learn every reading, 8 sensors, MinMaxScaler | HalfSpaceTrees(10 trees of height 8,
window 250), past their first windows. River gets its dicts ready made and the engine its arrays. The two
take turns; what counts is the processor's time, and the best of several rounds, since other work on the
machine can only slow them down. "+ moments": the engine also keeps what an alarm tells of a sensor's usual
value, which River does not. "Apart": a batch is scored, and then learned, as the monitor does. The engine's
kernels are compiled while it learns its first windows, before anything is timed. Neither uses a second core.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from river import anomaly, compose, preprocessing

from detectors.batch import Batch
from detectors.half_space_trees.detector import FleetHalfSpaceTrees

SENSORS, TREES, HEIGHT, WINDOW = 8, 10, 8, 250
WARM = 2_000  # readings a machine learned before it is timed


@dataclass(frozen=True)
class Case:
    """A way that readings come in, and the ratio to River that is asked for."""

    name: str
    machines: int
    each: int
    target: float
    moments: bool = False
    apart: bool = False


CASES = (
    Case("250 readings of one machine", 1, 250, 30),
    Case("1 reading each of 1,000", 1_000, 1, 20),
    Case("1 reading each of 10,000", 10_000, 1, 10),
    Case("1 reading of one machine", 1, 1, 1),
    Case("100 readings each of 100", 100, 100, 20),
    Case("250 of one, + moments", 1, 250, 20, moments=True),
    Case("1 each of 1,000, + moments", 1_000, 1, 20, moments=True),
    Case("1 of one, + moments", 1, 1, 1, moments=True),
    Case("16 each of 50, + moments, apart", 50, 16, 20, moments=True, apart=True),
)


def values(rng: np.random.Generator, n: int) -> np.ndarray:
    """Sensors that move with a common load."""
    load = rng.normal(size=(n, 1))
    return 50 + 10 * (0.6 * load + 0.8 * rng.normal(size=(n, SENSORS)))


def river_model() -> compose.Pipeline:
    return preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(
        n_trees=TREES, height=HEIGHT, window_size=WINDOW, seed=1
    )


def fleet(machines: int, moments: bool = True) -> FleetHalfSpaceTrees:
    made = FleetHalfSpaceTrees(SENSORS, n_trees=TREES, height=HEIGHT, window_size=WINDOW, moments=moments)
    made.resize(machines)
    for row in range(machines):
        made.reset(row, seed=row)
    return made


def every(rows: np.ndarray, each: int, rng: np.random.Generator) -> Batch:
    """A batch with ``each`` readings of the machines ``rows``."""
    n = len(rows) * each
    counts = np.full(len(rows), each)
    return Batch(rows, counts, np.zeros(n, dtype=np.int64), values(rng, n))


def batches(case: Case, rng: np.random.Generator, count: int) -> list[Batch]:
    return [every(np.arange(case.machines), case.each, rng) for _ in range(count)]


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def compare(case: Case, readings: int, rounds: int) -> tuple[float, float]:
    """Readings a second: River's, the engine's."""
    rng = np.random.default_rng(7)
    model, engine = river_model(), fleet(case.machines, case.moments)
    for row in values(rng, WARM).tolist():
        model.learn_one(dict(enumerate(row)))
    for batch in batches(Case("", case.machines, 50, 0), rng, WARM // 50):
        engine.learn(batch)
    # Machines do not fill their windows all at once: spread them over the window.
    for i in range(1, WINDOW):
        rows = np.arange(i, case.machines + (case.machines == 1), WINDOW) % case.machines
        if len(rows):
            engine.learn(every(rows, 100 if case.machines == 1 else i, rng))
        if case.machines == 1:
            break
    best_river = best_engine = float("inf")
    for _ in range(rounds):
        dicts = [dict(enumerate(row)) for row in values(rng, min(readings, 2_000)).tolist()]
        parts = batches(case, rng, max(1, readings // (case.machines * case.each)))

        def river(dicts: list[dict[int, float]] = dicts) -> None:
            for x in dicts:
                model.score_one(x)
                model.learn_one(x)

        def ours(parts: list[Batch] = parts) -> None:
            for part in parts:
                if case.apart:
                    engine.score(part)
                    engine.learn(part)
                else:
                    engine.score_learn(part)

        best_river = min(best_river, seconds(river) / len(dicts))
        best_engine = min(best_engine, seconds(ours) / sum(len(part) for part in parts))
    return 1 / best_river, 1 / best_engine


def memory(make: Callable[[int], object], count: int) -> float:
    """Bytes a machine that ``make(count)`` takes."""
    gc.collect()
    tracemalloc.start()
    kept = make(count)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return taken / count


def river_fleet(count: int) -> object:
    models = [river_model() for _ in range(count)]
    for model in models:
        model.learn_one(dict.fromkeys(range(SENSORS), 0.5))
    return models


def engine_fleet(count: int) -> object:
    made = fleet(count)
    made.learn(every(np.arange(count), 1, np.random.default_rng(7)))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readings", type=int, default=5_000, help="readings a round of each case")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    print(f"{'score and learn':32}{'River/s':>12}{'engine/s':>12}{'ratio':>9}{'wanted':>9}")
    for case in CASES:
        river, engine = compare(case, options.readings, options.rounds)
        print(
            f"{case.name:32}{river:12,.0f}{engine:12,.0f}{engine / river:8.1f}x{case.target:8.0f}x",
            flush=True,
        )
    river, engine = memory(river_fleet, 20), memory(engine_fleet, 2_000)
    print(f"{'memory':32}{'River kB':>12}{'engine kB':>12}{'ratio':>9}{'wanted':>9}")
    print(f"{'a machine':32}{river / 1e3:12,.1f}{engine / 1e3:12,.1f}{river / engine:8.1f}x{40:8.0f}x")


if __name__ == "__main__":
    main()
