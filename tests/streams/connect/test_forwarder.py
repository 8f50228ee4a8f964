"""The forwarder against deliveries that come, fail, hang and come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import pytest

from connectors.kafka.delivery import Done, RecordTooLargeError
from connectors.kafka.errors import KafkaError
from connectors.kafka.outgoing import Record
from connectors.spool.settings import SpoolSettings
from connectors.spool.spool import Spool
from streams.connect.forwarder import Forwarder
from tests.connectors.spool.losing_disk import LosingDisk


@dataclass
class Brokers:
    """The other side: up, away (nothing connects), hanging (takes and never acknowledges)."""

    state: Literal["up", "away", "hanging"] = "up"
    stored: list[bytes] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)

    def connect(self) -> Connection:
        if self.state == "away":
            raise KafkaError("no brokers")
        return Connection(self)


@dataclass
class Connection:
    brokers: Brokers

    def send(self, record: Record, done: Done) -> None:
        if self.brokers.state == "away":
            raise KafkaError("gone")
        if record.topic == "frames" and record.value.startswith(b"huge"):
            raise RecordTooLargeError("too large")
        if self.brokers.state == "up":
            self.brokers.stored.append(record.value)
            self.brokers.topics.append(record.topic)
            threading.Thread(target=done, args=(None,)).start()

    def close(self) -> None:
        pass


@dataclass
class Stage:
    brokers: Brokers
    forwarder: Forwarder
    durable: list[bytes] = field(default_factory=list)

    def send(self, *values: bytes, can_wait: bool = False) -> None:
        for value in values:
            self.forwarder.send(
                Record("frames", b"m", value),
                "m",
                1,
                lambda v=value: self.durable.append(v),
                can_wait=can_wait,
            )


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


@contextmanager
def stage(brokers: Brokers, max_bytes: int = 1 << 20, **settings: object) -> Iterator[Stage]:
    chosen = SpoolSettings.model_validate(
        {"patience": 0.3, "retry": 0.05, "max_bytes": max_bytes, **settings}
    )
    spool = Spool(LosingDisk(), chosen.max_bytes, chosen.keep)
    made = Stage(brokers, Forwarder(brokers.connect, spool, chosen, "rejected"))
    made.forwarder.start()
    yield made
    made.forwarder.stop()


def numbered(*numbers: int) -> list[bytes]:
    return [b"%d" % number for number in numbers]


def test_live_records_go_straight_to_kafka() -> None:
    with stage(Brokers()) as s:
        until(lambda: s.forwarder.connected)
        s.send(*numbered(1, 2, 3))
        until(lambda: len(s.durable) == 3)
        assert s.brokers.stored == numbered(1, 2, 3)
        assert s.forwarder.stats.spooled == 0


def test_while_kafka_is_away_the_spool_makes_them_durable_and_they_come_in_order() -> None:
    with stage(Brokers("away")) as s:
        s.send(*numbered(*range(50)))
        until(lambda: len(s.durable) == 50)
        assert s.brokers.stored == []
        s.brokers.state = "up"
        until(lambda: len(s.brokers.stored) == 50)
        assert s.brokers.stored == numbered(*range(50))
        until(lambda: s.forwarder.spool.empty)
        assert s.forwarder.stats.drained == 50


def test_what_hangs_without_acknowledgement_goes_to_the_spool_and_comes_again() -> None:
    with stage(Brokers()) as s:
        until(lambda: s.forwarder.connected)
        s.brokers.state = "hanging"
        s.send(*numbered(1, 2))
        until(lambda: len(s.durable) == 2)
        assert s.forwarder.stats.spooled == 2
        s.brokers.state = "up"
        until(lambda: s.brokers.stored == numbered(1, 2))


def test_live_records_do_not_wait_for_those_that_are_held() -> None:
    brokers = Brokers("away")
    with stage(brokers, drain_bytes=10_000, max_bytes=4_000_000) as s:
        held = [b"held-%05d" % number + bytes(2000) for number in range(500)]
        s.send(*held)
        until(lambda: len(s.durable) == 500)
        brokers.state = "up"
        until(lambda: s.forwarder.connected)
        s.send(b"live")
        until(lambda: len(brokers.stored) == 501)
        assert brokers.stored.index(b"live") < 500
        assert [value for value in brokers.stored if value != b"live"] == held, "in order, each once"


def test_a_record_that_no_broker_takes_is_told_and_holds_up_nothing() -> None:
    with stage(Brokers()) as s:
        until(lambda: s.forwarder.connected)
        s.send(b"1", b"huge", b"2")
        until(lambda: len(s.durable) == 3)
        until(lambda: "rejected" in s.brokers.topics)
        assert s.brokers.stored[:2] == numbered(1, 2)
        assert s.brokers.stored[s.brokers.topics.index("rejected")] == b"huge", "the bytes are kept"
        assert s.forwarder.connected


def test_what_a_full_spool_dropped_is_told_once_kafka_is_back() -> None:
    with stage(Brokers("away"), max_bytes=100_000) as s:
        values = [b"%05d" % number + bytes(1000) for number in range(300)]
        s.send(*values)
        until(lambda: len(s.durable) == 300)
        s.brokers.state = "up"
        until(lambda: "rejected" in s.brokers.topics)
        stored = [v for v, topic in zip(s.brokers.stored, s.brokers.topics, strict=True) if topic == "frames"]
        assert stored == values[-len(stored) :], "the newest are kept"
        assert s.forwarder.spool.dropped_readings == 300 - len(stored) > 0


def test_with_the_oldest_kept_a_source_that_can_wait_waits_and_loses_nothing() -> None:
    with stage(Brokers("away"), max_bytes=100_000, keep="oldest") as s:
        values = [b"%05d" % number + bytes(1000) for number in range(300)]
        sender = threading.Thread(target=s.send, args=values, kwargs={"can_wait": True})
        sender.start()
        until(lambda: s.forwarder.spool.size > 90_000)
        sender.join(0.3)
        assert sender.is_alive(), "it is left waiting"
        s.brokers.state = "up"
        sender.join(10)
        until(lambda: len(s.durable) == 300)
        until(lambda: s.forwarder.spool.empty)
        assert sorted(s.brokers.stored) == values
        assert s.forwarder.spool.dropped_readings == 0


@pytest.mark.parametrize("state", ["up", "hanging", "away"])
def test_what_was_sent_is_durable_when_it_has_stopped(state: Literal["up", "hanging", "away"]) -> None:
    with stage(Brokers(state)) as s:
        s.send(*numbered(*range(10)))
        s.forwarder.stop()
        assert sorted(s.durable) == sorted(numbered(*range(10)))
        held = len(Spool(s.forwarder.spool._disk, 1 << 20).read(1 << 20))
        assert len(s.brokers.stored) + held >= 10
