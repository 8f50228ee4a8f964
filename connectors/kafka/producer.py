"""Readings to Kafka: keyed by machine, acknowledged by all replicas, never more in flight than agreed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError as ClientError

from connectors.kafka.errors import KafkaError
from connectors.kafka.outgoing import rejected_records
from connectors.kafka.security import client_options
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import FRAME_BYTES
from pipeline.records import Frame, Message, Rejection
from pipeline.wire.readings import encode_frame

#: This many bytes may wait for their acknowledgement before `send` waits too.
IN_FLIGHT = 16 << 20


class _Named(msgspec.Struct):
    machine: str


_machine_of = msgspec.json.Decoder(_Named).decode


class FrameProducer:
    """Sends what a source gives. Raises `KafkaError` when the brokers cannot be reached or refuse."""

    def __init__(self, settings: KafkaSettings, readings: int = 200, in_flight: int = IN_FLIGHT) -> None:
        self._settings = settings
        self._readings = readings
        self._most = in_flight
        self._waiting = 0
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self.sent = self.acknowledged = self.failed = self.rejected = 0
        try:
            self._producer = KafkaProducer(
                **client_options(settings),
                client_id="yeji-produce",
                acks="all",
                enable_idempotence=True,
                linger_ms=20,
                batch_size=256 << 10,
                max_request_size=2 * FRAME_BYTES,
                bootstrap_timeout_ms=10_000,
                allow_auto_create_topics=False,
            )
        except (ClientError, OSError, ValueError) as error:
            raise KafkaError(
                f"Kafka at {settings.brokers} cannot be used: {_text(error)}. Start it, or correct "
                "kafka.brokers and kafka.security."
            ) from error

    def send(self, item: Frame | Message | Rejection) -> int:
        """Send one item; returns how many readings went. Waits while too much is on its way.

        Frames are cut into messages of at most ``readings`` readings. Raises `KafkaError` when an earlier
        message could not be delivered.
        """
        if isinstance(item, Rejection):
            for record in rejected_records([item], self._settings.rejected):
                self._send(record.topic, record.key, record.value or b"", list(record.headers))
            self.rejected += 1
            return 0
        if isinstance(item, Message):
            self._send(self._settings.frames, item.key or _key_of(item.value), item.value)
            return 1
        key = item.machine.encode()
        for part in cut(item, self._readings):
            self._send(self._settings.frames, key, encode_frame(part))
        return len(item)

    def _send(
        self, topic: str, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]] | None = None
    ) -> None:
        size = len(value)
        with self._changed:
            while self._waiting and self._waiting + size > self._most and self._failure is None:
                self._changed.wait(1.0)
            self._raise_failure()
            self._waiting += size
        try:
            future = self._producer.send(topic, value, key=key, headers=headers)
        except (ClientError, OSError) as error:
            self._done(size, error)
            self._raise_failure()
            return
        self.sent += 1
        future.add_callback(lambda _: self._done(size, None))
        future.add_errback(lambda error: self._done(size, error))

    def _done(self, size: int, error: BaseException | None) -> None:
        with self._changed:
            self._waiting -= size
            if error is None:
                self.acknowledged += 1
            else:
                self.failed += 1
                self._failure = self._failure or error
            self._changed.notify_all()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise KafkaError(
                f"{self.failed} messages were not delivered, {self.acknowledged} were: "
                f"{_text(self._failure)}. "
                f"Is the topic there (`yeji topics`), and are the brokers at {self._settings.brokers} up? "
                "Sending the same readings again does no harm."
            ) from self._failure

    def flush(self) -> None:
        """Return when everything is acknowledged. Raises `KafkaError` when something was not delivered."""
        try:
            self._producer.flush()
        except ClientError as error:
            self._failure = self._failure or error
        with self._changed:
            while self._waiting and self._failure is None:
                self._changed.wait(1.0)
            self._raise_failure()

    def close(self) -> None:
        """Close the connection; what is on its way gets ten seconds."""
        self._producer.close(timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self.close()


def cut(frame: Frame, most: int) -> Iterator[Frame]:
    """The frame in pieces of at most ``most`` readings."""
    if len(frame) <= most:
        yield frame
        return
    for at in range(0, len(frame), most):
        part = slice(at, at + most)
        yield Frame(frame.machine, frame.time[part], frame.sensors, frame.values[part])


def _key_of(value: bytes) -> bytes | None:
    """The machine that a message names; None when it names none: the worker says what is wrong with it."""
    try:
        return _machine_of(value).machine.encode() or None
    except (msgspec.DecodeError, UnicodeError):
        return None


def _text(error: Any) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
