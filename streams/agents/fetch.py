"""What one fetch returned: the event that the agents of a Kafka topic are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.kafka.batches import ControlMark, UndecodableBatch
from pipeline.records import Frame, Message
from pipeline.wire.readings import Limits, decode
from streams.agents.partition_state import PartitionState, Phase


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records of one partition, in order, as aiokafka returns them; never empty.

    ``generation`` is the partition's when they were fetched.
    """

    partition: PartitionState
    records: Sequence[Any]
    generation: int = 0

    @property
    def current(self) -> bool:
        """Whether the partition has neither been revoked nor gone back since."""
        return self.partition.phase is Phase.READY and self.partition.generation == self.generation

    @property
    def first(self) -> int:
        """The first record's offset."""
        offset: int = self.records[0].offset
        return offset

    @property
    def next(self) -> int:
        """The offset after the last record's."""
        offset: int = self.records[-1].offset
        return offset + 1

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return sum(len(record.value) for record in self.records if record.value)

    def split(self, count: int) -> tuple[Chunk, Chunk]:
        """The first ``count`` records, and the others."""
        return (
            Chunk(self.partition, self.records[:count], self.generation),
            Chunk(self.partition, self.records[count:], self.generation),
        )


@dataclass(frozen=True, slots=True)
class Fetch:
    """The records of one topic that one fetch returned, by partition.

    ``limits``: what one message may hold.
    """

    topic: str
    chunks: Sequence[Chunk]
    limits: Limits

    def __len__(self) -> int:
        return sum(len(chunk.records) for chunk in self.chunks)

    def messages(self) -> Iterator[Message]:
        """Each record: its bytes, key, time of receipt (ms), topic, partition and offset."""
        for chunk in self.chunks:
            yield from messages_of(chunk.partition, chunk.records)

    def frames(self) -> Iterator[Frame]:
        """The readings, decoded. What cannot be decoded is left out: the agent `readings` rejects it."""
        for message in self.messages():
            frame, _ = decode(message, self.limits)
            if frame is not None:
                yield frame


def messages_of(partition: PartitionState, records: Sequence[Any]) -> Iterator[Message]:
    """The messages among aiokafka's records: no marks of transactions, no batches that nobody can decode."""
    topic, number = partition.topic, partition.partition
    for r in records:
        if not isinstance(r, ControlMark | UndecodableBatch):
            yield Message(r.value or b"", r.timestamp, r.key, topic, number, r.offset)
