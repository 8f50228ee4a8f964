"""Batches as producers compress them: every codec, a bomb, and messages whose rejections could grow."""

from __future__ import annotations

import json
import time

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType

from .expected import expect
from .recording import MACHINES, START, Sent, record
from .stage import Stage

pytestmark = pytest.mark.services


def test_every_codec_on_frames_and_on_snapshots(stage: Stage) -> None:
    kafka = stage.settings.kafka
    admin = KafkaAdminClient(bootstrap_servers=kafka.brokers)
    for topic in (kafka.snapshots, kafka.alerts, kafka.rejected):
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"compression.type": "zstd"})])
    admin.close()
    messages = record()
    codecs = (None, "gzip", "snappy", "lz4", "zstd")
    part = len(messages) // len(codecs) + 1
    for n, codec in enumerate(codecs):
        producer = KafkaProducer(bootstrap_servers=kafka.brokers, compression_type=codec, linger_ms=20)
        for one in messages[n * part : (n + 1) * part]:
            producer.send(kafka.frames, one.value, key=one.key, timestamp_ms=one.received)
        producer.flush()
        producer.close()
        if n == 2:  # a worker begins with compressed snapshots, and another goes on from them
            worker = stage.start()
            stage.wait_until_done(worker)
            assert worker.terminate() == 0, worker.log.read_text()
    worker = stage.start()
    wanted = expect(messages)
    stage.wait_until_written(len(wanted.reading), worker)
    assert worker.terminate() == 0, worker.log.read_text()
    wanted.check(stage, once=False)


def test_a_bomb_is_one_rejection_and_memory_is_bounded(stage: Stage) -> None:
    kafka, machine = stage.settings.kafka, MACHINES[0].encode()
    producer = KafkaProducer(
        bootstrap_servers=kafka.brokers,
        compression_type="gzip",
        batch_size=1 << 30,
        linger_ms=60_000,
        max_request_size=1 << 30,
    )
    for _ in range(200):  # 180 MB, some 180 kB on the wire
        producer.send(kafka.frames, b" " * 900_000, key=machine, timestamp_ms=START)
    producer.flush()
    producer.close()
    good = b'{"machine":"%s","time":%d,"sensors":{"t":1.0}}' % (machine, START)
    stage.produce([Sent(machine, good, START)])
    worker = stage.start()
    stage.wait_until_written(1, worker)
    peak = _peak_mb(worker.process.pid)
    assert worker.terminate() == 0, worker.log.read_text()
    rejected = stage.messages(kafka.rejected)
    reasons = {headers["reason"] for _, _, headers in rejected}
    assert reasons == {"batch-undecodable"}
    detail = rejected[0][2]["detail"]
    assert f"{kafka.frames}, partition {stage.partition_of(MACHINES[0])}: a batch of" in detail
    assert "offsets 0 to" in detail
    assert stage.points("reading")[MACHINES[0], START, "t"] == "1"
    assert peak < 700, f"{peak} MB"


def test_rejections_do_not_grow_beyond_the_message(stage: Stage) -> None:
    machine = MACHINES[0]
    sensors = {f"s{n:03d}": ["x" * 30] * 25 for n in range(250)}
    times = [START + n for n in range(25)]
    value = json.dumps({"machine": machine, "time": times, "sensors": sensors}).encode()
    stage.produce([Sent(machine.encode(), value, START)] * 3)
    worker = stage.start()
    stage.wait_until_done(worker)
    assert worker.terminate() == 0, worker.log.read_text()
    rejected = stage.messages(stage.settings.kafka.rejected)
    assert sum(len(original) for _, original, _ in rejected) == 3 * len(value)
    first = [headers for _, _, headers in rejected if headers["offset"] == "0"]
    assert len(first) == 17
    assert any("234 more sensors" in headers["detail"] for headers in first)
    origin = f"{stage.settings.kafka.frames}/{first[0]['partition']}/0@{first[0]['received']}/0"
    assert sorted(headers.get("original", "") for headers in first) == ["", *[origin] * 16]


def _peak_mb(pid: int) -> float:
    time.sleep(0.2)
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
