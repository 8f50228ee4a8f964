"""Follow `maintenance.alerts` and annotate every alarm; what Grafana did not take is given again."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError as ClientError
from kafka.structs import OffsetAndMetadata

from connectors.grafana.annotate import annotate
from connectors.grafana.client import Grafana, GrafanaError
from connectors.kafka.errors import KafkaError
from connectors.kafka.security import client_options
from connectors.kafka.settings import KafkaSettings
from pipeline.wire.alerts import WireError, decode_alert

log = structlog.get_logger(__name__)

POLL_MS = 500
REACH_MS = 10_000  # how long the brokers are tried for at the start
LONGEST_PAUSE = 30.0  # seconds; well under the time after which Kafka gives the partitions away


class AlarmFollower:
    """Reads the alerts as a consumer group of its own; offsets are committed after Grafana has answered.

    So an alarm may be given to Grafana twice, which changes nothing (`annotate`), and is never left out.
    """

    def __init__(
        self, settings: KafkaSettings, grafana: Grafana, *, pause: Callable[[float], None] = sleep
    ) -> None:
        self._grafana = grafana
        self._pause = pause
        self._topic = settings.alerts
        self.annotated = 0
        try:
            self._consumer = KafkaConsumer(
                settings.alerts,
                **client_options(settings),
                group_id=f"{settings.group}-grafana",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                client_id="yeji-grafana",
                bootstrap_timeout_ms=REACH_MS,
            )
        except (ClientError, OSError) as error:
            raise KafkaError(
                f"Kafka at {settings.brokers} does not answer ({error}). Start it, or correct kafka.brokers."
            ) from error

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Annotate until told to stop; Grafana's absence is waited out."""
        pause = 1.0
        while not until():
            batch = self._consumer.poll(timeout_ms=POLL_MS, max_records=100)
            try:
                for partition, records in batch.items():
                    self._take(partition, records)
                pause = 1.0
            except GrafanaError as error:
                log.warning("grafana does not take annotations; trying again", error=str(error), after=pause)
                for partition, records in batch.items():
                    self._consumer.seek(partition, records[0].offset)
                self._pause(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def run_to_end(self, patience: float = 60.0) -> None:
        """Annotate what is in the topic now. Raises GrafanaError; KafkaError after ``patience`` s."""
        deadline = monotonic() + patience
        ends: dict[TopicPartition, int] = {}
        while not ends or any(self._consumer.position(part) < end for part, end in ends.items()):
            for partition, records in self._consumer.poll(timeout_ms=POLL_MS, max_records=100).items():
                self._take(partition, records)
            if not ends and self._consumer.assignment():
                ends = self._consumer.end_offsets(list(self._consumer.assignment()))
            if monotonic() > deadline:
                raise KafkaError(
                    f"The end of {self._topic} was not reached in {patience:.0f} s. "
                    "See whether the topic exists (`yeji topics`) and its partitions have leaders."
                )

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _take(self, partition: TopicPartition, records: list[Any]) -> None:
        for record in records:
            if record.value is not None:  # None: compaction removed the alarm
                self._annotate(record)
        if records:
            self._consumer.commit({partition: OffsetAndMetadata(records[-1].offset + 1, "", -1)})

    def _annotate(self, record: Any) -> None:
        try:
            event = decode_alert(record.value)
        except WireError as error:
            log.error("not an alert", topic=record.topic, offset=record.offset, error=str(error))
            return
        self.annotated += annotate(self._grafana, event)
