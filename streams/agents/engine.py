"""The pipeline on a thread of its own, so that its arithmetic never keeps a heartbeat waiting."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

import structlog

from connectors.base.clock import now_ms
from connectors.kafka.batches import UndecodableBatch
from connectors.kafka.partitioning import destinations
from connectors.kafka.topics import TopicShape
from pipeline.machine import machine_name
from pipeline.pipeline import Pipeline
from pipeline.records import Message, Reason, Rejection, Results
from pipeline.snapshots.snapshot import SnapshotError
from pipeline.wire.alerts import WireError, decode_verdict
from pipeline.wire.commands import CommandKind, MachineCommand, decode_command, is_command
from pipeline.wire.readings import reject
from streams.agents.fetch import Chunk, messages_of
from streams.agents.partition_state import PartitionState
from streams.agents.snapshots import Stored
from streams.embedded.silence import SilenceWatch

log = structlog.get_logger()
_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Dumped:
    """One machine's snapshot and where it belongs."""

    machine: str
    partition: int
    offset: int
    data: bytes | None
    """None: the machine is retired, its snapshots are to be deleted."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back of a partition.

    ``rewind``: the offset to go back to for the machines ``behind``. ``replaced``: how many snapshots are
    of a topic that is gone. ``leaving``: machines whose messages go to another partition now.
    """

    machines: int
    slots: dict[str, int]
    rewind: int | None = None
    behind: frozenset[str] = frozenset()
    replaced: int = 0
    leaving: Mapping[str, int] = field(default_factory=dict)


