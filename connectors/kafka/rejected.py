"""The topic of rejected input as it is read: what was rejected, and which of it was taken again."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError as ClientError

from connectors.kafka.errors import KafkaError
from connectors.kafka.outgoing import Record
from connectors.kafka.security import client_options
from connectors.kafka.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class Rejected:
    """One rejection. ``message`` names the message: several rejections may be of one.

    ``at`` (ms UTC): when it was rejected; ``received``: when the message came. ``value``: the message's
    bytes, None where another of its rejections has them. ``size``: how long the message was, when only its
    beginning is kept.
    """

    message: str
    at: int
    reason: str
    detail: str
    machine: str
    sensor: str
    readings: int
    received: int
    topic: str
    partition: int
    offset: int
    value: bytes | None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class TakenAgain:
    """The journal's entry of a message that was sent again. ``how``: through what, as the mapping's file."""

    message: str
    at: int
    by: str
    records: int
    readings: int
    how: str


def read_rejected(settings: KafkaSettings, since: int = 0) -> Iterator[Rejected | TakenAgain]:
    """All that the topic holds from ``since`` (ms UTC) on to its end; within a partition in order.

    What a transaction did not commit is left out. Raises `KafkaError`.
    """
    try:
        yield from _read(settings, since)
    except (ClientError, OSError) as error:
        raise KafkaError(
            f"{settings.rejected} at {settings.brokers} cannot be read: {type(error).__name__}: {error}."
        ) from error


def taken_record(settings: KafkaSettings, taken: TakenAgain) -> Record:
    """The journal's entry as it stands in the topic of rejected input."""
    texts = {
        "taken": taken.message,
        "at": str(taken.at),
        "by": taken.by,
        "records": str(taken.records),
        "readings": str(taken.readings),
        "how": taken.how,
    }
    headers = tuple((name, text.encode()) for name, text in texts.items())
    return Record(settings.rejected, f"{taken.message}/taken".encode(), b"", headers)


def _read(settings: KafkaSettings, since: int) -> Iterator[Rejected | TakenAgain]:
    consumer: Any = KafkaConsumer(
        **client_options(settings),
        client_id="yeji-rejected",
        isolation_level="read_committed",
        enable_auto_commit=False,
        max_partition_fetch_bytes=20_000_000,
        fetch_max_bytes=50_000_000,
    )
    try:
        parts = [
            TopicPartition(settings.rejected, number)
            for number in sorted(consumer.partitions_for_topic(settings.rejected) or ())
        ]
        consumer.assign(parts)
        ends = consumer.end_offsets(parts)
        consumer.seek_to_beginning(*parts)
        if since:
            for tp, found in consumer.offsets_for_times(dict.fromkeys(parts, since)).items():
                consumer.seek(tp, found.offset if found else ends[tp])
        while any(consumer.position(tp) < ends[tp] for tp in parts):
            for records in consumer.poll(timeout_ms=500).values():
                for record in records:
                    if record.offset < ends[TopicPartition(record.topic, record.partition)]:
                        yield _decoded(record)
    finally:
        consumer.close()


def _decoded(record: Any) -> Rejected | TakenAgain:
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}

    def number(name: str, default: int) -> int:
        try:
            return int(headers[name])
        except (KeyError, ValueError):
            return default

    if "taken" in headers:
        return TakenAgain(
            headers["taken"],
            number("at", record.timestamp),
            headers.get("by", ""),
            number("records", 0),
            number("readings", 0),
            headers.get("how", ""),
        )
    key, value = (record.key or b"").decode("utf-8", "replace"), record.value or b""
    message = (headers.get("original") or key).rpartition("/")[0]
    if number("offset", -1) < 0:  # of no topic of Kafka: its place alone does not tell it from others
        message += f"+{zlib.crc32(value):08x}"
    return Rejected(
        message,
        record.timestamp,
        headers.get("reason", ""),
        headers.get("detail", ""),
        headers.get("machine", ""),
        headers.get("sensor", ""),
        number("readings", 0),
        number("received", record.timestamp),
        headers.get("topic", ""),
        number("partition", 0),
        number("offset", -1),
        None if "original" in headers else value,
        number("truncated-from", 0) or None,
    )
