"""What a worker says of itself, for the dashboard of the system."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStats:
    """One worker's work since its last report, and how it stands at ``time`` (ms since 1970 UTC).

    ``readings``, ``messages``, ``rejected`` and ``history`` (readings that came too late for the models) are
    counts since the last report. ``lag`` is how many
    messages wait in the worker's partitions. The ``…_ms`` are milliseconds of the last batch: from its
    first message to its commit, in the pipeline, and in the sinks. None = not known (yet).
    """

    worker: str
    time: int
    readings: int
    messages: int
    rejected: int
    machines: int
    history: int = 0
    lag: int | None = None
    batch_ms: float | None = None
    process_ms: float | None = None
    write_ms: float | None = None
    snapshot_age_s: float | None = None
    memory_mb: float | None = None
