"""The readings of an embedded run's store, as frames to be replayed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from connectors.base.history import History
from pipeline.records import Frame

_DAY = 86_400_000


def frames(history: History, machine: str, start: int, end: int) -> Iterator[Frame]:
    """One machine's readings of ``start`` .. ``end`` (event time, ms UTC), a day or less a frame."""
    for begin in range(start, end + 1, _DAY):
        # More points than readings: then a series is the readings themselves.
        series = history.series(machine, begin, min(begin + _DAY - 1, end), points=1 << 40)
        if len(series):
            there = np.flatnonzero(np.isfinite(series.mean).any(axis=0)).tolist()
            names = tuple(series.sensors[j] for j in there)
            if names:
                yield Frame(machine, series.time, names, np.ascontiguousarray(series.mean[:, there]))
