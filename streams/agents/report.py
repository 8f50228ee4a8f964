"""What a worker says of itself every few seconds, and of machines that have fallen silent."""

from __future__ import annotations

import asyncio
import contextlib
import time

import structlog

from connectors.base.clock import now_ms
from connectors.base.stats import WorkerStats
from streams.agents.engine import Engine
from streams.agents.errors import WorkerError
from streams.agents.metrics import Metrics, MetricsServer
from streams.agents.processor import BatchProcessor
from streams.agents.tally import Tally, resident_mb
from streams.agents.writer import AbandonedError, Writer
from streams.settings import Settings

log = structlog.get_logger()


class Reporter:
    """Statistics to the log and the sinks, and a file whose age is a container's health check."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        engine: Engine,
        writer: Writer,
        processor: BatchProcessor,
        tally: Tally,
    ) -> None:
        self._settings = settings
        self._name = name
        self._engine = engine
        self._writer = writer
        self._processor = processor
        self._tally = tally
        self._touched = True
        self._near = False
        self.metrics: Metrics | None = None
        self._server: MetricsServer | None = None

    def open(self) -> None:
        """Serve the page of metrics, when a port is set for it. Raises `WorkerError` when it is taken."""
        worker = self._settings.worker
        if not worker.metrics_port:
            return
        metrics = self.metrics = self._processor.metrics = Metrics(self._name)
        metrics.watch("lag_messages", "messages that wait in this worker's partitions", self._processor.lag)
        metrics.watch("machines", "machines that are watched here", lambda: self._engine.machines)
        metrics.watch("machines_most", "intake.max_machines", lambda: self._settings.intake.max_machines)
        metrics.watch("checkpoint_age_seconds", "since the last checkpoint", lambda: self._tally.snapshot_age)
        metrics.watch("sink_waiting", "1 while results wait for a sink", lambda: float(self._writer.waiting))
        metrics.watch("ready", "1 while readings are taken", lambda: float(not self._processor.unready))
        metrics.watch("memory_megabytes", "memory that the process holds", resident_mb)
        try:
            self._server = MetricsServer(
                worker.metrics_host, worker.metrics_port, metrics, self.dead, lambda: self._processor.unready
            )
        except OSError as error:
            raise WorkerError(
                f"The page of metrics cannot listen on {worker.metrics_host}:{worker.metrics_port} "
                f"({error.strerror}). Set worker.metrics_port to a free port for each worker, or to 0."
            ) from None

    def close(self) -> None:
        """Answer nobody any more."""
        if self._server is not None:
            self._server.close()

    def dead(self) -> str:
        """What says that this process hangs; "" = nothing."""
        if self.metrics is None:
            return ""
        age = time.monotonic() - self.metrics.beat_at
        return f"no report for {age:.0f} s" if age > max(60.0, 6 * self._settings.worker.report) else ""

    @property
    def readings(self) -> int:
        """How many readings this worker has scored."""
        return self._tally.total_readings

    async def run(self) -> None:
        """Report every ``worker.report`` seconds until cancelled."""
        while True:
            await asyncio.sleep(self._settings.worker.report)
            self._touch()
            if self.metrics is not None:
                self.metrics.beat_at = time.monotonic()
            self._warn_of_bound()
            stats = self._statistics()
            log.info(
                "Worked",
                readings=stats.readings,
                messages=stats.messages,
                rejected=stats.rejected,
                history=stats.history,
                machines=stats.machines,
                lag=stats.lag,
            )
            if not self._writer.waiting:
                await self._writer.report(stats)
                if stats.lag == 0:
                    await self._listen()

    def _warn_of_bound(self) -> None:
        most = self._settings.intake.max_machines
        near = self._engine.machines >= 0.9 * most
        if near and not self._near:
            log.warning(
                "Nearly as many machines are watched as intake.max_machines allows; new ones are rejected. "
                "Start more workers, or retire machines that are gone (`yeji machines`).",
                machines=self._engine.machines,
                most=most,
            )
        self._near = near

    def _touch(self) -> None:
        """The file whose age tells a container that this loop runs; a disk that is full must not end it."""
        try:
            (self._settings.data / "alive").touch()
            self._touched = True
        except OSError as error:
            if self._touched:
                log.error(
                    "The file that tells the container's health check of this worker cannot be written; the "
                    "worker goes on.",
                    path=str(self._settings.data / "alive"),
                    error=error.strerror,
                )
            self._touched = False

    def _statistics(self) -> WorkerStats:
        readings, messages, rejected, history = self._tally.drain()
        return WorkerStats(
            worker=self._name,
            time=now_ms(),
            readings=readings,
            messages=messages,
            rejected=rejected,
            history=history,
            machines=self._engine.machines,
            lag=self._processor.lag(),
            batch_ms=self._tally.batch_ms,
            process_ms=self._engine.process_ms,
            write_ms=self._writer.write_ms,
            snapshot_age_s=self._tally.snapshot_age,
            memory_mb=resident_mb(),
        )

    async def _listen(self) -> None:
        """Report machines that have fallen silent: everything that has come is worked on."""
        silent = await self._engine.run(self._engine.silent)
        if silent.alarms:
            with contextlib.suppress(AbandonedError):  # reported where their partitions go
                await self._writer.write(silent)
