"""The lane: records in bulk from Kafka, through the pipeline, to the sinks; then snapshots, then the commit.

The order is the guarantee (docs/worker.md): results durable ▶ snapshots durable ▶ offsets committed. Whatever
moment a worker dies at, what is taken again gives the same results under the same ids.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from faust.types import TP

from connectors.kafka.outgoing import Record
from pipeline.records import Results
from streams.agents.engine import Chunk, Engine
from streams.agents.places import Phase, Place
from streams.agents.snapshots import read_snapshots, snapshot_headers, snapshot_key
from streams.agents.tally import Tally
from streams.agents.timetable import Timetable
from streams.agents.transport import BulkConsumer
from streams.agents.writer import AbandonedError, Writer
from streams.settings import Settings

log = structlog.get_logger()


class Lane:
    """All partitions of this worker, in one line of work."""

    def __init__(self, settings: Settings, engine: Engine, writer: Writer, tally: Tally) -> None:
        self.topics = frozenset({settings.kafka.frames, settings.kafka.feedback})
        self._settings = settings
        self._engine = engine
        self._writer = writer
        self._tally = tally
        self._consumer: BulkConsumer | None = None
        self._places: dict[TP, Place] = {}
        self._slots: dict[str, int] = {}
        self._inbox: deque[Chunk] = deque()
        self._waiting_bytes = 0
        self._work, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._busy = asyncio.Lock()
        self._open = True
        self._ended = False
        self._write: asyncio.Task[None] | None = None
        self._written: dict[int, tuple[Place, int]] = {}
        self._timetable = Timetable(settings.worker.checkpoint, time.monotonic())
        self._loop: asyncio.Task[None] | None = None

    # -- what Faust's consumer calls

    async def prepare(self, consumer: BulkConsumer) -> None:
        """Restore the machines of every partition that is new here, and go back where that is needed."""
        self._consumer = consumer
        if self._ended:
            return
        for tp, place in list(self._places.items()):
            if place.phase is not Phase.READY:
                await self._prepare(consumer, tp, place)
        self._open = True
        self._work.set()

    async def _prepare(self, consumer: BulkConsumer, tp: TP, place: Place) -> None:
        committed = consumer.committed(tp)
        if place.phase is Phase.PARKED and committed is not None and place.durable == committed:
            place.begin(committed, committed)
            return
        offset = committed
        if tp.topic == self._settings.kafka.frames:
            await self._engine.run(self._engine.forget, frozenset({tp.partition}))
            found = await read_snapshots(self._settings.kafka, tp.partition)
            restored = await self._engine.run(self._engine.restore, tp.partition, found)
            self._slots.update(restored.slots)
            place.resume, place.behind = -1, frozenset()
            if restored.rewind is not None and (committed is None or restored.rewind < committed):
                place.resume, place.behind = committed or -1, restored.behind
                offset = restored.rewind
            log.info(
                "Partition taken over",
                topic=tp.topic,
                partition=tp.partition,
                machines=restored.machines,
                offset=offset,
                again_from=offset if offset != committed else None,
            )
        if offset is not None or place.dropped:
            await consumer.seek_wait({tp: offset or 0})
        place.begin(offset, committed)

    async def room(self) -> None:
        """Return when the records that wait are few enough; until then Kafka keeps the rest."""
        await self._room.wait()

    async def take(self, consumer: BulkConsumer, records: Mapping[TP, Sequence[Any]]) -> None:
        """Take what one fetch gave: nothing twice, nothing left out."""
        for tp, chunk in records.items():
            place = self._places.get(tp)
            if place is None:
                continue
            if place.phase is not Phase.READY:
                place.dropped = True  # `prepare` seeks back
                continue
            if place.expected is not None:
                if chunk[0].offset > place.expected and place.sought != place.expected:
                    # Lost in a rebalance, or gone from the topic: asking once more tells.
                    place.sought = place.expected
                    await consumer.seek_wait({tp: place.expected})
                    continue
                if chunk[0].offset > place.expected:
                    log.warning(
                        "Offsets are not in the topic: deleted by its retention before they were taken, or "
                        "the marks of a producer's transactions.",
                        topic=tp.topic,
                        partition=tp.partition,
                        first=place.expected,
                        last=chunk[0].offset - 1,
                    )
                if chunk[0].offset < place.expected:
                    chunk = [record for record in chunk if record.offset >= place.expected]
            if not chunk:
                continue
            place.expected = chunk[-1].offset + 1
            self._inbox.append((place, chunk))
            self._waiting_bytes += _size(chunk)
        if self._inbox:
            self._work.set()
        if self._waiting_bytes > 2 * self._settings.worker.batch_bytes:
            self._room.clear()

    # -- what Faust's rebalance calls

    async def assign(self, tps: Iterable[TP]) -> None:
        """These partitions are ours from now on. `prepare` does the rest once Faust has sought."""
        ours = {tp for tp in tps if tp.topic in self.topics}
        self._places = {tp: self._places.get(tp) or Place(tp.topic, tp.partition) for tp in ours}
        kept = frozenset(tp.partition for tp in ours if tp.topic == self._settings.kafka.frames)
        await self._engine.run(self._engine.retain, kept)

    async def revoke(self, patience: float) -> None:
        """A rebalance begins, or the end: finish what is under way, make a checkpoint, take nothing more.

        When the sinks are away for longer than ``patience`` (s), what is under way is given up: whoever has
        the partitions next does it from the last checkpoint.
        """
        self._open = False
        self._drop_inbox()
        try:
            async with asyncio.timeout(patience), self._busy:
                await self._checkpoint()
            phase = Phase.PARKED
        except (TimeoutError, AbandonedError):
            phase = Phase.ASSIGNED
            self._writer.abandon()
            async with self._busy:
                with contextlib.suppress(AbandonedError):
                    await self._end_write()
            self._writer.resume()
            log.warning("Given up what was under way: it is taken again from the last checkpoint.")
        for place in self._places.values():
            parked = place.phase is Phase.READY and place.applied == place.durable
            place.phase = phase if parked else Phase.ASSIGNED
            place.expected = None if place.phase is Phase.ASSIGNED else place.durable

    # -- the line of work

    def start(self) -> asyncio.Task[None]:
        """Begin; the task ends only by `stop`, or by an error that must end the worker."""
        self._loop = asyncio.create_task(self._run(), name="lane")
        return self._loop

    async def stop(self, patience: float) -> None:
        """Finish, make a checkpoint, and end."""
        self._ended = True
        await self.revoke(patience)
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            due = self._timetable.due(time.monotonic())
            if not (self._inbox and self._open) and due > 0:
                self._work.clear()
                try:
                    await asyncio.wait_for(self._work.wait(), due)
                except TimeoutError:
                    due = 0.0
            async with self._busy:
                if not self._open:
                    self._work.clear()
                    now = time.monotonic()
                    self._timetable.made(now, now)
                    continue
                try:
                    if self._inbox:
                        await self._step()
                    if self._timetable.due(time.monotonic()) <= 0:
                        await self._checkpoint()
                except AbandonedError:
                    continue

    def _next_batch(self) -> list[Chunk]:
        """The next records within the limits; one message alone where one is known to make trouble."""
        settings = self._settings.worker
        batch: list[Chunk] = []
        messages = size = 0
        while self._inbox and messages < settings.batch_messages and size < settings.batch_bytes:
            place, chunk = self._inbox.popleft()
            most = settings.batch_messages - messages
            if place.careful > chunk[0].offset:
                most = 1
                if batch:
                    self._inbox.appendleft((place, chunk))
                    break
            if len(chunk) > most:
                self._inbox.appendleft((place, chunk[most:]))
                chunk = chunk[:most]
            batch.append((place, chunk))
            messages += len(chunk)
            size += _size(chunk)
            if place.careful > chunk[0].offset:
                break
        self._waiting_bytes -= size
        if self._waiting_bytes <= 2 * settings.batch_bytes:
            self._room.set()
        return batch

    async def _step(self) -> None:
        batch = self._next_batch()
        self._timetable.worked(time.monotonic())
        began = time.perf_counter()
        try:
            results = await self._engine.run(self._engine.process, batch)
        except Exception as error:
            await self._end_write()
            self._isolate(batch, error)
            return
        for place, chunk in batch:
            place.applied = chunk[-1].offset + 1
        await self._end_write()
        self._written = {id(place): (place, chunk[-1].offset + 1) for place, chunk in batch}
        self._write = asyncio.create_task(self._write_and_count(results, batch, began))

    async def _write_and_count(self, results: Results, batch: Sequence[Chunk], began: float) -> None:
        await self._writer.write(results)
        messages = sum(len(chunk) for _, chunk in batch)
        self._tally.batch(results, messages, (time.perf_counter() - began) * 1000)

    async def _end_write(self) -> None:
        """Wait for the batch that is being written; its offsets are durable then. Raises `AbandonedError`."""
        if self._write is None:
            return
        await asyncio.wait({self._write})
        task, self._write = self._write, None
        written, self._written = self._written, {}
        task.result()
        for place, offset in written.values():
            place.durable = offset

    def _isolate(self, batch: Sequence[Chunk], error: Exception) -> None:
        """The pipeline failed, and may have half done something: go back to the last checkpoint.

        The messages of this batch are then taken one by one; one that fails alone is rejected.
        """
        log.error("The pipeline failed; its partitions go back to their last checkpoint.", exc_info=error)
        if len(batch) == 1 and len(batch[0][1]) == 1:
            place, chunk = batch[0]
            place.poison[chunk[0].offset] = f"{type(error).__name__}: {error}"
        for place, chunk in batch:
            place.careful = max(place.careful, chunk[-1].offset + 1)
        self._drop_inbox()
        for place in self._places.values():
            place.phase, place.dropped = Phase.ASSIGNED, True

    def _drop_inbox(self) -> None:
        for place, _ in self._inbox:
            place.dropped = True
        self._inbox.clear()
        self._waiting_bytes = 0
        self._room.set()

    # -- checkpoints

    async def _checkpoint(self) -> None:
        """Snapshots of what changed, then the commit of everything that they and the sinks stand for."""
        began = time.monotonic()
        await self._end_write()
        frames = self._settings.kafka.frames
        current = {tp: place for tp, place in self._places.items() if place.phase is Phase.READY}
        # A machine that still catches up must not get a snapshot: it would hide how far back it was.
        whole = {tp: place for tp, place in current.items() if not place.catching_up}
        # Nor may a verdict be done with before its machine's snapshot holds it.
        offsets = {
            tp: place.durable
            for tp, place in whole.items()
            if place.dirty and TP(frames, tp.partition) in whole
        }
        if offsets and self._consumer is not None:
            wanted = frozenset(tp.partition for tp in whole if tp.topic == frames)
            dumped = await self._engine.run(self._engine.dump_changed, wanted)
            slots = {one.machine: 1 - self._slots.get(one.machine, 1) for one in dumped}
            await self._writer.send(
                [
                    Record(
                        self._settings.kafka.snapshots,
                        snapshot_key(one.machine, slots[one.machine]),
                        one.data,
                        tuple(snapshot_headers(one.offset)),
                        one.partition,
                    )
                    for one in dumped
                ]
            )
            self._slots.update(slots)
            if await self._consumer.commit_offsets({tp: offset for tp, offset in offsets.items() if offset}):
                for tp, offset in offsets.items():
                    self._places[tp].committed = offset
            self._tally.checkpoint(len(dumped))
        self._timetable.made(began, time.monotonic())

    def lag(self) -> int | None:
        """How many messages wait in this worker's partitions; None before the first fetch."""
        if self._consumer is None:
            return None
        total, known = 0, False
        for tp, place in self._places.items():
            end = self._consumer.highwater(tp)
            if end is not None and place.applied is not None:
                total, known = total + max(end - place.applied, 0), True
        return total if known else None


def _size(chunk: Sequence[Any]) -> int:
    return sum(len(record.value) for record in chunk if record.value)
