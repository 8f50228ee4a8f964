"""Faust's own consumer, but the records that one fetch returned go to the agents as one event.

Faust hands each message over alone: two tasks and a wait a message (`Consumer._drain_messages`), an Event, a
queue: some 75 µs, whatever the message holds (docs/performance.md). Here the records of a `FetchChannel`'s
topic go to its agents as they are; those of any other topic as Faust does it. All else stays Faust's: group
membership, assignment, flow control in a rebalance, the consumer thread with its heartbeats, the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP

from streams.agents.channels import FetchChannel
from streams.agents.consumer_thread import ConsumerThread
from streams.agents.fetch import Chunk, Fetch
from streams.agents.processor import BatchProcessor

if TYPE_CHECKING:
    from faust.types.transports import RecordMap


class BulkConsumer(Consumer):  # type: ignore[misc]
    """Delivers the records of the topics of the app's ``fetches`` in bulk, any other topic's one by one."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        #: What is written beside a partition's committed offset.
        self.notes: dict[TP, str] = {}

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def ends(self, *tps: TP) -> Mapping[TP, int]:
        """The offset that the next message of each partition will have, asked of the broker now."""
        found: Mapping[TP, int] = await self.highwaters(*tps)
        return {tp: found[tp] for tp in tps if tp in found}

    async def _drain_messages(self, fetcher: Any) -> None:
        """What Faust's fetcher runs, instead of a loop over single messages."""
        processor: BatchProcessor | None = self.app.processor
        if processor is None:  # a client's, as of `faust send`
            await super()._drain_messages(fetcher)
            return
        channels: Mapping[str, FetchChannel] = self.app.fetches
        try:
            while not (self.should_stop or fetcher.should_stop):
                await asyncio.sleep(0)
                if self.flow_active and not await self._undisturbed(self._before_fetch(processor)):
                    continue
                records, active = await self._wait_next_records(timeout=1.0)
                if self.should_stop or not records:
                    continue
                if not self.flow_active:
                    await self._seek_back()
                    continue
                bulk = {tp: some for tp, some in records.items() if tp.topic in channels and tp in active}
                if bulk:
                    await self._undisturbed(self._publish(processor, channels, bulk))
                if len(records) > len(bulk):
                    single = {tp: some for tp, some in records.items() if tp.topic not in channels}
                    await self._undisturbed(self._one_by_one(single, active))
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _publish(
        self,
        processor: BatchProcessor,
        channels: Mapping[str, FetchChannel],
        records: Mapping[TP, Sequence[Any]],
    ) -> None:
        by_topic: dict[str, list[Chunk]] = {}
        for chunk in await processor.accept(self, records):
            by_topic.setdefault(chunk.partition.topic, []).append(chunk)
        for topic, chunks in by_topic.items():
            await channels[topic].publish(Fetch(topic, chunks, self.app.limits))

    async def _one_by_one(self, records: RecordMap, active: set[TP] | None) -> None:
        """What Faust's own `getmany` and `_drain_messages` do with the records of a fetch.

        A gap in the offsets is added to what is acknowledged, or the commit would stop before it.
        """
        for tp, record in self.scheduler.iterate(records):
            if not self.flow_active:
                return
            if not (active is None or tp in active or tp in self._buffered_partitions):
                continue
            read: int | None = self._read_offset[tp]
            if read is not None and record.offset < read:
                continue
            if read and record.offset - read > 1 and self.app.topics.acks_enabled_for(tp.topic):
                await self._add_gap(tp, read + 1, record.offset)
            await self.callback(self._to_message(tp, record))
            self._read_offset[tp] = record.offset

    async def _seek_back(self) -> None:
        """What was fetched is not taken: it is fetched again. As in Faust, the rebalance mends a failure."""
        try:
            await self.perform_seek()
        except Exception as error:
            self.log.warning("Cannot seek while a rebalance is on: %r", error)

    async def _before_fetch(self, processor: BatchProcessor) -> None:
        await processor.prepare(self)
        await processor.room()
        await processor.prepare(self)  # it may have gone back to its last checkpoint meanwhile

    async def _undisturbed(self, work: Any) -> bool:
        """Await ``work`` unless a rebalance stops the flow; whether it came to its end."""
        task = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self.suspend_flow.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                return False
            task.result()
            return True
        finally:
            for one in (task, stopped):
                if not one.done():
                    one.cancel()
            await asyncio.gather(task, stopped, return_exceptions=True)

    async def commit_offsets(self, offsets: Mapping[TP, int], notes: Mapping[TP, str]) -> bool:
        """Commit these offsets now, with ``notes`` beside them.

        False when the group has moved on and they are another's to commit.
        """
        self.notes = dict(notes)
        return bool(await self._commit_offsets(dict(offsets)))

    def committed(self, tp: TP) -> int | None:
        """The committed offset as Faust found it when the partition was assigned, or set it since."""
        offset: int | None = self._committed_offset.get(tp)
        return offset

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's livelock detector looks for single messages; the worker reports its own lag."""
        if tp.topic not in self.app.fetches:
            super().verify_event_path(now, tp)


class BulkTransport(Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with a `BulkConsumer`."""

    Consumer: ClassVar[type[BulkConsumer]] = BulkConsumer
