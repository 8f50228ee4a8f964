"""Readings to the real broker: keyed, cut, bounded in flight; what is not delivered is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaConsumer, TopicPartition

from connectors.kafka.errors import KafkaError
from connectors.kafka.producer import FrameProducer, cut
from connectors.kafka.settings import KafkaSettings
from pipeline.records import Frame, Message, Reason, Rejection
from pipeline.wire.readings import decode

MACHINE = "a/b/c/d/press-1"


def frame(n: int) -> Frame:
    """A frame of n readings."""
    return Frame(MACHINE, 1_790_000_000_000 + np.arange(n), ("t", "p"), np.arange(2.0 * n).reshape(n, 2))


def everything(brokers: str, topic: str) -> list[object]:
    """All records of a topic of one partition."""
    consumer = KafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest")
    part = TopicPartition(topic, 0)
    consumer.assign([part])
    end = consumer.end_offsets([part])[part]
    found: list[object] = []
    while consumer.position(part) < end:
        for records in consumer.poll(timeout_ms=500).values():
            found += records
    consumer.close()
    return found


@pytest.mark.services
def test_items_arrive_keyed_by_machine(kafka: str, make_topic: object) -> None:
    frames, rejected = make_topic("frames"), make_topic("rejected")  # type: ignore[operator]
    settings = KafkaSettings(brokers=kafka, frames=frames, rejected=rejected)
    raw = b'{"machine":"x/y/z/l/m","time":1790000000000,"sensors":{"t":1}}'
    with FrameProducer(settings, readings=100, in_flight=3000) as producer:
        assert producer.send(frame(250)) == 250
        assert producer.send(Message(raw, 0)) == 1
        producer.send(Message(b"junk", 0))
        producer.send(Rejection(Reason.CSV_ROW, "no time", b"1;2", 5, offset=17, topic="file.csv"))
    assert (producer.acknowledged, producer.rejected, producer.failed) == (6, 1, 0)
    found = everything(kafka, frames)
    assert [r.key for r in found] == [MACHINE.encode()] * 3 + [b"x/y/z/l/m", None]  # type: ignore[attr-defined]
    values = [decode(Message(r.value, 1 << 62))[0] for r in found[:3]]  # type: ignore[attr-defined]
    assert np.array_equal(np.concatenate([v.values for v in values if v]), frame(250).values)
    [bad] = everything(kafka, rejected)
    headers = dict(bad.headers)  # type: ignore[attr-defined]
    assert (bad.value, headers["reason"], headers["offset"]) == (b"1;2", b"csv-row", b"17")  # type: ignore[attr-defined]


@pytest.mark.services
def test_what_is_not_delivered_is_told(kafka: str, make_topic: object) -> None:
    frames = make_topic("frames", **{"max.message.bytes": 1000})  # type: ignore[operator]
    producer = FrameProducer(KafkaSettings(brokers=kafka, frames=frames))
    producer.send(Message(b"x" * 5000, 0))
    with pytest.raises(KafkaError, match="1 messages were not delivered"):
        producer.flush()
    producer.close()


@given(st.integers(1, 40), st.integers(1, 15))
def test_cutting_keeps_every_reading(n: int, most: int) -> None:
    parts = list(cut(frame(n), most))
    assert all(1 <= len(part) <= most for part in parts)
    assert np.concatenate([part.time for part in parts]).tolist() == frame(n).time.tolist()
    assert np.concatenate([part.values for part in parts]).tolist() == frame(n).values.tolist()
