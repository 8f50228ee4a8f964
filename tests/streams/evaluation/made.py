"""Recordings for tests of the bench, made on the spot."""

from __future__ import annotations

import numpy as np

from streams.evaluation.recording import Outcome, Recording

START = 1_700_000_000_000


def recording(n: int, events: list[tuple[int, int]], seed: int = 1, step: int = 1000) -> Recording:
    """``n`` readings of three noisy sensors; within events the third is off by 8 standard deviations."""
    rng = np.random.default_rng(seed)
    load = np.repeat(rng.normal(size=n // 4 + 1), 4)[:n]
    x = np.column_stack([load, 2 * load, rng.normal(size=n)]) + 0.3 * rng.normal(size=(n, 3))
    for start, stop in events:
        x[start:stop, 2] += 8
    return Recording(
        "made",
        START + step * np.arange(n),
        ("a", "b", "c"),
        x,
        np.array(events, dtype=np.int64).reshape(-1, 2),
    )


def outcome(
    n: int, events: list[tuple[int, int]], alarms: list[tuple[int, int]], learned: int = 0
) -> Outcome:
    """A method that is in alarm just so."""
    record = recording(n, events)
    alarm = np.zeros(n, dtype=bool)
    for start, stop in alarms:
        alarm[start:stop] = True
    score = np.where(np.arange(n) < learned, np.nan, alarm * 1.0)
    return Outcome(record, score, alarm, np.array([a for a, _ in alarms], dtype=np.int64))