class Engine:
    """Owns the pipeline: every call goes through `run`, one at a time."""

    def __init__(
        self, pipeline: Pipeline, feedback_topic: str, changed: Callable[[], bool] = lambda: False
    ) -> None:
        """``changed`` says whether the pipeline's settings are others now; it is asked before each batch."""
        self._pipeline = pipeline
        self._changed = changed
        self._feedback = feedback_topic
        self._levels = pipeline.settings.intake.default_levels
        self._silence = SilenceWatch(pipeline)
        self._retired: dict[str, int] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pipeline")
        self.process_ms = 0.0

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do ``work`` on the pipeline's thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))

    def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    @property
    def machines(self) -> int:
        """How many machines are watched here."""
        return self._pipeline.machines

    @property
    def retired(self) -> bool:
        """Whether machines were retired since the last checkpoint."""
        return bool(self._retired)

    # -- what runs on the thread

    def process(self, batch: Sequence[Chunk]) -> Results:
        """Readings, then verdicts. Raises whatever the pipeline raises, which is never for bad input."""
        began = time.perf_counter()
        items: list[Message | Rejection] = []
        verdicts: list[Message] = []
        for chunk in batch:
            if chunk.partition.topic == self._feedback:
                verdicts += self._messages(chunk.partition, chunk.records)
                items += _undecodable(chunk.records)
            else:
                items += self._items(chunk.partition, chunk.records)
        self._follow_settings()
        results = self._pipeline.process(items)
        for message in verdicts:
            self._verdict(message, results)
        self.process_ms = (time.perf_counter() - began) * 1000
        return results

    def _items(self, partition: PartitionState, records: Sequence[Any]) -> list[Message | Rejection]:
        """For the pipeline: those that made it fail are rejected, those replayed for others left out."""
        messages: list[Message | Rejection] = list(self._messages(partition, records))
        if partition.poison:
            messages = [
                _poisoned(message, partition.poison[message.offset])
                if isinstance(message, Message) and message.offset in partition.poison
                else message
                for message in messages
            ]
        return messages + _undecodable(records)

    def _messages(self, partition: PartitionState, records: Sequence[Any]) -> list[Message]:
        resume, behind = partition.resume, partition.behind
        if records[0].offset < resume:
            records = [r for r in records if r.offset >= resume or self._machine_of(r.key) in {None, *behind}]
        return list(messages_of(partition, records))

    def _machine_of(self, key: bytes | None) -> str | None:
        """The machine that a message is of whose key this is; None = its key does not tell."""
        if key is None:
            return None
        try:
            return machine_name(key.decode(), self._levels)
        except ValueError:
            return None

    def let_go(self) -> Results:
        """What has waited long enough for stragglers. To be asked when no message waits."""
        self._follow_settings()
        return self._pipeline.let_go(now_ms())

    def _follow_settings(self) -> None:
        if self._changed():
            self._pipeline.reconfigure()
            for machine, why in self._pipeline.relearning.items():
                log.warning(
                    "This machine learns again: its model does not fit the settings.",
                    machine=machine,
                    why=why,
                )

    def silent(self) -> Results:
        """Alarms of machines that have fallen silent; the end of those of machines that are long gone.

        To be asked when no message waits.
        """
        now = now_ms()
        results = self._silence.check(now)
        if self._silence.live:
            for machine in self._pipeline.long_gone(now):
                self._retire(machine, now, results)
                log.info("A machine is retired: nothing has come from it for long.", machine=machine)
        return results

    def _retire(self, machine: str, time: int, results: Results) -> None:
        self._retired[machine] = self._pipeline.partition_of(machine)
        results.alarms += self._pipeline.retire(machine, time).alarms

    def _verdict(self, message: Message, results: Results) -> None:
        try:
            if is_command(message.value):
                self._command(decode_command(message.value), message, results)
                return
            verdict = decode_verdict(message.value)
        except WireError as error:
            results.rejections.append(reject(message, Reason.WRONG_TYPE, f"{error} See docs/wire.md."))
            return
        if self._pipeline.partition_of(verdict.machine) not in (-1, message.partition):
            return  # a copy of it is in the partition that the machine's messages come from
        if not self._pipeline.feedback(verdict):
            log.info(
                "Nothing was learned from a verdict: its machine is not watched here, or it came before.",
                verdict=verdict.id,
                machine=verdict.machine,
            )

    def _command(self, command: MachineCommand, message: Message, results: Results) -> None:
        machine, here = command.machine, self._pipeline.partition_of(command.machine)
        if command.command is CommandKind.RETIRE:
            if here == message.partition:
                self._retire(machine, command.at, results)
                log.info("A machine is retired.", machine=machine, by=command.by)
        elif here == message.partition or (here == -1 and command.partition == message.partition):
            try:
                if self._pipeline.adopt_saved(command.snapshot, machine, message.partition):
                    log.info(
                        "A machine goes on with a model of another place.", machine=machine, by=command.by
                    )
            except SnapshotError as error:
                detail = f"The snapshot for {machine} cannot be used: {error}"
                results.rejections.append(reject(message, Reason.WRONG_TYPE, detail, machine=machine))

    def counts(self) -> dict[int, int]:
        """How many machines each partition has here."""
        return dict(Counter(self._pipeline.partition_of(machine) for machine in self._pipeline.names()))

    def rewind(self, partition: int) -> None:
        """The partition's topic begins again: its machines keep their models, and take what comes."""
        for machine in self._pipeline.names():
            if self._pipeline.partition_of(machine) == partition:
                self._pipeline.rewind(machine, -1, partition)

    def moving(self, before: int, now: int) -> dict[str, int]:
        """Machines that are here and whose messages go to another partition, when there are ``now``."""
        placed = {machine: self._pipeline.partition_of(machine) for machine in self._pipeline.names()}
        placed = {machine: partition for machine, partition in placed.items() if partition >= 0}
        homes = destinations(placed, before, now, self._levels)
        return {machine: home for machine, home in homes.items() if home != placed[machine]}

    def release(self, machines: Collection[str], partitions: Collection[int]) -> list[Dumped]:
        """Let go of those ``machines`` that are of these partitions; their last states."""
        dumped = []
        for machine in machines:
            partition = self._pipeline.partition_of(machine)
            if partition in partitions:
                dumped.append(self._dumped(machine, partition))
                self._pipeline.forget(machine)
        return dumped

    def dump_changed(self, partitions: frozenset[int]) -> list[Dumped]:
        """Snapshots of the machines of these partitions that changed since their last one.

        Of those that are retired since then, that they are gone.
        """
        gone = [
            Dumped(machine, partition, -1, None)
            for machine, partition in self._retired.items()
            if partition in partitions and self._pipeline.partition_of(machine) == -1
        ]
        self._retired = {m: p for m, p in self._retired.items() if p not in partitions}
        return gone + [
            self._dumped(machine, partition)
            for machine in self._pipeline.changed()
            if (partition := self._pipeline.partition_of(machine)) in partitions
        ]

    def _dumped(self, machine: str, partition: int) -> Dumped:
        return Dumped(machine, partition, self._pipeline.offset_of(machine), self._pipeline.dump(machine))

    def forget(self, partitions: frozenset[int]) -> None:
        """Let go of all machines of these partitions."""
        for machine in self._pipeline.names():
            if self._pipeline.partition_of(machine) in partitions:
                self._pipeline.forget(machine)

    def retain(self, partitions: frozenset[int]) -> None:
        """Let go of all machines but those of these partitions."""
        for machine in self._pipeline.names():
            if self._pipeline.partition_of(machine) not in partitions:
                self._pipeline.forget(machine)

    def restore(
        self,
        partition: int,
        found: Mapping[str, Sequence[Stored]],
        frames: TopicShape | None = None,
        end: int | None = None,
    ) -> Restored:
        """Take up each machine's newest snapshot that can be read; say how far back the others have to go.

        ``frames`` is the topic that is there now, ``end`` the offset of the partition's next message: the
        offset of a snapshot of another topic, or beyond the end, stands for nothing here.
        """
        replaced = 0
        fewer: dict[int, list[str]] = {}
        slots: dict[str, int] = {}
        behind: dict[str, int] = {}
        for machine, choices in found.items():
            for age, stored in enumerate(choices):
                try:
                    self._pipeline.restore(stored.data)
                except SnapshotError as error:
                    log.error(
                        "A snapshot cannot be used; the one before it is taken, and the readings since are "
                        "taken again.",
                        machine=machine,
                        partition=partition,
                        offset=stored.offset,
                        error=str(error),
                    )
                    continue
                slots[machine] = stored.slot
                other = bool(frames and stored.topic and stored.topic != frames.id)
                if frames is not None and end is not None and (other or stored.offset >= end):
                    self._pipeline.rewind(machine, -1, partition)
                    replaced += 1
                elif age:
                    behind[machine] = stored.offset + 1
                if frames is not None and 0 < stored.partitions < frames.partitions:
                    fewer.setdefault(stored.partitions, []).append(machine)
                break
            else:
                log.error(
                    "No snapshot of this machine can be used; its model is made again from all readings that "
                    "the topic still holds.",
                    machine=machine,
                    partition=partition,
                )
                behind[machine] = 0
        leaving: dict[str, int] = {}
        for before, machines in fewer.items():
            assert frames is not None  # noqa: S101 - or nobody would know that there were fewer
            homes = destinations(dict.fromkeys(machines, partition), before, frames.partitions, self._levels)
            leaving.update({machine: home for machine, home in homes.items() if home != partition})
        return Restored(
            len(slots),
            slots,
            min(behind.values()) if behind else None,
            frozenset(behind),
            replaced,
            leaving,
        )


def _undecodable(records: Sequence[Any]) -> list[Rejection]:
    """Batches that nobody can decode, whole: the bytes as they lie in the topic."""
    return [
        Rejection(
            Reason.BATCH,
            f"{r.topic}, partition {r.partition}: a {r.key.decode()}. None of its messages can be read. Look "
            "at the producer's compression and library; the bytes kept here are the batch as Kafka holds it.",
            r.value,
            r.timestamp,
            topic=r.topic,
            partition=r.partition,
            offset=r.offset,
        )
        for r in records
        if isinstance(r, UndecodableBatch)
    ]


def _poisoned(message: Message, error: str) -> Rejection:
    return reject(
        message,
        Reason.INTERNAL,
        f"Yeji itself failed on this message: {error}. Please report it with the message's bytes.",
    )
