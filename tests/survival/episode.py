"""One episode: a recording goes through workers while faults happen; then every reading is accounted for.

Two properties, as of Vector's buffers. *Conservation*: every reading that Kafka acknowledged is in InfluxDB
once, with the value, score, health and state of a run that nothing disturbed, and every message that is not
used is in the topic of rejected input; likewise every alarm. *Liveness*: what was sent before the faults
ended is stored within a minute of their end.
"""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from influxdb_client import InfluxDBClient
from kafka import KafkaProducer
from local_services import InfluxService

from connectors.influx.settings import InfluxSettings
from connectors.kafka.settings import KafkaSettings
from streams.settings import Settings, WorkerSettings
from tests.end_to_end.expected import Expected, expect
from tests.end_to_end.recording import CLASSES, Sent, record
from tests.end_to_end.stage import Stage, Worker
from tests.survival.cutting_proxy import CuttingProxy
from tests.survival.faults import FAULTS
from tests.survival.lying_proxy import LyingProxy
from tests.survival.wired_broker import WiredBroker

#: What was sent must be stored so long after the faults have ended (s).
LIVENESS = 60.0
_CODECS = (None, "gzip", "snappy", "lz4", "zstd")


@dataclass
class Account:
    """What an episode came to. ``recovery``: seconds from the last fault's end to the last reading stored."""

    seed: int
    readings: int = 0
    alarms: int = 0
    rejected: int = 0
    recovery: float = 0.0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    lies: Counter[str] = field(default_factory=Counter)


class Episode:
    """Everything of one episode; use `run`."""

    def __init__(
        self, broker: WiredBroker, influx: InfluxService, folder: Path, seed: int, frames: int = 24
    ) -> None:
        self.broker, self.rng = broker, random.Random(seed)
        self.account = Account(seed)
        self._started = time.monotonic()
        self._influx = influx
        self.proxy = LyingProxy(influx.url, seed)
        self.wire = CuttingProxy(broker.wire, broker.behind)
        self.messages = record(frames)
        self._extra: list[Sent] = []
        stem = uuid.uuid4().hex[:8]
        names = ("frames", "rejected", "alerts", "feedback", "snapshots", "group")
        self._client = InfluxDBClient(influx.url, influx.token, org=influx.org)
        self._bucket: Any = self._client.buckets_api().create_bucket(
            bucket_name=f"survival.{stem}", org=influx.org
        )
        self.settings = Settings(
            data=folder / "data",
            kafka=KafkaSettings(
                brokers=broker.address, partitions=3, **{name: f"{name}.{stem}" for name in names}
            ),
            influx=InfluxSettings(
                url=self.proxy.url, org=influx.org, bucket=self._bucket.name, token=influx.token, timeout=5.0
            ),
            worker=WorkerSettings(batch_messages=20, checkpoint=0.5, report=1.0, session=6.0),
            classes=CLASSES,
        )
        folder.mkdir(parents=True, exist_ok=True)
        self.stage = Stage(self.settings, folder)
        self.stage.create()
        # Workers go through the proxy: the broker tells who comes that way to come that way again.
        wired = self.settings.kafka.model_copy(update={"brokers": f"127.0.0.1:{broker.wire}"})
        self.stage.settings = self.settings.model_copy(update={"kafka": wired})

    # -- what faults use

    def running(self) -> list[Worker]:
        """The workers that run."""
        return [worker for worker in self.stage.workers if worker.process.poll() is None]

    def random_worker(self) -> Worker:
        """One of them."""
        self.keep_workers()
        return self.rng.choice(self.running())

    def start_worker(self) -> None:
        """One more."""
        self.stage.start(None)

    def keep_workers(self) -> None:
        """At least one runs."""
        if not self.running():
            self.start_worker()

    def poison(self, value: bytes) -> None:
        """Send something that nobody can use, and remember it."""
        one = Sent(b"poison", value, self.messages[0].received)
        self._extra.append(one)
        self.produce([one])

    # -- the episode

    def produce(self, messages: Sequence[Sent]) -> None:
        """Send with a codec drawn by lot; returns when the broker has acknowledged."""
        codec = self.rng.choice(_CODECS)
        producer = KafkaProducer(
            bootstrap_servers=self.settings.kafka.brokers,
            compression_type=codec,
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            max_request_size=20_000_000,
        )
        sent = [
            producer.send(self.settings.kafka.frames, one.value, key=one.key, timestamp_ms=one.received)
            for one in messages
        ]
        for one in sent:
            one.get(timeout=120)
        producer.close()

    def run(self, faults: Sequence[str]) -> Account:
        """Send the recording in pieces, a fault after each; then account for everything."""
        try:
            self.start_worker()
            step = len(self.messages) // (len(faults) + 1) + 1
            self.produce(self.messages[:step])
            for n, fault in enumerate(faults, 1):
                FAULTS[fault][0](self)
                self.account.faults[fault] += 1
                self.produce(self.messages[n * step : (n + 1) * step])
                self.keep_workers()
            self._account()
        finally:
            self.close()
        return self.account

    def _account(self) -> None:
        expected = expect([*self.messages, *self._extra])
        ended = time.monotonic()
        # Asked of InfluxDB itself, not of the proxy.
        direct = self.settings.influx.model_copy(update={"url": self._influx.url})
        self.stage.settings = self.settings.model_copy(update={"influx": direct})
        self.stage.wait_until_written(len(expected.reading))
        self.account.recovery = time.monotonic() - ended
        for worker in self.running():
            assert worker.terminate() == 0, worker.log.read_text()[-4000:]
        expected.check(self.stage, once=False)
        self._sum_up(expected)

    def _sum_up(self, expected: Expected) -> None:
        self.account.readings = sum(1 for _, _, name in expected.reading if name == "state")
        self.account.alarms = len({alarm.id for alarm in expected.alerts})
        self.account.rejected = expected.rejections.total()
        self.account.lies = Counter(self.proxy.told)
        self.account.seconds = time.monotonic() - self._started

    def close(self) -> None:
        """End what still runs, and leave nothing in InfluxDB."""
        self.stage.close()
        self.proxy.close()
        self.wire.close()
        self._client.buckets_api().delete_bucket(self._bucket)
        self._client.close()


def mix(seed: int, count: int) -> list[str]:
    """``count`` faults by lot."""
    rng = random.Random(seed)
    names = list(FAULTS)
    return rng.choices(names, [FAULTS[name][1] for name in names], k=count)
