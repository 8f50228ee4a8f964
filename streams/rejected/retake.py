"""Sends rejected messages again once what was wrong is mended: each at most once, with a journal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError as ClientError

from connectors.base.clock import now_ms
from connectors.kafka.errors import KafkaError
from connectors.kafka.frames import item_records, key_of
from connectors.kafka.outgoing import Record, rejected_records
from connectors.kafka.rejected import Rejected, TakenAgain, taken_record
from connectors.kafka.security import client_options
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import FRAME_BYTES
from connectors.mapping.mapping import Mapping as PayloadMapping
from pipeline.admission.admission import limits_of
from pipeline.records import Message, Reason
from pipeline.wire.readings import decode
from streams.rejected.archive import chosen, originals
from streams.rejected.choice import Choice, journal
from streams.settings import Settings

_Prepared = tuple[TakenAgain, list[Record]]
#: Messages in one transaction of Kafka.
_AT_ONCE = 200
#: Readings of one message, where a mapping makes several of a payload.
_READINGS = 200


@dataclass(slots=True)
class Retaken:
    """``taken``: messages that were sent again now; ``before``: that were earlier; ``left_out``: and why."""

    taken: list[TakenAgain]
    before: list[str]
    left_out: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Mended:
    """What stands in for the way that a message came: a mapping with its name, or bytes mended by hand."""

    mapping: PayloadMapping | None = None
    name: str = ""
    values: Mapping[str, bytes] | None = None


def retake(
    settings: Settings, choice: Choice, by: str, mended: Mended | None = None, *, dry: bool = False
) -> Retaken:
    """Send again the messages that are meant and can be taken now; ``dry`` = only tell which.

    A message and the journal's entry of it are one transaction of Kafka, and only one such command can write
    at a time: whatever ends one, nothing is sent twice. Raises `KafkaError`.
    """
    mended = mended or Mended()
    kafka = settings.kafka
    producer = None if dry else _producer(kafka)
    done = Retaken([], [], [])
    try:
        if producer is not None:
            producer.init_transactions()  # from here on, whoever else had begun cannot commit any more
        taken = journal(kafka)
        wanted = chosen(kafka, choice)
        done.before = [message for message in wanted if message in taken]
        left = {message: one for message, one in wanted.items() if message not in taken}
        for some in _in_parts(_prepared(settings, left, by, mended, done)):
            if producer is not None:
                _send(producer, kafka, some)
            done.taken += [entry for entry, _ in some]
    except (ClientError, OSError) as error:
        raise KafkaError(
            f"{len(done.taken)} messages were taken again, then Kafka at {kafka.brokers} failed: "
            f"{type(error).__name__}: {error}. Give the command again: what was taken is not taken twice."
        ) from error
    finally:
        if producer is not None:
            producer.close(timeout=10)
    return done


def _in_parts(prepared: Iterator[_Prepared]) -> Iterator[list[_Prepared]]:
    while some := list(islice(prepared, _AT_ONCE)):
        yield some


def _prepared(
    settings: Settings, messages: Mapping[str, Rejected], by: str, mended: Mended, done: Retaken
) -> Iterator[_Prepared]:
    seen = set()
    for original in originals(settings.kafka, messages):
        seen.add(original.message)
        original = replace(original, reason=messages[original.message].reason)
        if mended.values is not None and original.message in mended.values:
            original = replace(original, value=mended.values[original.message], size=None)
            records = (
                _mapped(settings.kafka, original, mended) if mended.mapping else _as_it_is(settings, original)
            )
        else:
            records = _cannot(settings.kafka, original) or _again(settings, original, mended)
        if isinstance(records, str):
            done.left_out.append((original.message, records))
            continue
        count = sum(record.topic == settings.kafka.frames for record in records)
        readings = sum(_readings_in(settings, record) for record in records)
        yield TakenAgain(original.message, now_ms(), by, count, readings, mended.name), records
    done.left_out += [
        (message, "its bytes are not in the topic any more") for message in messages if message not in seen
    ]


def _cannot(settings: KafkaSettings, one: Rejected) -> str:
    """Why a message cannot be sent again as it is; "" = it can."""
    if not one.value:
        return "nothing of it was kept"
    if one.size is not None:
        return (
            f"only the first {len(one.value)} of its {one.size} bytes were kept: let its sender send it again"
        )
    if one.reason == Reason.BATCH:
        return "a whole batch that cannot be decoded: let its producer send it again"
    if one.reason == Reason.DUPLICATE:
        return "the first value of that time was taken: there is nothing to mend"
    if one.topic == settings.feedback:
        return f"it came on {settings.feedback}: it is no reading"
    return ""


def _again(settings: Settings, one: Rejected, mended: Mended) -> list[Record] | str:
    if mended.mapping is not None or one.topic != settings.kafka.frames:
        return _mapped(settings.kafka, one, mended)
    return _as_it_is(settings, one)


def _as_it_is(settings: Settings, one: Rejected) -> list[Record] | str:
    assert one.value is not None  # noqa: S101 - `originals` yields those that have their bytes
    key = key_of(one.value) or one.machine.encode()
    frame, rejections = decode(Message(one.value, one.received, key), limits_of(settings))
    if frame is None:
        return f"still: {rejections[0].reason.value}: {rejections[0].detail}" if rejections else "still empty"
    return [Record(settings.kafka.frames, key, one.value)]


def _mapped(settings: KafkaSettings, one: Rejected, mended: Mended) -> list[Record] | str:
    assert one.value is not None  # noqa: S101
    mapping = mended.mapping or PayloadMapping()
    found = mapping.apply(one.value, None if one.topic == settings.frames else one.topic, one.received)
    if not found.frames:
        return "; ".join(f"still: {bad.reason.value}: {bad.detail}" for bad in found.rejections[:1])
    records = [record for frame in found.frames for record, _, _ in item_records(frame, settings, _READINGS)]
    return records + list(rejected_records(found.rejections, settings.rejected))


def _readings_in(settings: Settings, record: Record) -> int:
    if record.topic != settings.kafka.frames:
        return 0
    frame, _ = decode(Message(record.value or b"", now_ms(), record.key), limits_of(settings))
    return 0 if frame is None else len(frame)


def _send(producer: Any, settings: KafkaSettings, some: Iterable[_Prepared]) -> None:
    producer.begin_transaction()
    try:
        futures = [
            producer.send(record.topic, record.value, key=record.key, headers=list(record.headers))
            for entry, records in some
            for record in (*records, taken_record(settings, entry))
        ]
        producer.flush()
        for future in futures:
            future.get(timeout=30)
        producer.commit_transaction()
    except BaseException:
        with contextlib.suppress(ClientError):  # the broker does it, when we cannot
            producer.abort_transaction()
        raise


def _producer(settings: KafkaSettings) -> Any:
    return KafkaProducer(
        **client_options(settings),
        client_id="yeji-rejected",
        transactional_id=f"{settings.group}-rejected",
        acks="all",
        enable_idempotence=True,
        max_request_size=2 * FRAME_BYTES,
        allow_auto_create_topics=False,
    )
