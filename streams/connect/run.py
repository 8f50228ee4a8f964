"""The program behind `yeji connect`: every source, one forwarder, a report now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event

import structlog

from connectors.base.sources import chosen_sources, open_source
from connectors.kafka.delivery import RecordDelivery
from connectors.spool.disk import FolderDisk
from connectors.spool.spool import Spool
from pipeline.settings import SettingsError
from streams.connect.feed import Feed
from streams.connect.forwarder import Forwarder
from streams.settings import Settings

log = structlog.get_logger()

#: Readings in one message at most, and seconds that the sources get to end.
READINGS = 500
_ENDING = 10.0


class ConnectRun:
    """Runs the sources of ``names`` (none = all that the settings have). Raises `SettingsError`."""

    def __init__(self, settings: Settings, names: list[str] | None = None) -> None:
        chosen = chosen_sources(settings, names)
        folder: Path = settings.data / "spool"
        try:
            spool = Spool(FolderDisk(folder), settings.spool.max_bytes, settings.spool.keep)
        except OSError as error:
            raise SettingsError(f"The spool {folder} cannot be opened: {error}. Correct `data`.") from error
        self.settings = settings
        self.forwarder = Forwarder(
            partial(RecordDelivery, settings.kafka, settings.spool.patience),
            spool,
            settings.spool,
            settings.kafka.rejected,
            lambda text: log.warning("kafka", text=text),
        )
        self.feeds = [
            Feed(
                name,
                partial(open_source, name, settings.sources[name]),
                self.forwarder,
                settings.kafka,
                READINGS,
                lambda text: log.warning("source", text=text),
            )
            for name in chosen
        ]
        self._stopped = Event()

    def stop(self) -> None:
        """End soon; safe in a signal handler."""
        self._stopped.set()

    def run(self, report: float = 60.0, tell: Callable[[], None] | None = None) -> None:
        """Until `stop`, or until every source has ended; everything that came is durable then."""
        self.forwarder.start()
        for feed in self.feeds:
            feed.start()
        told = time.monotonic()
        while not self._stopped.wait(0.2) and not all(feed.ended for feed in self.feeds):
            if time.monotonic() - told >= report:
                told = time.monotonic()
                self.report()
        for feed in self.feeds:
            feed.stop()
        for feed in self.feeds:
            feed.join(_ENDING)
        self.forwarder.stop()
        self.report()

    def report(self) -> None:
        """A line for each source, and one for Kafka and the spool."""
        for feed in self.feeds:
            status: dict[str, object] = {"readings": feed.readings, "failures": feed.failures}
            one = feed.source.status
            if one is not None:
                status |= {
                    "connected": one.connected,
                    "arrivals": one.arrivals,
                    "rejected": one.rejected,
                    "repeated": one.repeated,
                    "lost": one.lost,
                    **one.extra,
                }
                if not one.connected:
                    status["trouble"] = one.detail
            if feed.trouble:
                status["trouble"] = feed.trouble
            log.info("source", source=feed.name, **status)
        stats, spool = self.forwarder.stats, self.forwarder.spool
        log.info(
            "kafka",
            connected=self.forwarder.connected,
            delivered=stats.delivered,
            spooled=stats.spooled,
            drained=stats.drained,
            held_records=spool.waiting,
            held_bytes=spool.size,
            dropped=spool.dropped_readings,
            outages=stats.outages,
        )
