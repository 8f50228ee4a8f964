"""Faust's own consumer, but fetched records go on in bulk, not each through queues and tasks of its own.

Faust hands each message over alone: two tasks and a wait a message (`Consumer._drain_messages`), an Event, a
queue: some 75 µs, whatever the message holds (docs/performance.md). Here the records that one fetch
gave go to the lane as they are. All else stays Faust's: group membership, assignment, flow control during
a rebalance, the consumer thread with its heartbeats, the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import faust
from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP


class Lane(Protocol):
    """Where bulk records go."""

    topics: frozenset[str]

    async def prepare(self, consumer: BulkConsumer) -> None:
        """Make every newly assigned partition ready; may seek."""

    async def room(self) -> None:
        """Return when more records may come."""

    async def take(self, consumer: BulkConsumer, records: Mapping[TP, Sequence[Any]]) -> None:
        """Take the records that one fetch gave; may seek."""


class BulkConsumer(Consumer):  # type: ignore[misc]
    """Hands the records of the lane's topics over in bulk, and any other topic's as Faust does."""

    async def _drain_messages(self, fetcher: Any) -> None:
        """What Faust's fetcher runs, instead of a loop over single messages."""
        lane: Lane = self.app.lane
        try:
            while not (self.should_stop or fetcher.should_stop):
                await asyncio.sleep(0)
                if self.flow_active and not await self._undisturbed(self._before_fetch(lane)):
                    continue
                records, active = await self._wait_next_records(timeout=1.0)
                if self.should_stop or not records:
                    continue
                if not self.flow_active:
                    await self._seek_back()
                    continue
                bulk = {tp: some for tp, some in records.items() if tp.topic in lane.topics and tp in active}
                if bulk:
                    await self._undisturbed(lane.take(self, bulk))
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _seek_back(self) -> None:
        """What was fetched is not taken: it is fetched again. As in Faust, the rebalance mends a failure."""
        try:
            await self.perform_seek()
        except Exception as error:
            self.log.warning("Cannot seek while a rebalance is on: %r", error)

    async def _before_fetch(self, lane: Lane) -> None:
        await lane.prepare(self)
        await lane.room()
        await lane.prepare(self)  # the lane may have gone back to its last checkpoint meanwhile

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

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit these offsets now; False when the group has moved on and they are another's to commit."""
        return bool(await self._commit_offsets(dict(offsets)))

    def committed(self, tp: TP) -> int | None:
        """The committed offset as Faust found it when the partition was assigned, or set it since."""
        offset: int | None = self._committed_offset.get(tp)
        return offset

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's livelock detector looks for single messages; the lane reports its own lag."""
        if tp.topic not in self.app.lane.topics:
            super().verify_event_path(now, tp)


class BulkTransport(Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with a `BulkConsumer`."""

    Consumer: ClassVar[type[BulkConsumer]] = BulkConsumer


class BulkApp(faust.App):  # type: ignore[misc]
    """A Faust app whose ``lane`` takes records in bulk."""

    lane: Lane

    def _new_transport(self) -> BulkTransport:
        return BulkTransport(self.conf.broker_consumer, self)
