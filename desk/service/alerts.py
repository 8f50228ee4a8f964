"""Alarms from Kafka to the desk: each partition's offset is kept with what it brought, in one transaction."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError as ClientError

from connectors.kafka.errors import KafkaError
from connectors.kafka.security import client_options
from connectors.kafka.settings import KafkaSettings
from desk.service.desk import Desk
from pipeline.records import AlarmEvent
from pipeline.wire.alerts import WireError, decode_alert

log = structlog.get_logger(__name__)
#: Seconds between looks for new partitions.
_LOOK = 60.0


class AlertReader:
    """Reads `maintenance.alerts` from where the desk's store stands; the first time, from the beginning.

    Offsets live in the desk's own file, not with the brokers: an event and its offset are taken in
    together or not at all. Raises `KafkaError` when the brokers cannot be reached.
    """

    def __init__(self, settings: KafkaSettings, desk: Desk) -> None:
        self.topic, self.desk = settings.alerts, desk
        try:
            self._consumer = KafkaConsumer(
                **client_options(settings),
                client_id="yeji-desk",
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
            )
            self._assigned: set[int] = set()
            self._look_again = 0.0
            self._assign()
        except (ClientError, OSError, ValueError) as error:
            raise KafkaError(
                f"Kafka at {settings.brokers} cannot be used: {type(error).__name__}: {error}. Start it, or "
                "correct kafka.brokers and kafka.security."
            ) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()

    def _assign(self) -> None:
        """Take up every partition of the topic where the store stands; ones that are new are found so too."""
        self._consumer.topics()  # asks the brokers; what the client remembers may be minutes old
        partitions = set(self._consumer.partitions_for_topic(self.topic) or ())
        self._look_again = time.monotonic() + (_LOOK if partitions else 1.0)
        if not partitions:
            log.warning("the topic of alarms is not there; `yeji topics` creates it", topic=self.topic)
        if partitions == self._assigned:
            return
        self._consumer.assign([TopicPartition(self.topic, one) for one in sorted(partitions)])
        with self.desk.store.reading() as r:
            kept = r.offsets(self.topic)
        for partition in sorted(partitions):
            if partition in kept:
                self._consumer.seek(TopicPartition(self.topic, partition), kept[partition] + 1)
            else:
                self._consumer.seek_to_beginning(TopicPartition(self.topic, partition))
        self._assigned = partitions

    def read(self, timeout: float = 1.0) -> int:
        """Take in what there is, waiting ``timeout`` seconds for the first; returns how many messages."""
        if time.monotonic() >= self._look_again:
            self._assign()
        if not self._assigned:
            threading.Event().wait(timeout)
            return 0
        found = self._consumer.poll(timeout_ms=round(timeout * 1000), max_records=2000)
        events: list[AlarmEvent] = []
        offsets: dict[tuple[str, int], int] = {}
        for place, records in found.items():
            for record in records:
                offsets[self.topic, place.partition] = record.offset
                if record.value is not None:  # None = the log was told to forget this alarm
                    events += self._decoded(record.value, place.partition, record.offset)
        if offsets:
            self.desk.receive(events, offsets)
        return sum(map(len, found.values()))

    def _decoded(self, value: bytes, partition: int, offset: int) -> Iterable[AlarmEvent]:
        try:
            return (decode_alert(value),)
        except WireError as error:
            log.error("an alarm cannot be read", partition=partition, offset=offset, why=str(error))
            return ()
