"""Made-up readings, and a monitor's way of scoring and learning them, cut into batches in any way."""

from __future__ import annotations

import numpy as np

from detectors.base import FleetDetector
from detectors.batch import Batch, Floats, Ints

START = 1_700_000_000_000


def readings(rng: np.random.Generator, machines: int, n: int, width: int) -> Floats:
    """(machines, n, width): sensors that move with a load, on levels and scales of their own."""
    load = rng.normal(size=(machines, n, 1))
    level, scale = rng.uniform(-100, 100, width), rng.uniform(0.1, 10, width)
    values: Floats = level + scale * (0.6 * load + 0.8 * rng.normal(size=(machines, n, width)))
    return values


def batch_of(rows: Ints, x: Floats, first: Ints, counts: Ints) -> Batch:
    """Of machine j ``counts[j]`` readings of ``x`` (machines, n, width) from ``first[j]`` on."""
    pieces = [x[j, a : a + c] for j, (a, c) in enumerate(zip(first, counts, strict=True))]
    times = [START + 1000 * (a + np.arange(c)) for a, c in zip(first, counts, strict=True)]
    return Batch(rows, counts, np.concatenate(times), np.concatenate(pieces))


def whole(rows: Ints, x: Floats) -> Batch:
    """All readings in one batch."""
    counts = np.full(len(rows), x.shape[1])
    return batch_of(rows, x, np.zeros_like(counts), counts)


def learn_blocks(detector: FleetDetector, rows: Ints, x: Floats, block: int = 16) -> None:
    """Learn ``x`` in blocks of ``block`` readings, as a monitor does."""
    for start in range(0, x.shape[1], block):
        counts = np.full(len(rows), min(block, x.shape[1] - start))
        detector.learn(batch_of(rows, x, np.full(len(rows), start), counts))


def run(
    detector: FleetDetector, rows: Ints, x: Floats, block: int, cuts: np.random.Generator | None
) -> tuple[Floats, Floats, Floats, Floats]:
    """Score and learn ``x`` (machines, n, width), learning after every ``block`` readings of a machine.

    ``cuts`` chooses how many readings each machine has in each call of `score`, never across a block; None
    = whole blocks. Returns raw (machines, n), contributions, expected and deviation (machines, n, width).
    """
    machines, n, _ = x.shape
    raw = np.full((machines, n), np.nan)
    evidence = [np.full(x.shape, np.nan) for _ in range(3)]
    for start in range(0, n, block):
        done = np.full(machines, start)
        stop = min(n, start + block)
        while (done < stop).any():
            left = stop - done
            counts = left if cuts is None else np.minimum(left, cuts.integers(0, block + 1, machines))
            order = np.arange(machines) if cuts is None else cuts.permutation(machines)
            batch = batch_of(rows[order], x[order], done[order], counts[order])
            scores = detector.score(batch)
            found = scores.evidence(np.arange(len(batch)))
            for place, j in enumerate(order):
                here = slice(batch.starts[place], batch.starts[place] + counts[j])
                there = slice(done[j], done[j] + counts[j])
                raw[j, there] = scores.raw[here]
                for kept, one in zip(
                    evidence, (found.contributions, found.expected, found.deviation), strict=True
                ):
                    kept[j, there] = one[here]
            done = done + counts
        learn_blocks(detector, rows, x[:, start:stop], block) if cuts is None else _learn_cut(
            detector, rows, x, start, stop, cuts
        )
    contributions, expected, deviation = evidence
    return raw, contributions, expected, deviation


def _learn_cut(
    detector: FleetDetector, rows: Ints, x: Floats, start: int, stop: int, cuts: np.random.Generator
) -> None:
    done = np.full(len(rows), start)
    while (done < stop).any():
        counts = np.minimum(stop - done, cuts.integers(0, stop - start + 1, len(rows)))
        order = cuts.permutation(len(rows))
        detector.learn(batch_of(rows[order], x[order], done[order], counts[order]))
        done = done + counts
