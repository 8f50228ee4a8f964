"""Batches of records through the pipeline to the sinks; then snapshots, then the commit.

The order is the guarantee (docs/worker.md): results durable ▶ snapshots durable ▶ offsets committed. Whatever
moment a worker dies at, what is taken again gives the same results under the same ids.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import structlog
from faust.types import TP

from connectors.kafka.outgoing import Record
from pipeline.records import Results
from pipeline.wire.commands import CommandKind, MachineCommand, encode_command
from streams.agents.checkpoint_schedule import CheckpointSchedule
from streams.agents.engine import Dumped, Engine
from streams.agents.fetch import Chunk, Fetch
from streams.agents.metrics import Metrics
from streams.agents.partition_state import PartitionState, Phase
from streams.agents.snapshots import SLOTS, read_snapshots, snapshot_headers, snapshot_key
from streams.agents.tally import Tally
from streams.agents.topology import Note, Topology, encode_note
from streams.agents.writer import AbandonedError, Writer
from streams.settings import Settings

log = structlog.get_logger()

#: Seconds between looks for rows that have waited long enough, while no message comes.
_LET_GO = 1.0


class Consumer(Protocol):
    """What is used of Faust's consumer."""

    def committed(self, tp: TP) -> int | None:
        """The committed offset."""

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Go on from these offsets."""

    async def commit_offsets(self, offsets: Mapping[TP, int], notes: Mapping[TP, str]) -> bool:
        """Commit; False when the partitions are another worker's by now."""

    async def ends(self, *tps: TP) -> Mapping[TP, int]:
        """The offset of each partition's next message, asked of the broker."""

    def highwater(self, tp: TP) -> int | None:
        """The offset that the next message of the partition will have."""


