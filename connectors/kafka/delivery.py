"""Single records to Kafka, each with word of its own when all replicas have it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError as ClientError
from kafka.errors import MessageSizeTooLargeError, RecordListTooLargeError

from connectors.kafka.errors import KafkaError
from connectors.kafka.outgoing import Record
from connectors.kafka.security import client_options
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import FRAME_BYTES

#: Called with None when the record is safe, else with the error that it failed with.
Done = Callable[[BaseException | None], None]


class RecordTooLargeError(KafkaError):
    """No broker takes a record of this size: trying again does not help."""


class RecordDelivery:
    """One connection to the brokers. Raises `KafkaError` when none answers within ``patience`` seconds."""

    def __init__(self, settings: KafkaSettings, patience: float, client_id: str = "yeji-connect") -> None:
        try:
            self._producer = KafkaProducer(
                **client_options(settings),
                client_id=client_id,
                acks="all",
                enable_idempotence=True,
                linger_ms=5,
                batch_size=256 << 10,
                max_request_size=2 * FRAME_BYTES,
                bootstrap_timeout_ms=round(patience * 1000),
                max_block_ms=round(patience * 1000),
                allow_auto_create_topics=False,
            )
        except (ClientError, OSError, ValueError) as error:
            raise KafkaError(
                f"Kafka at {settings.brokers} cannot be used: {_text(error)}. Start it, or correct "
                "kafka.brokers and kafka.security."
            ) from error

    def send(self, record: Record, done: Done) -> None:
        """Send a record; ``done`` is called from another thread. Raises `KafkaError` when it cannot."""
        try:
            future = self._producer.send(
                record.topic,
                record.value,
                key=record.key or None,
                headers=list(record.headers),
                partition=record.partition,
            )
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            raise RecordTooLargeError(_text(error)) from error
        except (ClientError, OSError, AssertionError) as error:
            raise KafkaError(_text(error)) from error
        future.add_callback(lambda _: done(None))
        future.add_errback(lambda error: done(_told(error)))

    def close(self) -> None:
        """Give up what is on its way, in a thread of its own: it takes a while when brokers are away."""
        threading.Thread(target=self._close, name="kafka-close", daemon=True).start()

    def _close(self) -> None:
        self._producer.close(timeout=1)


def _told(error: Any) -> KafkaError:
    if isinstance(error, (MessageSizeTooLargeError, RecordListTooLargeError)):
        return RecordTooLargeError(_text(error))
    return KafkaError(_text(error))


def _text(error: Any) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
