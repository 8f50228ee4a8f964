"""The worker's sending: many records under way at once, all of them on the brokers when it returns."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import structlog
from aiokafka.errors import KafkaError as ClientError
from aiokafka.errors import MessageSizeTooLargeError
from faust.exceptions import ProducerSendError

from connectors.base.contract import SinkUnavailableError
from connectors.kafka.outgoing import Record

log = structlog.get_logger()

#: How many sends may be under way at once.
_WINDOW = 500
#: What is kept of input that even `telemetry.rejected` cannot take whole.
_CUT = 500_000


class Producer(Protocol):
    """What is used of Faust's producer."""

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: Any,
    ) -> Any:
        """Schedule a message; returns a future of its delivery."""


async def send_all(producer: Producer, records: Iterable[Record]) -> None:
    """Return when every record is on the brokers. Raises `SinkUnavailableError`: send all of them again."""
    window: list[Record] = []
    for record in records:
        window.append(record)
        if len(window) >= _WINDOW:
            await _send_window(producer, window)
            window = []
    await _send_window(producer, window)


async def _send_window(producer: Producer, window: Sequence[Record]) -> None:
    if not window:
        return
    sent = [await _schedule(producer, record) for record in window]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    for record, outcome in zip(window, outcomes, strict=True):
        if outcome is None or not isinstance(outcome, BaseException):
            continue
        if isinstance(outcome, MessageSizeTooLargeError) or _too_large(outcome):
            await _send_cut(producer, record, outcome)
        elif isinstance(outcome, ClientError | ProducerSendError | OSError):
            raise _unavailable(record, outcome) from outcome
        else:
            raise outcome


async def _schedule(producer: Producer, record: Record) -> Any:
    try:
        return await producer.send(
            record.topic, record.key, record.value, record.partition, None, list(record.headers)
        )
    except ProducerSendError as error:
        if _too_large(error):
            return _failed(error)
        raise _unavailable(record, error) from error
    except (ClientError, OSError) as error:
        raise _unavailable(record, error) from error


def _failed(error: BaseException) -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future


def _too_large(error: BaseException) -> bool:
    return isinstance(error, MessageSizeTooLargeError) or isinstance(
        error.__cause__, MessageSizeTooLargeError
    )


async def _send_cut(producer: Producer, record: Record, error: BaseException) -> None:
    """Keep at least the beginning of a record that the topic is too narrow for."""
    if len(record.value or b"") <= _CUT:
        raise _unavailable(record, error) from error
    log.error(
        "A record is larger than its topic takes: only its beginning is kept. Run `yeji topics` to raise "
        "max.message.bytes.",
        topic=record.topic,
        key=record.key.decode(errors="replace"),
        bytes=len(record.value or b""),
        kept=_CUT,
    )
    size = ("truncated-from", b"%d" % len(record.value or b""))
    cut = replace(record, value=(record.value or b"")[:_CUT], headers=(*record.headers, size))
    await _send_window(producer, [cut])


def _unavailable(record: Record, error: BaseException) -> SinkUnavailableError:
    return SinkUnavailableError(
        f"Kafka does not take a record for {record.topic}: {type(error).__name__}: "
        f"{' '.join(str(error).split())[:200]}. It is sent again; check the brokers and run `yeji topics`."
    )
