"""A stage for one test: topics, a bucket, workers as real processes, and what they have written."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from influxdb_client import InfluxDBClient
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.partitioner import murmur2

from connectors.kafka.topics import Topics
from pipeline.records import AlarmEvent
from pipeline.wire.alerts import decode_alert
from streams.settings import Settings

from .recording import Sent

WORKER = Path(__file__).with_name("dying_worker.py")
#: A machine that others use too may need more.
PATIENCE = float(os.environ.get("YEJI_TEST_PATIENCE", "150"))


@dataclass
class Worker:
    """A worker process and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def terminate(self) -> int:
        """SIGTERM; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(timeout=30)


@dataclass
class Stage:
    """Everything of one test, under names of its own."""

    settings: Settings
    folder: Path
    workers: list[Worker] = field(default_factory=list)

    def create(self) -> None:
        """Make the topics; the frames are kept for ever, with their own time stamps: the recording is old."""
        topics = Topics(self.settings.kafka)
        topics.apply(topics.check())
        topics.close()
        admin = KafkaAdminClient(bootstrap_servers=self.settings.kafka.brokers)
        kept = ConfigResource(
            ConfigResourceType.TOPIC,
            self.settings.kafka.frames,
            {"retention.ms": "-1", "message.timestamp.type": "CreateTime"},
        )
        admin.alter_configs([kept])
        admin.close()

    def produce(self, messages: Iterable[Sent], topic: str = "") -> None:
        """Send to the frames topic, or another, with the recorded time stamps; returns when acknowledged."""
        topic = topic or self.settings.kafka.frames
        producer = KafkaProducer(
            bootstrap_servers=self.settings.kafka.brokers, linger_ms=5, max_request_size=20_000_000
        )
        futures = [
            producer.send(topic, one.value, key=one.key, timestamp_ms=one.received) for one in messages
        ]
        producer.flush()
        for future in futures:
            future.get(timeout=30)
        producer.close()

    def change(self, **worker: object) -> None:
        """Change settings of the workers that are started from now on."""
        changed = self.settings.worker.model_copy(update=worker)
        self.settings = self.settings.model_copy(update={"worker": changed})

    def start(self, name: str | None = "one", *, die: str = "") -> Worker:
        """Start a worker, a static member of the group when it has a name.

        ``die`` says at which point it kills itself (see dying_worker.py).
        """
        number = len(self.workers)
        log, settings = self.folder / f"worker-{number}.log", self.folder / f"settings-{number}.json"
        settings.write_text(self._json(name))
        environment = dict(os.environ, YEJI_TEST_DIE=die)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, str(WORKER), str(settings)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        worker = Worker(process, log)
        self.workers.append(worker)
        return worker

    def _json(self, name: str | None) -> str:
        worker = self.settings.worker.model_copy(update={"name": name})
        settings = self.settings.model_copy(update={"worker": worker})
        plain = settings.model_dump(mode="json")
        token = self.settings.influx.token
        assert token is not None
        plain["influx"]["token"] = token.get_secret_value()
        return json.dumps(plain)

    def wait(self, what: Callable[[], bool], alive: Iterable[Worker] = ()) -> None:
        """Wait until ``what`` holds; fail when a worker that should live ends before."""
        watched = list(alive)
        deadline = time.monotonic() + PATIENCE
        while not what():
            for worker in watched:
                assert worker.process.poll() is None, f"worker ended:\n{worker.log.read_text()}"
            assert time.monotonic() < deadline, "".join(w.log.read_text()[-4000:] for w in self.workers)
            time.sleep(0.05)

    def ended(self, worker: Worker) -> None:
        """Wait until a worker has ended by itself."""
        self.wait(lambda: worker.process.poll() is not None)

    def wait_until_done(self, *alive: Worker) -> None:
        """Wait until every message is committed."""
        self.wait_until_committed(1.0, *alive)

    def wait_until_committed(self, share: float, *alive: Worker, topic: str = "") -> None:
        """Wait until so large a share of all messages is committed."""
        topic = topic or self.settings.kafka.frames
        consumer = KafkaConsumer(
            bootstrap_servers=self.settings.kafka.brokers, group_id=self.settings.kafka.group
        )
        parts = [TopicPartition(topic, p) for p in range(self.settings.kafka.partitions)]
        wanted = share * sum(consumer.end_offsets(parts).values())
        try:
            self.wait(lambda: sum(consumer.committed(part) or 0 for part in parts) >= wanted, alive)
        finally:
            consumer.close()

    def wait_until_written(self, points: int, *alive: Worker) -> None:
        """Wait until so many points of readings are there: the last ones wait for stragglers first."""

        def written() -> bool:
            time.sleep(0.3)  # the query takes its time, too
            return len(self.points("reading")) >= points

        self.wait_until_done(*alive)
        self.wait(written, alive)

    def messages(self, topic: str) -> list[tuple[bytes | None, bytes, dict[str, str]]]:
        """Everything in a topic: key, value, headers."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.settings.kafka.brokers,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=20_000_000,
            fetch_max_bytes=50_000_000,
        )
        parts = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends = consumer.end_offsets(parts)
        found = []
        while any(consumer.position(part) < ends[part] for part in parts):
            for records in consumer.poll(timeout_ms=500).values():
                found += [
                    (r.key, r.value, {name: value.decode() for name, value in r.headers}) for r in records
                ]
        consumer.close()
        return found

    def partition_of(self, machine: str) -> int:
        """The partition of a machine's messages."""
        producer = KafkaProducer(bootstrap_servers=self.settings.kafka.brokers)
        parts = sorted(producer.partitions_for(self.settings.kafka.frames))
        producer.close()
        return int(parts[murmur2(machine.encode()) % 2**31 % len(parts)])

    def alerts(self) -> list[AlarmEvent]:
        """Every alarm event that was published."""
        return [decode_alert(value) for _, value, _ in self.messages(self.settings.kafka.alerts)]

    def points(self, measurement: str) -> dict[tuple[str, int, str], str]:
        """(machine, time in ms, field) to value as InfluxDB writes it, of everything in the bucket."""
        influx = self.settings.influx
        assert influx.token is not None
        flux = f"""
            from(bucket: "{influx.bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z)
            |> filter(fn: (r) => r._measurement == "{measurement}")
            |> map(fn: (r) => ({{machine: r.machine, time: int(v: r._time) / 1000000,
                                 field: r._field, value: string(v: r._value)}}))
            |> group()
        """
        with InfluxDBClient(
            influx.url, influx.token.get_secret_value(), org=influx.org, timeout=60_000
        ) as client:
            text = client.query_api().query_raw(flux).data.decode()
        rows = csv.DictReader(line for line in io.StringIO(text) if line.strip() and not line.startswith("#"))
        points: dict[tuple[str, int, str], str] = {}
        for row in rows:
            key = (row["machine"], int(row["time"]), row["field"])
            assert key not in points, f"{key} is there twice"
            points[key] = row["value"]
        return points

    def close(self) -> None:
        """End what still runs."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
