"""How fast sources give readings: the simulated plant, CSV files wide and long."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from connectors.csv.source import CsvSource
from connectors.simulator import steady_plant
from connectors.simulator.shifts import DAY
from pipeline.records import Frame

START = 1_764_547_200_000
ROWS = 200_000


def rate(name: str, items: Iterable[object]) -> None:
    began = time.process_time()
    readings = sum(len(item) for item in items if isinstance(item, Frame))
    seconds = time.process_time() - began
    print(f"| {name} | {readings:,} | {seconds:.2f} | {readings / seconds:,.0f} |")


def main() -> None:
    print("| source | readings | CPU s | readings per CPU s |\n|---|--:|--:|--:|")
    plant = steady_plant(16)
    rate("simulator, 16 machines, 5 s, a week", plant.frames(START, START + 7 * DAY, 600_000))
    rng = np.random.default_rng(1)
    values = rng.normal(50, 5, (ROWS, 8)).round(4)
    days = np.datetime64("2025-01-01T00:00:00") + np.arange(ROWS)
    times = [str(t).replace("T", " ") for t in days]
    with tempfile.TemporaryDirectory() as folder:
        wide, odd, long = (Path(folder) / name for name in ("wide.csv", "odd.csv", "long.csv"))
        rows = [",".join(map(str, row)) for row in values.tolist()]
        head = "," + ",".join(f"s{i}" for i in range(8)) + "\n"
        iso = [str(START // 1000 + i) for i in range(ROWS)]
        wide.write_text("time" + head + "\n".join(f"{t},{row}" for t, row in zip(iso, rows, strict=True)))
        rate("CSV, wide, 8 sensors, numbers as times", CsvSource(wide))
        local = [f"{t[8:10]}.{t[5:7]}.{t[:4]} {t[11:]}" for t in times]
        odd.write_text("time" + head + "\n".join(f"{t},{row}" for t, row in zip(local, rows, strict=True)))
        rate("CSV, wide, 8 sensors, 31.01.2025 00:00:00", CsvSource(odd))
        long.write_text(
            "time,machine,sensor,value\n"
            + "\n".join(f"{iso[i]},m{i % 4},s{j},{values[i, j]}" for i in range(ROWS // 8) for j in range(8))
        )
        rate("CSV, long, 8 rows a reading", CsvSource(long))


if __name__ == "__main__":
    main()
