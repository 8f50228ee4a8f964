"""Made-up fleets for tests of stages: batches, and the same readings cut at random places."""

from __future__ import annotations

import numpy as np

from detectors.batch import Batch, Floats, Ints

START = 1_700_000_000_000


def batch_of(machines: dict[int, Floats], step: int = 1000, first: dict[int, int] | None = None) -> Batch:
    """One batch with the readings (n, k) of each fleet row, ``step`` ms apart."""
    first = first or {}
    rows = np.array(list(machines), dtype=np.int64)
    counts = np.array([len(x) for x in machines.values()], dtype=np.int64)
    times = [START + step * (np.arange(len(x)) + first.get(row, 0)) for row, x in machines.items()]
    return Batch(rows, counts, np.concatenate(times), np.concatenate(list(machines.values())))


def cuts(batch: Batch, rng: np.random.Generator, parts: int = 4) -> list[tuple[Batch, Ints]]:
    """The batch in ``parts`` batches, each machine cut at places of its own; with the readings' indices."""
    part_of = np.empty(len(batch), dtype=np.int64)
    for start, count in zip(batch.starts.tolist(), batch.counts.tolist(), strict=True):
        part_of[start : start + count] = np.sort(rng.integers(0, parts, count))
    return [(batch.select(part_of == part), np.flatnonzero(part_of == part)) for part in range(parts)]
