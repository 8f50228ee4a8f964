"""What goes out on Kafka: alarms, rejected input, scores. Each record's key is its id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from pipeline.records import AlarmEvent, Rejection, Results, Scored
from pipeline.wire.alerts import encode_alert

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Record:
    """One message to be sent; ``partition`` None = by its key."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


def alert_records(alarms: Iterable[AlarmEvent], topic: str) -> Iterator[Record]:
    """Alarm events, by alarm id."""
    for alarm in alarms:
        yield Record(topic, alarm.id.encode(), encode_alert(alarm))


def score_records(results: Results, topic: str | None) -> Iterator[Record]:
    """Scores, by machine; nothing without a topic."""
    if topic is not None:
        for scored in results.scored:
            yield Record(topic, scored.machine.encode(), encode_scores(scored))


def rejected_records(rejections: Iterable[Rejection], topic: str) -> Iterator[Record]:
    """Rejected input: the original bytes as value, everything else in headers (docs/bad-input.md).

    The key names the message, by its place and its time in Kafka (a topic that is created again begins at 0),
    and counts its rejections, so that a replay returns the same keys. Of several rejections of a message, the
    first has its bytes; the others' header ``original`` is its key.
    """
    counts: dict[tuple[str, int, int, int], int] = {}
    first: dict[tuple[str, int, int, int], bytes] = {}
    for rejection in rejections:
        origin = (rejection.topic, rejection.partition, rejection.offset, rejection.received)
        number = counts[origin] = counts.get(origin, -1) + 1
        headers = {
            "reason": rejection.reason.value,
            "detail": rejection.detail,
            "machine": rejection.machine,
            "sensor": rejection.sensor,
            "readings": str(rejection.readings),
            "received": str(rejection.received),
            "topic": rejection.topic,
            "partition": str(rejection.partition),
            "offset": str(rejection.offset),
        }
        place, value = (
            f"{rejection.topic}/{rejection.partition}/{rejection.offset}@{rejection.received}",
            rejection.original,
        )
        if number and value is first.setdefault(origin, value):
            headers["original"], value = f"{place}/0", b""
        first.setdefault(origin, value)
        yield Record(
            topic,
            f"{place}/{number}".encode(),
            value,
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
