"""What goes to Kafka besides readings, and what happens when it does not go."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from faust.exceptions import ProducerSendError

from connectors.base.contract import SinkUnavailableError
from connectors.kafka.outgoing import Record, alert_records, rejected_records, score_records
from pipeline.records import AlarmEvent, AlarmKind, AlarmPhase, Reason, Rejection, Results, Scored
from streams.agents.outputs import send_all

ALARM = AlarmEvent(
    id="id-1",
    machine="a/b/c/d/e",
    machine_class="",
    kind=AlarmKind.CONDITION,
    phase=AlarmPhase.RAISED,
    onset=1,
    time=2,
    score=0.99,
    threshold=0.9,
    severity=3,
)
SCORED = Scored(
    machine="a/b/c/d/e",
    machine_class="press",
    time=np.array([5, 6]),
    sensors=("t",),
    values=np.zeros((2, 1)),
    score=np.array([np.nan, 0.5]),
    health=np.array([np.nan, 99.0]),
    state=np.array([0, 1], dtype=np.uint8),
    contributions=np.zeros((2, 1)),
)


class Brokers:
    """Stands in for Faust's producer; ``trouble`` maps a topic to what comes of sending there."""

    def __init__(self, trouble: dict[str, Exception] | None = None) -> None:
        self.trouble = trouble or {}
        self.sent: list[tuple[str, bytes | None, bytes | None, Any]] = []

    async def send(
        self, topic: str, key: Any, value: Any, partition: Any, timestamp: Any, headers: Any
    ) -> Any:
        """Take a record, or not."""
        error = self.trouble.get(topic)
        if isinstance(error, ProducerSendError) and len(value) > 1000:
            raise error
        future = asyncio.get_running_loop().create_future()
        if error is not None and not isinstance(error, ProducerSendError):
            future.set_exception(error)
        else:
            self.sent.append((topic, key, value, dict(headers)))
            future.set_result(None)
        return future


def test_keys_are_ids_and_the_same_on_a_replay() -> None:
    bad = [Rejection(Reason.DUPLICATE, "late", b"{}", 9, topic="f", partition=2, offset=n) for n in (7, 7, 8)]
    records = [
        *alert_records([ALARM], "alerts"),
        *rejected_records(bad, "rejected"),
        *score_records(Results([SCORED]), "scores"),
    ]
    assert [(r.topic, r.key) for r in records] == [
        ("alerts", b"id-1"),
        ("rejected", b"f/2/7@9/0"),
        ("rejected", b"f/2/7@9/1"),
        ("rejected", b"f/2/8@9/0"),
        ("scores", b"a/b/c/d/e"),
    ]
    assert msgspec.json.decode(records[-1].value)["score"] == [None, 0.5]
    assert list(rejected_records(bad, "rejected")) == records[1:4]
    assert not list(score_records(Results([SCORED]), None)), "scores only when asked for"
    [anew] = rejected_records([replace(bad[0], received=10)], "rejected")
    assert anew.key == b"f/2/7@10/0", "the same offset of a topic that was made anew is another message"


def test_a_rejection_keeps_its_bytes_and_says_why() -> None:
    one = Rejection(Reason.TOO_LARGE, "zu groß", b"\xff\x00", 9, machine="m", topic="f", offset=3)
    [record] = rejected_records([one], "r")
    assert record.value == b"\xff\x00"
    headers = dict(record.headers)
    assert headers["reason"] == b"too-large"
    assert headers["detail"].decode() == "zu groß"
    assert headers["offset"] == b"3"
    assert "sensor" not in headers


async def test_everything_is_sent() -> None:
    brokers = Brokers()
    records = [Record("t", b"%d" % n, b"v") for n in range(1234)]
    await send_all(brokers, records)
    assert [key for _, key, _, _ in brokers.sent] == [r.key for r in records]


async def test_a_failed_delivery_is_for_the_caller_to_repeat() -> None:
    brokers = Brokers({"t": KafkaTimeoutError()})
    with pytest.raises(SinkUnavailableError, match="It is sent again"):
        await send_all(brokers, [Record("t", b"k", b"v")])


async def test_other_errors_are_not_taken_for_a_broker_that_is_away() -> None:
    with pytest.raises(ZeroDivisionError):
        await send_all(Brokers({"t": ZeroDivisionError()}), [Record("t", b"k", b"v")])


async def test_what_no_topic_takes_whole_keeps_its_beginning() -> None:
    brokers = Brokers()
    refused = ProducerSendError("too large")
    refused.__cause__ = MessageSizeTooLargeError("too large")

    async def send(topic: str, key: Any, value: Any, *rest: Any) -> Any:
        if len(value) > 500_000:
            raise refused
        return await Brokers.send(brokers, topic, key, value, *rest)

    brokers.send = send  # type: ignore[method-assign]
    await send_all(brokers, [Record("t", b"k", b"x" * 600_000), Record("t", b"l", b"y")])
    assert {key: len(value or b"") for _, key, value, _ in brokers.sent} == {b"k": 500_000, b"l": 1}
    [headers] = [headers for _, key, _, headers in brokers.sent if key == b"k"]
    assert headers == {"truncated-from": b"600000"}
