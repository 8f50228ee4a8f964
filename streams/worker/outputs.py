"""What the worker publishes on Kafka: alarms, rejected input, scores. Each record's key is its id."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import msgspec
import structlog
from aiokafka.errors import KafkaError as ClientError
from aiokafka.errors import MessageSizeTooLargeError
from faust.exceptions import ProducerSendError

from connectors.base import SinkUnavailableError
from streams.alert_wire import encode_alert
from streams.records import Rejection, Results, Scored
from streams.settings import KafkaSettings

log = structlog.get_logger()
_encode = msgspec.json.Encoder().encode

#: How many sends may be under way at once.
_WINDOW = 500
#: What is kept of input that even `telemetry.rejected` cannot take whole.
_CUT = 500_000


@dataclass(frozen=True, slots=True)
class Record:
    """One message to be sent; ``partition`` None = by its key."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


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
        """Schedule a message; gives a future of its delivery."""


def output_records(results: Results, settings: KafkaSettings) -> Iterator[Record]:
    """Everything of ``results`` that goes to Kafka."""
    for alarm in results.alarms:
        yield Record(settings.alerts, alarm.id.encode(), encode_alert(alarm))
    yield from rejected_records(results.rejections, settings.rejected)
    if settings.scores is not None:
        for scored in results.scored:
            yield Record(settings.scores, scored.machine.encode(), encode_scores(scored))


def rejected_records(rejections: Iterable[Rejection], topic: str) -> Iterator[Record]:
    """Rejected input: the original bytes as value, everything else in headers (docs/bad-input.md).

    The key names the message and counts its rejections, so that a replay gives the same keys.
    """
    counts: dict[tuple[str, int, int], int] = {}
    for one in rejections:
        origin = (one.topic, one.partition, one.offset)
        number = counts[origin] = counts.get(origin, -1) + 1
        headers = {
            "reason": one.reason.value,
            "detail": one.detail,
            "machine": one.machine,
            "sensor": one.sensor,
            "readings": str(one.readings),
            "received": str(one.received),
            "topic": one.topic,
            "partition": str(one.partition),
            "offset": str(one.offset),
        }
        yield Record(
            topic,
            f"{one.topic}/{one.partition}/{one.offset}/{number}".encode(),
            one.original,
            tuple(
                (name, text.encode("utf-8", "replace")) for name, text in headers.items() if text is not None
            ),
        )


def encode_scores(scored: Scored) -> bytes:
    """Scores of one machine in columns; NaN (still learning) is null."""
    return _encode(
        {
            "machine": scored.machine,
            "class": scored.machine_class,
            "time": scored.time.tolist(),
            "score": scored.score.tolist(),
            "health": scored.health.tolist(),
            "state": scored.state.tolist(),
        }
    )


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
    if len(record.value) <= _CUT:
        raise _unavailable(record, error) from error
    log.error(
        "A record is larger than its topic takes: only its beginning is kept. Run `yeji topics` to raise "
        "max.message.bytes.",
        topic=record.topic,
        key=record.key.decode(errors="replace"),
        bytes=len(record.value),
        kept=_CUT,
    )
    size = ("truncated-from", b"%d" % len(record.value))
    cut = replace(record, value=record.value[:_CUT], headers=(*record.headers, size))
    await _send_window(producer, [cut])


def _unavailable(record: Record, error: BaseException) -> SinkUnavailableError:
    return SinkUnavailableError(
        f"Kafka does not take a record for {record.topic}: {type(error).__name__}: "
        f"{' '.join(str(error).split())[:200]}. It is sent again; check the brokers and run `yeji topics`."
    )