class BatchProcessor:
    """All partitions of this worker: one batch is computed while the one before it is written."""

    def __init__(self, settings: Settings, engine: Engine, writer: Writer, tally: Tally) -> None:
        self.topics = frozenset({settings.kafka.frames, settings.kafka.feedback})
        self._settings = settings
        self._engine = engine
        self._writer = writer
        self._tally = tally
        self._consumer: Consumer | None = None
        self._partitions: dict[TP, PartitionState] = {}
        self._slots: dict[str, int] = {}
        self._inbox: deque[Chunk] = deque()
        self._waiting_bytes = 0
        self._work, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._busy = asyncio.Lock()
        self._open = True
        self._ended = False
        self._write: asyncio.Task[None] | None = None
        self._written: dict[int, tuple[PartitionState, int]] = {}
        self._schedule = CheckpointSchedule(settings.worker.checkpoint, time.monotonic())
        self._let_go_at = time.monotonic() + _LET_GO
        self._topology = Topology(settings.kafka)
        self.metrics: Metrics | None = None
        self._leaving: dict[str, int] = {}
        self._count = 0

    # -- what Faust's consumer calls

    async def prepare(self, consumer: Consumer) -> None:
        """Restore the machines of every partition that is new here, and go back where that is needed."""
        self._consumer = consumer
        if self._ended:
            return
        if any(partition.phase is Phase.ASSIGNED for partition in self._partitions.values()):
            await self._topology.refresh()
            await self._find_leaving()
        for tp, partition in list(self._partitions.items()):
            if partition.replaced and partition.drained:
                await self._begin_anew(consumer, tp, partition)
            if partition.phase is not Phase.READY:
                await self._prepare(consumer, tp, partition)
        self._open = True
        self._work.set()

    async def _prepare(self, consumer: Consumer, tp: TP, partition: PartitionState) -> None:
        committed = consumer.committed(tp)
        if partition.phase is Phase.PARKED and committed is not None and partition.durable == committed:
            partition.begin(committed, committed)
            return
        end = (await consumer.ends(tp)).get(tp)
        if committed is not None and (self._topology.gone(*tp) or (end is not None and committed > end)):
            _say_anew(tp, committed)
            committed, partition.dropped = None, True
        offset = committed
        if tp.topic == self._settings.kafka.frames:
            frames = self._topology.frames
            await self._engine.run(self._engine.forget, frozenset({tp.partition}))
            found = await read_snapshots(self._settings.kafka, tp.partition, self._topology.id_of(tp.topic))
            restored = await self._engine.run(self._engine.restore, tp.partition, found, frames, end)
            self._slots.update(restored.slots)
            self._leaving.update(restored.leaving)
            self._say_lost(tp, committed, restored.machines)
            if restored.replaced:
                log.warning(
                    "Models are of a topic that was deleted: they go on with the one that is there now, from "
                    "its beginning or its committed offset.",
                    topic=tp.topic,
                    partition=tp.partition,
                    machines=restored.replaced,
                )
            partition.resume, partition.behind = -1, frozenset()
            if restored.rewind is not None and (committed is None or restored.rewind < committed):
                partition.resume, partition.behind = committed or -1, restored.behind
                offset = restored.rewind
            log.info(
                "Partition taken over",
                topic=tp.topic,
                partition=tp.partition,
                machines=restored.machines,
                offset=offset,
                again_from=offset if offset != committed else None,
            )
        if offset is not None or partition.dropped:
            await consumer.seek_wait({tp: offset or 0})
        partition.begin(offset, committed)
        partition.topic_id = self._topology.id_of(tp.topic)

    async def _find_leaving(self) -> None:
        """Which of the machines that are here go to another partition, when there are more than before."""
        frames = self._topology.frames
        if frames is None:
            return
        if 0 < self._count < frames.partitions:
            self._leaving.update(await self._engine.run(self._engine.moving, self._count, frames.partitions))
        self._count = frames.partitions

    def _say_lost(self, tp: TP, committed: int | None, machines: int) -> None:
        before = self._topology.note(*tp).machines
        if committed and machines < before:
            log.warning(
                "Snapshots are missing: machines that had models learn anew. Stop the workers and write the "
                "models back with `yeji snapshots import FILE` when there is an export.",
                topic=self._settings.kafka.snapshots,
                partition=tp.partition,
                machines_before=before,
                machines_found=machines,
            )

    async def _begin_anew(self, consumer: Consumer, tp: TP, partition: PartitionState) -> None:
        """All of the old topic is worked on: go on from the beginning of the one that has its name now."""
        async with self._busy:
            await self._end_write()
            if tp.topic == self._settings.kafka.frames:
                await self._engine.run(self._engine.rewind, tp.partition)
            partition.begin(0, None)
            partition.replaced, partition.topic_id = False, self._topology.id_of(tp.topic)
        await consumer.seek_wait({tp: 0})

    async def _check_anew(self, tp: TP, partition: PartitionState) -> None:
        """Offsets went backwards: the topic may have been deleted and made again while we read it."""
        if partition.topic_id == self._topology.id_of(tp.topic):
            await self._topology.refresh()
        now = self._topology.id_of(tp.topic)
        if partition.topic_id and now and partition.topic_id != now:
            _say_anew(tp, partition.expected)
            partition.replaced = True

    async def room(self) -> None:
        """Return when the records that wait are few enough; until then Kafka keeps the rest."""
        await self._room.wait()

    async def accept(self, consumer: Consumer, records: Mapping[TP, Sequence[Any]]) -> list[Chunk]:
        """What of a fetch is to be worked on: nothing twice, nothing left out; may seek."""
        accepted = []
        for tp, some in records.items():
            partition = self._partitions.get(tp)
            if partition is None:
                continue
            if partition.phase is not Phase.READY:
                partition.dropped = True  # `prepare` seeks back
                continue
            if (
                partition.expected is not None
                and some[0].offset < partition.expected
                and not partition.replaced
            ):
                await self._check_anew(tp, partition)
            if partition.replaced:
                continue  # `prepare` begins at its beginning
            if partition.expected is not None:
                if some[0].offset > partition.expected and partition.sought != partition.expected:
                    # Lost in a rebalance, or gone from the topic: asking once more tells.
                    partition.sought = partition.expected
                    await consumer.seek_wait({tp: partition.expected})
                    continue
                if some[0].offset > partition.expected:
                    log.warning(
                        "Offsets are not in the topic: deleted by its retention before they were taken, or "
                        "the marks of a producer's transactions.",
                        topic=tp.topic,
                        partition=tp.partition,
                        first=partition.expected,
                        last=some[0].offset - 1,
                    )
                if some[0].offset < partition.expected:
                    some = [record for record in some if record.offset >= partition.expected]
            if not some:
                continue
            chunk = Chunk(partition, some, partition.generation)
            partition.expected = chunk.next
            self._waiting_bytes += chunk.size
            accepted.append(chunk)
        if self._waiting_bytes > 2 * self._settings.worker.batch_bytes:
            self._room.clear()
        return accepted

    # -- what the agents call

    def submit(self, fetch: Fetch) -> None:
        """Process these records with the next batch; those of partitions revoked meanwhile are left out."""
        if self._open:
            self._inbox.extend(chunk for chunk in fetch.chunks if chunk.current)
        if self._inbox:
            self._work.set()

    # -- what Faust's rebalance calls

    async def assign(self, tps: Iterable[TP]) -> None:
        """These partitions are ours from now on. `prepare` does the rest once Faust has sought."""
        ours = {tp for tp in tps if tp.topic in self.topics}
        self._partitions = {
            tp: self._partitions.get(tp) or PartitionState(tp.topic, tp.partition) for tp in ours
        }
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
        for partition in self._partitions.values():
            parked = partition.phase is Phase.READY and partition.applied == partition.durable
            partition.phase = phase if parked else Phase.ASSIGNED
            partition.expected = None if partition.phase is Phase.ASSIGNED else partition.durable

    # -- the line of work

    async def stop(self, patience: float) -> None:
        """Finish, make a checkpoint, and take nothing more."""
        self._ended = True
        await self.revoke(patience)

    async def run(self) -> None:
        """Work until cancelled; ends only by an error that must end the worker."""
        while True:
            now = time.monotonic()
            due = min(self._schedule.due(now), self._let_go_at - now)
            if not (self._inbox and self._open) and due > 0:
                self._work.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._work.wait(), due)
            async with self._busy:
                if not self._open:
                    self._work.clear()
                    now = time.monotonic()
                    self._schedule.skipped(now)
                    self._let_go_at = now + _LET_GO
                    continue
                try:
                    if self._inbox:
                        await self._step()
                    elif self._let_go_at <= time.monotonic():
                        await self._let_go()
                    if self._schedule.due(time.monotonic()) <= 0:
                        await self._checkpoint()
                except AbandonedError:
                    continue

    def _next_batch(self) -> list[Chunk]:
        """The next records within the limits; one message alone where one is known to make trouble."""
        settings = self._settings.worker
        batch: list[Chunk] = []
        messages = size = 0
        while self._inbox and messages < settings.batch_messages and size < settings.batch_bytes:
            chunk = self._inbox.popleft()
            careful = chunk.partition.careful > chunk.first
            if careful and batch:
                self._inbox.appendleft(chunk)
                break
            most = 1 if careful else settings.batch_messages - messages
            if len(chunk.records) > most:
                chunk, rest = chunk.split(most)
                self._inbox.appendleft(rest)
            batch.append(chunk)
            messages += len(chunk.records)
            size += chunk.size
            if careful:
                break
        self._waiting_bytes -= size
        if self._waiting_bytes <= 2 * settings.batch_bytes:
            self._room.set()
        return batch

    async def _step(self) -> None:
        batch = self._next_batch()
        self._schedule.worked(time.monotonic())
        began = time.perf_counter()
        try:
            results = await self._engine.run(self._engine.process, batch)
        except Exception as error:
            await self._end_write()
            self._isolate(batch, error)
            return
        for chunk in batch:
            chunk.partition.applied = chunk.next
        await self._end_write()
        self._written = {id(chunk.partition): (chunk.partition, chunk.next) for chunk in batch}
        self._write = asyncio.create_task(self._write_and_count(results, batch, began))

    async def _write_and_count(self, results: Results, batch: Sequence[Chunk], began: float) -> None:
        await self._writer.write(results)
        messages = sum(len(chunk.records) for chunk in batch)
        self._tally.batch(results, messages, (time.perf_counter() - began) * 1000)
        if self.metrics is not None:
            newest = max((chunk.records[-1].timestamp for chunk in batch), default=None)
            self.metrics.batch(results, messages, newest)
            self.metrics.stage("process", self._engine.process_ms / 1000)
            self.metrics.stage("write", self._writer.write_ms / 1000)
            self.metrics.skews(_skews(results, batch))

    async def _end_write(self) -> None:
        """Wait for the batch that is being written; its offsets are durable then. Raises `AbandonedError`."""
        if self._write is None:
            return
        await asyncio.wait({self._write})
        task, self._write = self._write, None
        written, self._written = self._written, {}
        task.result()
        for partition, offset in written.values():
            partition.durable = offset

    def _isolate(self, batch: Sequence[Chunk], error: Exception) -> None:
        """The pipeline failed, and may have half done something: go back to the last checkpoint.

        The messages of this batch are then taken one by one; one that fails alone is rejected.
        """
        log.error("The pipeline failed; its partitions go back to their last checkpoint.", exc_info=error)
        if len(batch) == 1 and len(batch[0].records) == 1:
            batch[0].partition.poison[batch[0].first] = f"{type(error).__name__}: {error}"
        for chunk in batch:
            chunk.partition.careful = max(chunk.partition.careful, chunk.next)
        self._drop_inbox()
        for partition in self._partitions.values():
            partition.phase, partition.dropped = Phase.ASSIGNED, True

    def _drop_inbox(self) -> None:
        for partition in self._partitions.values():
            partition.dropped |= partition.expected != partition.applied  # fetched, and not in the models
        self._inbox.clear()
        self._waiting_bytes = 0
        self._room.set()

    # -- the clock

    async def _let_go(self) -> None:
        """Let the rows go on that have waited long enough; only when no message is on its way."""
        self._let_go_at = time.monotonic() + _LET_GO
        if self.lag() != 0:
            return
        began = time.perf_counter()
        results = await self._engine.run(self._engine.let_go)
        if results:
            await self._end_write()
            self._write = asyncio.create_task(self._write_and_count(results, (), began))

    # -- checkpoints

    async def _checkpoint(self) -> None:
        """Snapshots of what changed, then the commit of everything that they and the sinks stand for."""
        began = time.monotonic()
        await self._end_write()
        frames = self._settings.kafka.frames
        current = {
            tp: partition for tp, partition in self._partitions.items() if partition.phase is Phase.READY
        }
        # A machine that still catches up must not get a snapshot: it would hide how far back it was.
        whole = {tp: partition for tp, partition in current.items() if not partition.catching_up}
        # Nor may a verdict be done with before its machine's snapshot holds it.
        offsets = {
            tp: partition.committable
            for tp, partition in whole.items()
            if partition.dirty and TP(frames, tp.partition) in whole
        }
        if self._consumer is not None and (offsets or self._leaving or self._engine.retired):
            wanted = frozenset(tp.partition for tp in whole if tp.topic == frames)
            dumped = await self._engine.run(self._engine.dump_changed, wanted)
            await self._send_snapshots(dumped)
            await self._release(whole)
            counts = await self._engine.run(self._engine.counts)
            notes = {
                tp: encode_note(Note(self._topology.id_of(tp.topic), counts.get(tp.partition, 0)))
                for tp in offsets
            }
            plain = {tp: offset for tp, offset in offsets.items() if offset}
            if not plain or await self._consumer.commit_offsets(plain, notes):
                for tp, offset in offsets.items():
                    self._partitions[tp].committed = offset
            self._tally.checkpoint(len(dumped))
            if self.metrics is not None:
                self.metrics.stage("checkpoint", time.monotonic() - began)
            self._schedule.made(began, time.monotonic())
        else:
            self._schedule.skipped(time.monotonic())

    async def _send_snapshots(self, dumped: Sequence[Dumped]) -> None:
        """Snapshots, each into the slot of its machine that is older; of retired machines nothing is left."""
        frames, topic = self._topology.frames, self._settings.kafka.snapshots
        shape = (frames.id, frames.partitions) if frames is not None else ()
        slots = {one.machine: 1 - self._slots.get(one.machine, 1) for one in dumped if one.data is not None}
        records = []
        for one in dumped:
            if one.data is None:
                self._slots.pop(one.machine, None)
                records += _deletions(topic, one.machine, one.partition)
                continue
            key = snapshot_key(one.machine, slots[one.machine])
            headers = tuple(snapshot_headers(one.offset, *shape))
            records.append(Record(topic, key, one.data, headers, one.partition))
        await self._writer.send(records)
        self._slots.update(slots)

    async def _release(self, whole: Mapping[TP, PartitionState]) -> None:
        """Send the models of machines to the partitions that their messages go to since there are more.

        Not before the last message in the old partition is worked on.
        """
        if not self._leaving or self._consumer is None:
            return
        frames, records = self._settings.kafka.frames, []
        done = {
            tp.partition
            for tp, partition in whole.items()
            if tp.topic == frames and partition.durable is not None
            if (end := self._consumer.highwater(tp)) is not None and partition.durable >= end
        }
        for one in await self._engine.run(self._engine.release, list(self._leaving), done):
            home = self._leaving.pop(one.machine)
            assert one.data is not None  # noqa: S101 - a machine that is here has a state
            command = MachineCommand(
                CommandKind.ADOPT, one.machine, round(time.time() * 1000), "partitions added", one.data, home
            )
            key, value = one.machine.encode(), encode_command(command)
            records.append(Record(self._settings.kafka.feedback, key, value, (), home))
            records += _deletions(self._settings.kafka.snapshots, one.machine, one.partition)
            self._slots.pop(one.machine, None)
            log.info(
                "A model moves: its machine's messages go to another partition now.", machine=one.machine
            )
        await self._writer.send(records)

    @property
    def unready(self) -> str:
        """What keeps this worker from taking readings now; "" = nothing."""
        if not self._partitions:
            return "no partition is assigned to this worker (yet)"
        waiting = sum(partition.phase is not Phase.READY for partition in self._partitions.values())
        if waiting:
            return f"{waiting} of {len(self._partitions)} partitions are being taken over"
        return "results wait for a sink that is away" if self._writer.waiting else ""

    def lag(self) -> int | None:
        """How many messages wait in this worker's partitions; None before the first fetch."""
        if self._consumer is None:
            return None
        total, known = 0, False
        for tp, partition in self._partitions.items():
            end = self._consumer.highwater(tp)
            if end is not None and partition.applied is not None:
                total, known = total + max(end - partition.applied, 0), True
        return total if known else None


def _skews(results: Results, batch: Sequence[Chunk]) -> Iterator[tuple[str, float]]:
    """How far each machine's newest reading of a batch was ahead of its record's time in Kafka (s)."""
    came = {record.key: record.timestamp for chunk in batch for record in chunk.records}
    for scored in results.scored:
        received = came.get(scored.machine.encode())
        if received is not None:
            yield scored.machine, (int(scored.time[-1]) - received) / 1000


def _deletions(topic: str, machine: str, partition: int) -> list[Record]:
    return [Record(topic, snapshot_key(machine, slot), None, (), partition) for slot in range(SLOTS)]


def _say_anew(tp: TP, offset: int | None) -> None:
    log.warning(
        "The topic was deleted and made again: its offsets begin again, and all that it holds is taken.",
        topic=tp.topic,
        partition=tp.partition,
        offset_before=offset,
    )
