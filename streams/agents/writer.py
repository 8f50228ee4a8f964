"""Results to every sink, until all have them: a sink that is away is waited for, and nothing is dropped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from connectors.base.contract import Sink, SinkUnavailableError
from connectors.base.refused import rejections_of
from connectors.base.stats import WorkerStats
from connectors.kafka.outgoing import Record, score_records
from connectors.kafka.settings import KafkaSettings
from pipeline.records import AlarmEvent, Rejection, Results
from streams.agents.outputs import Producer, send_all

log = structlog.get_logger()
_LONGEST_WAIT = 10.0
_REMIND = 30.0


class AbandonedError(Exception):
    """The partitions are going elsewhere before the sinks came back: what was not written is done there."""


class Writer:
    """Writes to each sink on a thread of its own, and to Kafka through Faust's producer.

    ``alerts`` and ``rejects`` deliver through the agents of these names.
    """

    def __init__(
        self,
        sinks: Mapping[str, Sink],
        settings: KafkaSettings,
        producer: Callable[[], Producer],
        alerts: Callable[[Sequence[AlarmEvent]], Awaitable[None]],
        rejects: Callable[[Sequence[Rejection]], Awaitable[None]],
    ) -> None:
        self._sinks = sinks
        self._settings = settings
        self._producer = producer
        self._alerts = alerts
        self._rejects = rejects
        self._threads = {name: ThreadPoolExecutor(1, thread_name_prefix=f"sink-{name}") for name in sinks}
        self._abandon = asyncio.Event()
        self.write_ms = 0.0
        self.waiting = False

    def abandon(self) -> None:
        """Give up writes under way: each ends in `AbandonedError`."""
        self._abandon.set()

    def resume(self) -> None:
        """Writes are to be finished again."""
        self._abandon.clear()

    async def write(self, results: Results) -> None:
        """Return when ``results`` are durable everywhere. Raises `AbandonedError`."""
        began = time.perf_counter()
        await asyncio.gather(
            *(self._write_to(name, results) for name in self._sinks),
            self._alerts(results.alarms),
            self._rejects(results.rejections),
            self.send(list(score_records(results, self._settings.scores))),
        )
        self.write_ms = (time.perf_counter() - began) * 1000

    async def send(self, records: Sequence[Record]) -> None:
        """Return when ``records`` are on the brokers. Raises `AbandonedError`."""
        if records:
            await self._until_done(lambda: send_all(self._producer(), records))

    async def _write_to(self, name: str, results: Results) -> None:
        sink = self._sinks[name]
        await self._until_done(lambda: self._on_thread(name, sink.write, results))
        refused = sink.drain_refused()
        if refused:
            log.error(
                "A sink refuses results for good; they are in the topic of rejected input.",
                sink=name,
                refused=len(refused),
                first=refused[0].line.decode(errors="replace")[:300],
                reason=refused[0].reason,
            )
            await self._rejects(rejections_of(name, refused, results))

    async def report(self, stats: WorkerStats) -> None:
        """Write statistics once; they are not worth waiting for."""
        for name, sink in self._sinks.items():
            try:
                await self._on_thread(name, sink.write_stats, stats)
            except SinkUnavailableError as error:
                log.debug("Statistics were not written.", sink=name, error=str(error))

    def _on_thread(self, name: str, work: Callable[..., None], *args: object) -> Awaitable[None]:
        return asyncio.get_running_loop().run_in_executor(self._threads[name], work, *args)

    async def _until_done(self, attempt: Callable[[], Awaitable[None]]) -> None:
        tries, warned = 0, 0.0
        while True:
            if self._abandon.is_set():
                raise AbandonedError
            try:
                await attempt()
            except SinkUnavailableError as error:
                now = time.monotonic()
                if now - warned > _REMIND:
                    log.warning("Results wait; no reading is lost. " + str(error), tries=tries + 1)
                    warned = now
                self.waiting = True
                delay = max(error.retry_after, min(0.25 * 2**tries, _LONGEST_WAIT))
                tries += 1
                await self._pause(delay)
            else:
                if tries:
                    log.info("Results are written again.", after_tries=tries)
                    self.waiting = False
                return

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._abandon.wait(), seconds)
        except TimeoutError:
            return

    def close(self) -> None:
        """Close the sinks."""
        for name, sink in self._sinks.items():
            self._threads[name].shutdown(wait=True, cancel_futures=True)
            sink.close()
