"""A worker's life: check, start, work until told to stop, make a last checkpoint, leave."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time

import structlog

from connectors.base.stats import WorkerStats
from connectors.files.priors import adopted_priors
from connectors.influx.sink import InfluxSink
from connectors.kafka.topics import require_topics
from detectors.compiled import kept
from pipeline.pipeline import Pipeline
from streams.agents.app import make_app
from streams.agents.engine import Engine
from streams.agents.errors import WorkerError
from streams.agents.lane import Lane
from streams.agents.tally import Tally, resident_mb
from streams.agents.transport import BulkApp
from streams.agents.writer import AbandonedError, Writer
from streams.prepare import prepare
from streams.settings import Settings

log = structlog.get_logger()

#: How long a worker that is told to stop waits for sinks that are away (s).
LAST_PATIENCE = 20.0


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT. Raises an error with the remedy when something needed is missing."""
    require_topics(settings.kafka)
    influx = InfluxSink(settings.influx)
    influx.setup()
    set_up_logging(settings)
    settings.data.mkdir(parents=True, exist_ok=True)
    if not kept():
        log.info("Compiling the detectors for this machine, once: half a minute")
    prepare(settings)  # before it joins the group: compiling amid the first batch would hold a partition up
    try:
        asyncio.run(_work(settings, influx))
    finally:
        influx.close()


async def _work(settings: Settings, influx: InfluxSink) -> None:
    await _Worker(settings, influx).run()


class _Worker:
    def __init__(self, settings: Settings, influx: InfluxSink) -> None:
        self._settings = settings
        self._tally = Tally()
        pipeline = Pipeline(settings)
        for prior in adopted_priors(settings.data):
            pipeline.adopt(prior)
        self._engine = Engine(pipeline, settings.kafka.feedback)
        self._app: BulkApp
        self._writer = Writer(influx, settings.kafka, lambda: self._app.producer)
        self._lane = Lane(settings, self._engine, self._writer, self._tally)
        self._app = make_app(settings, self._lane)
        self._name = settings.worker.name or f"{socket.gethostname()}-{os.getpid()}"

    async def run(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        log.info("Worker starts", worker=self._name, group=self._settings.kafka.group)
        lane = self._lane.start()
        await self._app.start()
        log.info("Worker is up", worker=self._name)
        report = asyncio.create_task(self._report())
        crashed = asyncio.create_task(self._app.wait_until_stopped())
        told = asyncio.create_task(stop.wait())
        await asyncio.wait({told, crashed, lane}, return_when=asyncio.FIRST_COMPLETED)
        orderly = told.done() and not lane.done()
        log.info("Worker stops", worker=self._name, orderly=orderly)
        report.cancel()
        if orderly:
            self._app.consumer.stop_flow()
            await self._lane.stop(LAST_PATIENCE)
        for task in (crashed, told):
            task.cancel()
        await self._app.stop()
        await asyncio.gather(report, crashed, told, return_exceptions=True)
        self._engine.close()
        self._writer.close()
        if lane.done() and not lane.cancelled() and lane.exception() is not None:
            raise WorkerError(f"The worker failed: {lane.exception()!r}") from lane.exception()
        if not orderly:
            reason = getattr(self._app, "crash_reason", None)
            raise WorkerError(f"Faust ended the worker: {reason!r}. Start it again; nothing is lost.")
        log.info("Worker is done", worker=self._name, readings=self._tally.total_readings)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(self._settings.worker.report)
            (self._settings.data / "alive").touch()  # its age is a container's health check
            readings, messages, rejected = self._tally.take()
            stats = WorkerStats(
                worker=self._name,
                time=int(time.time() * 1000),
                readings=readings,
                messages=messages,
                rejected=rejected,
                machines=self._engine.machines,
                lag=self._lane.lag(),
                batch_ms=self._tally.batch_ms,
                process_ms=self._engine.process_ms,
                write_ms=self._writer.write_ms,
                snapshot_age_s=self._tally.snapshot_age,
                memory_mb=resident_mb(),
            )
            log.info(
                "Worked",
                readings=readings,
                messages=messages,
                rejected=rejected,
                machines=stats.machines,
                lag=stats.lag,
            )
            if not self._writer.waiting:
                await self._writer.report(stats)
                if stats.lag == 0:
                    await self._listen()

    async def _listen(self) -> None:
        """Tell of machines that have fallen silent: everything that has come is worked on."""
        silent = await self._engine.run(self._engine.silent)
        if silent.alarms:
            with contextlib.suppress(AbandonedError):  # told where their partitions go
                await self._writer.write(silent)


def set_up_logging(settings: Settings) -> None:
    """Our lines through structlog, in the form of ``settings.log``; of the libraries only warnings."""
    shared: list[structlog.types.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.types.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if settings.log == "json"
        else [structlog.dev.ConsoleRenderer(colors=False)]
    )
    structlog.configure(processors=[*shared, *last])
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
