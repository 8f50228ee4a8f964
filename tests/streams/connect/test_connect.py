"""`yeji connect` whole: real brokers of MQTT and Kafka, a process that is killed, a Kafka that goes away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from local_services import KafkaNode
from local_services.process import free_port

from connectors.base.sources import chosen_sources
from pipeline.records import Message
from pipeline.settings import SettingsError
from pipeline.wire.readings import decode
from streams.connect.run import ConnectRun
from streams.settings import Settings, load_settings
from tests.connectors.collecting import until
from tests.connectors.mqtt.brokers import Broker, broker, publisher

TIME = 1_790_000_000_000


def configuration(kafka: str, mqtt: int, frames: str, rejected: str) -> str:
    return f"""
log = "json"
data = "data"
kafka.brokers = "{kafka}"
kafka.frames = "{frames}"
kafka.rejected = "{rejected}"
spool.patience = 1.0
spool.retry = 0.3

[sources.hall-3]
kind = "mqtt"
broker.port = {mqtt}
topics = ["plant/#"]
mapping.levels = "acme/gj/body/line-1"
mapping.topic = "plant/{{machine}}"
"""


@contextmanager
def connecting(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`yeji connect` in a folder with its yeji.toml."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from streams.cli import main; main()", "connect", "--report", "1"],
            cwd=folder,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def readings(kafka: str, topic: str) -> dict[int, float]:
    """Every reading of the topic: its time and value."""
    consumer = KafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    part = TopicPartition(topic, 0)
    consumer.assign([part])
    end = consumer.end_offsets([part])[part]
    found: dict[int, float] = {}
    while consumer.position(part) < end:
        for records in consumer.poll(timeout_ms=500).values():
            for record in records:
                assert record.key == b"acme/gj/body/line-1/press-1"
                frame, _ = decode(Message(record.value, 1 << 62, record.key))
                assert frame is not None
                found |= dict(zip(frame.time.tolist(), frame.values[:, 0].tolist(), strict=True))
    consumer.close()
    return found


def is_connected(log: Path) -> bool:
    """Whether the source has reported that it is."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return any(line.get("source") == "hall-3" and line.get("connected") for line in lines)


def send(port: int, numbers: range) -> None:
    with publisher(port) as client:
        for number in numbers:
            sent = client.publish("plant/press-1", json.dumps({"time": TIME + number, "temp": number}), 1)
        sent.wait_for_publish(20)


@pytest.fixture
def mqtt(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path / "mqtt") as running:
        yield running


@pytest.mark.services
def test_nothing_is_lost_when_kafka_goes_and_when_the_process_is_killed(tmp_path: Path, mqtt: Broker) -> None:
    node = KafkaNode(tmp_path / "kafka", free_port())
    kafka = node.start(tied=True)
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    topics = {name: {"num_partitions": 1, "replication_factor": 1} for name in ("frames", "rejected")}
    admin.create_topics(topics, wait_for_metadata=True)
    admin.close()
    (tmp_path / "yeji.toml").write_text(configuration(kafka, mqtt.port, "frames", "rejected"))
    with connecting(tmp_path):
        until(lambda: is_connected(tmp_path / "log"), 60)
        send(mqtt.port, range(500))
        until(lambda: len(readings(kafka, "frames")) == 500, 30)
        node.stop()
        send(mqtt.port, range(500, 1000))
        until(lambda: list((tmp_path / "data" / "spool").glob("*.spool")), 30)
        # killed while Kafka is away: what the spool has not is not acknowledged, and comes again
    with connecting(tmp_path) as again:
        send(mqtt.port, range(1000, 1500))
        time.sleep(1)
        node.start(tied=True)
        until(lambda: len(readings(kafka, "frames")) == 1500, 60)
        send(mqtt.port, range(1500, 1600))
        until(lambda: len(readings(kafka, "frames")) == 1600, 30)
        again.send_signal(signal.SIGTERM)
        assert again.wait(30) == 0
    assert readings(kafka, "frames") == {TIME + number: float(number) for number in range(1600)}
    assert not list((tmp_path / "data" / "spool").glob("*.spool")), "everything was drained"
    node.stop()


def test_a_command_without_sources_says_how_to_write_one() -> None:
    with pytest.raises(SettingsError, match=r"\[sources\.hall-3\]"):
        chosen_sources(Settings(), None)


def test_a_source_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, sources={"hall-3": {"kind": "mqtt"}})  # type: ignore[dict-item]
    with pytest.raises(SettingsError, match=r"no \[sources\.hall-4\]; the settings have hall-3"):
        ConnectRun(settings, ["hall-4"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[sources.a]\nkind = "mqqt"', "kind 'mqqt' is not known; write one of"),
        ("[sources.a]\nhost = 1", "kind None is not known"),
        ('[sources.a]\nkind = "mqtt"\nbroker.hots = "x"', "broker.hots"),
    ],
)
def test_mistakes_in_a_source_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    (tmp_path / "yeji.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert message in str(error.value)
