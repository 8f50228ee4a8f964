"""What a worker has done since its last report."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.records import Results


@dataclass(slots=True)
class Tally:
    """Counts, and how long the last batch took."""

    readings: int = 0
    messages: int = 0
    rejected: int = 0
    history: int = 0
    total_readings: int = 0
    batch_ms: float | None = None
    checkpoint_at: float | None = field(default=None)
    snapshots: int = 0

    def batch(self, results: Results, messages: int, batch_ms: float) -> None:
        """A batch is durable."""
        self.readings += results.readings
        self.total_readings += results.readings
        self.messages += messages
        self.rejected += sum(max(1, rejection.readings) for rejection in results.rejections)
        self.history += sum(len(late) for late in (*results.history, *results.complements))
        self.batch_ms = batch_ms

    def checkpoint(self, snapshots: int) -> None:
        """A checkpoint is done."""
        self.checkpoint_at = time.monotonic()
        self.snapshots += snapshots

    @property
    def snapshot_age(self) -> float | None:
        """Seconds since the last checkpoint."""
        return None if self.checkpoint_at is None else time.monotonic() - self.checkpoint_at

    def drain(self) -> tuple[int, int, int, int]:
        """Readings, messages, rejected readings and those that came late, since the last call."""
        counts = self.readings, self.messages, self.rejected, self.history
        self.readings = self.messages = self.rejected = self.history = 0
        return counts


def resident_mb() -> float | None:
    """The memory that this process holds, in MB; None where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
