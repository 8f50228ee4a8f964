"""Readings from Kafka topics that are there already: payloads by mapping, offsets when readings are safe."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError as ClientError

from connectors.base.contract import Item, Source, SourceStatus
from connectors.base.gather import gathered
from connectors.kafka.avro import AvroError, AvroReader
from connectors.kafka.errors import KafkaError
from connectors.kafka.security import client_options
from connectors.kafka.topic_settings import KafkaTopicSettings
from connectors.mapping.mapping import Mapping
from pipeline.records import Frame, Message, Reason
from pipeline.wire.readings import reject

_POLL_MS = 200
Offsets = dict[TopicPartition, int]


class KafkaTopicSource(Source):
    """Reads as a member of a consumer group. Offsets are committed when the readings before them are durable.

    Raises `KafkaError` while iterating when the brokers cannot be reached.
    """

    can_wait = True
    status: SourceStatus

    def __init__(self, name: str, settings: KafkaTopicSettings) -> None:
        self.name, self._settings = name, settings
        self.status = SourceStatus()
        self._mapping = Mapping(settings.mapping, source=name)
        self._avro = AvroReader(settings.registry) if settings.values == "avro" else None
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._given = 0
        self._durable = 0
        self._read: deque[tuple[int, Offsets]] = deque()

    def __iter__(self) -> Iterator[Item]:
        consumer = self._connect()
        try:
            while not self._closed.is_set():
                polled = consumer.poll(timeout_ms=_POLL_MS, max_records=self._settings.gather.arrivals)
                self.status.connected, self.status.detail = True, ""
                offsets: Offsets = {}
                records = []
                for part, some in polled.items():
                    records += some
                    offsets[part] = some[-1].offset + 1
                for item in self._items(records):
                    self._given += 1
                    yield item
                if offsets:
                    with self._lock:
                        self._read.append((self._given, offsets))
                self._commit(consumer)
            self._commit(consumer)
        except ClientError as error:
            raise KafkaError(f"{self._settings.cluster.brokers}: {type(error).__name__}: {error}") from error
        finally:
            self.status.connected = False
            consumer.close(autocommit=False)

    def _connect(self) -> Any:
        settings = self._settings
        try:
            consumer = KafkaConsumer(
                **client_options(settings.cluster.connection()),
                group_id=settings.group,
                enable_auto_commit=False,
                auto_offset_reset=settings.begin,
                client_id=f"yeji-{self.name}",
                allow_auto_create_topics=False,
                bootstrap_timeout_ms=10_000,
            )
        except (ClientError, OSError, ValueError) as error:
            self.status.detail = (
                f"Kafka at {settings.cluster.brokers} cannot be used: {type(error).__name__}: {error}. "
                "Start it, or correct cluster.brokers and cluster.security."
            )
            raise KafkaError(self.status.detail) from error
        consumer.subscribe(topics=settings.topics)
        return consumer

    def _items(self, records: list[Any]) -> list[Item]:
        frames: list[Frame] = []
        rejected: list[Item] = []
        for record in records:
            if record.value is None:
                continue  # the mark of a deletion
            key = (record.key or b"").decode("utf-8", "replace")
            topic = f"{record.topic}/{key}" if key else record.topic
            payload: Any = record.value
            if self._avro is not None:
                try:
                    payload = self._avro.read(record.value)
                except AvroError as error:
                    origin = Message(
                        record.value,
                        record.timestamp,
                        record.key,
                        record.topic,
                        record.partition,
                        record.offset,
                    )
                    rejected.append(reject(origin, Reason.NOT_AVRO, str(error)))
                    continue
            mapped = self._mapping.apply(payload, topic, record.timestamp)
            frames += mapped.frames
            rejected += mapped.rejections
        self.status.arrivals += len(records)
        whole = gathered(frames)
        self.status.readings += sum(len(frame) for frame in whole)
        self.status.rejected += len(rejected)
        return [*whole, *rejected]

    def durable(self, count: int) -> None:
        """What was read up to here may be committed: the iterating thread does."""
        with self._lock:
            self._durable = max(self._durable, count)

    def _commit(self, consumer: Any) -> None:
        due: Offsets = {}
        with self._lock:
            while self._read and self._read[0][0] <= self._durable:
                due |= self._read.popleft()[1]
        if due:
            consumer.commit({part: OffsetAndMetadata(offset, "", -1) for part, offset in due.items()})

    def close(self) -> None:
        """End after the records that are being read."""
        self._closed.set()
