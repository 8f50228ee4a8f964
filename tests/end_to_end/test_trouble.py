"""Workers that come and go, a database that is away, snapshots that are damaged, a message of 10 MB."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from kafka import KafkaProducer

from pipeline.records import AlarmKind, Verdict, VerdictKind
from pipeline.wire.alerts import encode_verdict
from streams.agents.snapshots import Stored, latest, parse_key

from .expected import Expected, expect
from .recording import MACHINES, START, Sent, record
from .stage import Stage

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def expected() -> Expected:
    """What the pipeline makes of the recording without any transport."""
    return expect(record())


def test_workers_come_and_go(stage: Stage, expected: Expected) -> None:
    messages = record()
    stage.change(batch_messages=4, checkpoint=0.1)
    stage.produce(messages[:120])
    first = stage.start(None)
    stage.wait_until_committed(0.3, first)
    second = stage.start(None)
    stage.produce(messages[120:])
    stage.wait(lambda: "Partition taken over" in second.log.read_text(), [first, second])
    assert first.terminate() == 0, first.log.read_text()
    stage.wait_until_written(len(expected.reading), second)
    assert second.terminate() == 0, second.log.read_text()
    expected.check(stage, once=False)


class AccessGuard:
    """A TCP proxy that can be shut: connections are cut, new ones refused."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._open += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    @staticmethod
    def _copy(one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        finally:
            other.close()

    def shut(self) -> None:
        """Nothing gets through any more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._open.clear()

    def reopen(self) -> None:
        """Connections are taken again, on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()


@pytest.fixture
def guard(stage: Stage) -> Iterator[AccessGuard]:
    """The worker reaches InfluxDB through this."""
    url = urlsplit(stage.settings.influx.url)
    guard = AccessGuard(url.hostname or "", url.port or 80)
    yield guard
    guard.shut()


def test_database_is_away(stage: Stage, guard: AccessGuard, expected: Expected) -> None:
    messages, direct = record(), stage.settings
    influx = direct.influx.model_copy(update={"url": f"http://127.0.0.1:{guard.port}", "timeout": 2.0})
    stage.settings = direct.model_copy(update={"influx": influx})
    stage.produce(messages[:100])
    worker = stage.start()
    stage.wait_until_done(worker)
    guard.shut()
    stage.produce(messages[100:])
    stage.wait(lambda: "Results wait; no reading is lost." in worker.log.read_text(), [worker])
    guard.reopen()
    stage.wait_until_done(worker)
    assert "Results are written again." in worker.log.read_text()
    stage.settings = direct
    stage.wait_until_written(len(expected.reading), worker)
    # Away once more, for longer than the worker is told to live: it leaves, and the next one does the rest.
    assert worker.terminate() == 0, worker.log.read_text()
    expected.check(stage, once=True)


def damage(stage: Stage, machine: str, ages: set[int], *, newer: bool = False) -> None:
    """Spoil snapshots of ``machine`` where they lie: 0 = the newest, 1 = the one before."""
    topic = stage.settings.kafka.snapshots
    found: list[Stored] = []
    for key, value, headers in stage.messages(topic):
        assert key is not None
        name, slot = parse_key(key)
        if name == machine:
            found = latest(found, Stored(name, slot, int(headers["offset"]), value))
    assert len(found) == 2, "two snapshots are kept"
    producer = KafkaProducer(bootstrap_servers=stage.settings.kafka.brokers)
    for age in ages:
        stored = found[age]
        spoiled = bytearray(stored.data)
        if newer:
            spoiled[4:6] = b"\xff\x7f"  # the version
        else:
            spoiled[len(spoiled) // 2] ^= 0x55
        partition = stage.partition_of(machine)
        producer.send(
            topic,
            bytes(spoiled),
            key=f"{machine}#{stored.slot}".encode(),
            partition=partition,
            headers=[("offset", str(stored.offset).encode())],
        )
    producer.flush()
    producer.close()


def test_damaged_snapshots(stage: Stage, expected: Expected) -> None:
    messages = record()
    stage.change(batch_messages=4, checkpoint=0.05)
    stage.produce(messages[:75])
    worker = stage.start()
    stage.wait_until_done(worker)
    stage.produce(messages[75:150])
    stage.wait_until_done(worker)
    assert worker.terminate() == 0, worker.log.read_text()
    damage(stage, MACHINES[0], {0})
    damage(stage, MACHINES[1], {0}, newer=True)
    damage(stage, MACHINES[2], {0, 1})
    stage.produce(messages[150:])
    # It dies while it catches up: what it had not caught up with must not look as if it had.
    stage.ended(stage.start(die="process:3"))
    last = stage.start()
    stage.wait_until_written(len(expected.reading), last)
    assert last.terminate() == 0, last.log.read_text()
    log = last.log.read_text()
    assert "Its checksum does not fit" in log
    assert "It was written in version 32767" in log
    assert "its model is made again from all readings" in log
    expected.check(stage, once=False)


def test_message_of_ten_megabytes(stage: Stage) -> None:
    machine, large = MACHINES[0], b'{"machine":"' + b"x" * 10_000_000
    fine = b'{"machine":"%s","time":%d,"sensors":{"t":1.0}}' % (machine.encode(), START)
    stage.produce([Sent(machine.encode(), large, START), Sent(machine.encode(), fine, START)])
    worker = stage.start()
    stage.wait_until_written(2, worker)
    assert worker.terminate() == 0, worker.log.read_text()
    [(_, value, headers)] = stage.messages(stage.settings.kafka.rejected)
    assert value == large
    assert headers["reason"] == "too-large"
    assert "at most 1000000" in headers["detail"]
    assert headers["topic"] == stage.settings.kafka.frames
    assert headers["offset"] == "0"
    assert stage.points("reading") == {(machine, START, "state"): "0", (machine, START, "t"): "1"}


def test_pipeline_that_fails_on_a_message(stage: Stage, expected: Expected) -> None:
    messages = record()
    poison = Sent(MACHINES[0].encode(), b"poison", messages[100].received)
    stage.produce([*messages[:100], poison, *messages[100:]])
    worker = stage.start(die="poison")
    stage.wait_until_written(len(expected.reading), worker)
    assert worker.terminate() == 0, worker.log.read_text()
    internal = [
        (value, headers["detail"])
        for _, value, headers in stage.messages(stage.settings.kafka.rejected)
        if headers["reason"] == "internal-error"
    ]
    assert {value for value, _ in internal} == {b"poison"}
    assert "ArithmeticError: poison" in internal[0][1]
    expected.rejections["internal-error", b"poison"] += 1
    try:
        expected.check(stage, once=False)
    finally:
        del expected.rejections["internal-error", b"poison"]


def test_verdicts(stage: Stage, expected: Expected) -> None:
    kafka = stage.settings.kafka
    alarm = next(a for a in expected.alerts if a.kind is AlarmKind.CONDITION)
    verdict = Verdict(
        id="v-1",
        machine=alarm.machine,
        machine_class=alarm.machine_class,
        kind=VerdictKind.FALSE_ALARM,
        start=alarm.onset,
        end=alarm.time,
        at=alarm.time,
        by="crew",
        alarm=alarm.id,
    )
    elsewhere = replace(verdict, id="v-2", machine="gwangju/ggm/body/line-0/press-99")
    stage.produce(record())
    worker = stage.start()
    stage.wait_until_done(worker)
    for one in (verdict, elsewhere):
        stage.produce([Sent(one.machine.encode(), encode_verdict(one), one.at)], kafka.feedback)
    stage.produce([Sent(alarm.machine.encode(), b"no verdict", alarm.time)], kafka.feedback)
    stage.wait_until_committed(1.0, worker, topic=kafka.feedback)
    assert worker.terminate() == 0, worker.log.read_text()
    log = worker.log.read_text()
    assert "verdict=v-2" in log, "nothing is known of its machine"
    assert "verdict=v-1" not in log
    rejected = [h for _, value, h in stage.messages(kafka.rejected) if value == b"no verdict"]
    assert [(h["topic"], h["reason"]) for h in rejected] == [(kafka.feedback, "wrong-type")]
