"""A worker's life as a Faust app: check, start, process until stopped, make a last checkpoint, leave.

Whoever runs the app (`yeji worker`, `faust worker`) starts and stops it; everything else happens here.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import faust
import structlog
from faust.app.base import BootStrategy

from connectors.base.contract import Sink, SinkSettingsError, SinkUnavailableError
from connectors.base.sinks import open_sinks
from connectors.files.priors import adopted_priors
from connectors.kafka.errors import KafkaUnreachableError
from connectors.kafka.outgoing import Record
from connectors.kafka.topics import require_topics
from detectors.compiled import kept
from pipeline.admission.admission import limits_of
from pipeline.pipeline import Pipeline
from pipeline.records import AlarmEvent, Rejection
from streams.agents.channels import FetchChannel, OutgoingChannel
from streams.agents.engine import Engine
from streams.agents.errors import WorkerError
from streams.agents.fetch import Fetch
from streams.agents.logs import set_up_logging
from streams.agents.processor import BatchProcessor
from streams.agents.report import Reporter
from streams.agents.tally import Tally
from streams.agents.transport import BulkTransport
from streams.agents.writer import Writer
from streams.plant_watch import PlantWatch
from streams.prepare import prepare
from streams.settings import Settings
from streams.waiting import until_reachable

log = structlog.get_logger()

#: How long a worker that is told to stop waits for sinks that are away (s).
LAST_PATIENCE = 20.0


class _NoWeb(BootStrategy):  # type: ignore[misc]
    """Faust's web server would listen on every interface, without a login, once `faust worker` starts it."""

    enable_web = False


class StreamApp(faust.App):  # type: ignore[misc]
    """The Faust app. Agents read its channels.

    ``frames``: readings as they came, ``verdicts``: what crews found; one `Fetch` an event. ``alerts`` and
    ``rejects``: what goes out, on its way to the agents of these names.
    """

    BootStrategy = _NoWeb

    def __init__(self, id: str, *, settings: Settings, **options: Any) -> None:
        super().__init__(id, **options)
        self.settings = settings
        self.name = settings.worker.name or f"{socket.gethostname()}-{os.getpid()}"
        self.limits = limits_of(settings)
        self.frames = FetchChannel(self, name=settings.kafka.frames)
        self.verdicts = FetchChannel(self, name=settings.kafka.feedback)
        self.fetches = {channel.name: channel for channel in (self.frames, self.verdicts)}
        self.alerts: OutgoingChannel[AlarmEvent] = OutgoingChannel(self, name="alerts")
        self.rejects: OutgoingChannel[Rejection] = OutgoingChannel(self, name="rejects")
        self.processor: BatchProcessor | None = None
        self.stopping = threading.Event()
        self._engine: Engine
        self._writer: Writer
        self._reporter: Reporter
        self._leaving = False
        self.on_partitions_revoked.connect(self._revoked)
        self.on_partitions_assigned.connect(self._assigned)

    def _new_transport(self) -> BulkTransport:
        return BulkTransport(self.conf.broker_consumer, self)

    # -- what the agents call

    def submit(self, fetch: Fetch) -> None:
        """Process these records with the next batch."""
        if self.processor is not None:
            self.processor.submit(fetch)

    async def send_records(self, records: Sequence[Record]) -> None:
        """Return when ``records`` are on the brokers; waits for brokers that are away."""
        await self._writer.send(records)

    # -- start

    async def on_first_start(self) -> None:
        """Check what is needed, and load it. Raises an error with the remedy when something is missing."""
        self._check_folder()
        await super().on_first_start()
        if self.client_only or self.producer_only:
            return
        set_up_logging(self.settings)
        # Before it joins the group: compiling amid the first batch would hold a partition up.
        sinks, pipeline = await asyncio.to_thread(self._load)
        tally = Tally()
        self._engine = Engine(pipeline, self.settings.kafka.feedback, PlantWatch(self.settings).due)
        self._writer = Writer(
            sinks,
            self.settings.kafka,
            lambda: self.producer,
            self.alerts.deliver_all,
            self.rejects.deliver_all,
        )
        self.processor = BatchProcessor(self.settings, self._engine, self._writer, tally)
        self._reporter = Reporter(self.settings, self.name, self._engine, self._writer, self.processor, tally)
        for topic in self.fetches:
            # Subscribed to, but never acknowledged message by message: the processor commits.
            self.topics.add(self.topic(topic, key_type=bytes, value_type=bytes, acks=False))
        log.info("Worker starts", worker=self.name, group=self.settings.kafka.group)

    def _check_folder(self) -> None:
        folder = self.settings.data
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "alive").touch()
        except OSError as error:
            raise WorkerError(
                f"The folder {folder} cannot be written by user {os.getuid()} ({error.strerror}). Correct "
                "its rights, mount a volume there, or set `data` (YEJI_DATA) to another folder."
            ) from None

    def _load(self) -> tuple[dict[str, Sink], Pipeline]:
        settings, stop = self.settings, self.stopping
        until_reachable("Kafka", partial(require_topics, settings.kafka), (KafkaUnreachableError,), stop)
        sinks: dict[str, Sink] = {}
        until_reachable(
            "a sink",
            lambda: sinks.update(open_sinks(settings.worker.sinks, settings)),
            (SinkUnavailableError,),
            stop,
            for_good=(SinkSettingsError,),
        )
        if not kept():
            log.info("Compiling the detectors for this machine, once: half a minute")
        prepare(settings)
        pipeline = Pipeline(settings)
        for prior in adopted_priors(settings.data):
            pipeline.adopt(prior)
        return sinks, pipeline

    async def on_start(self) -> None:
        """Begin to process what the agents submit."""
        await super().on_start()
        if self.processor is not None:
            self.add_future(self.processor.run())

    async def on_started(self) -> None:
        """Everything runs: report from now on."""
        await super().on_started()
        if self.processor is not None:
            self._reporter.open()
            log.info("Worker is up", worker=self.name)
            self.add_future(self._reporter.run())

    # -- rebalances

    async def _revoked(self, _app: faust.App, _revoked: set[Any], **_: Any) -> None:
        if self.processor is not None:
            await self.processor.revoke(patience=self.settings.worker.session / 2)

    async def _assigned(self, _app: faust.App, assigned: set[Any], **_: Any) -> None:
        if self.processor is not None:
            await self.processor.assign(assigned)

    # -- end

    async def stop(self) -> None:
        """Finish what is under way, make a last checkpoint, and leave; after a crash only leave."""
        if self.processor is not None and not self._leaving:
            self._leaving = True
            log.info("Worker stops", worker=self.name, orderly=not self.crashed)
            if not self.crashed:
                self.consumer.stop_flow()
                await self.processor.stop(LAST_PATIENCE)
        await super().stop()
        if self.processor is not None:
            self.processor = None
            self._reporter.close()
            self._engine.close()
            self._writer.close()
            if not self.crashed:
                log.info("Worker is done", worker=self.name, readings=self._reporter.readings)
