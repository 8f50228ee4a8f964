"""How long the local page takes over a large fleet: `python benchmarks/page.py --machines 1000`.

An hour of readings a machine, one a second, 8 sensors. Prints one line of JSON; times are the best of three.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from starlette.testclient import TestClient

from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.store import SqliteSink
from desk.web.page.app import Page
from pipeline.records import Results, Scored
from streams.settings import Settings

START, READINGS, SENSORS = 1_760_000_000_000, 3600, tuple(f"s{j}" for j in range(8))


def scored(name: str, rng: np.random.Generator) -> Scored:
    """An hour of one machine."""
    values = rng.normal(size=(READINGS, len(SENSORS)))
    return Scored(
        machine=name,
        machine_class="default",
        time=START + np.arange(READINGS) * 1000,
        sensors=SENSORS,
        values=values,
        score=rng.random(READINGS),
        health=np.full(READINGS, 90.0),
        state=np.ones(READINGS, np.uint8),
        contributions=np.zeros_like(values),
    )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=1000)
    machines = parser.parse_args().machines
    names = [f"a/b/area{m % 5}/line{m % 40}/machine-{m}" for m in range(machines)]
    rng = np.random.default_rng(0)
    found: dict[str, float] = {"machines": machines, "readings": machines * READINGS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.sqlite"
        with SqliteSink(path) as sink:
            began = time.perf_counter()
            for name in names:
                sink.write(Results(scored=[scored(name, rng)]))
            found["write_s"] = round(time.perf_counter() - began, 2)
            found["store_MB"] = round(path.stat().st_size / 1e6)
        history = SqliteHistory(path)
        client = TestClient(Page(history, Settings()).app(), base_url="http://127.0.0.1")
        for what, address in (
            ("fleet_ms", "/"),
            ("whole_fleet_ms", "/?all"),
            ("machine_ms", f"/machines/{names[0]}"),
            ("series_ms", f"/api/series?machine={names[0]}&span=0"),
        ):
            times = []
            for _ in range(3):
                began = time.perf_counter()
                assert client.get(address).status_code == 200
                times.append(time.perf_counter() - began)
            found[what] = round(min(times) * 1000)
        history.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
