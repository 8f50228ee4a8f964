"""What a worker says of itself every few seconds, and of machines that have fallen silent."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from connectors.base.clock import now_ms
from connectors.base.stats import WorkerStats
from streams.agents.engine import Engine
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

    @property
    def readings(self) -> int:
        """How many readings this worker has scored."""
        return self._tally.total_readings

    async def run(self) -> None:
        """Report every ``worker.report`` seconds until cancelled."""
        while True:
            await asyncio.sleep(self._settings.worker.report)
            (self._settings.data / "alive").touch()
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

    def _statistics(self) -> WorkerStats:
        readings, messages, rejected, history = self._tally.take()
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
