"""End to end on real Kafka and InfluxDB: the worker beside Faust + River, quixstreams + River, raw reading.

    make services
    python benchmarks/stream.py               # all figures; about ten minutes
    python benchmarks/stream.py --only frames

``yeji`` runs the default detectors and stores everything; ``trees`` only half-space trees, as the others do;
``findings`` stores what was found and not the sensors' values (``influx.readings = false``).

Every program of a comparison reads the same readings of 8 sensors: in frames of 100, or one a message
(``singly``), as a program that takes messages as they come is usually fed. Rates are of wall time, CPU is the
program's own; "services'" is what Kafka and InfluxDB used beside it, µs a reading. On a shared machine
compare the columns of one run: each comparison is run side by side, and repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from influxdb_client import InfluxDBClient
from kafka import KafkaAdminClient, KafkaProducer
from rich.console import Console
from rich.table import Table

from connectors.influx.settings import InfluxSettings
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import Topics
from pipeline.records import Frame
from pipeline.wire.readings import encode_frame
from streams.settings import Settings, load_settings

SENSORS = tuple(f"sensor_{n}" for n in range(8))
PARTITIONS = 8


@dataclass
class Bench:
    """The services, and what was made on them."""

    settings: Settings
    folder: Path
    topics: list[str] = field(default_factory=list)
    buckets: list[str] = field(default_factory=list)

    def client(self) -> InfluxDBClient:
        """A connection to InfluxDB."""
        influx = self.settings.influx
        assert influx.token is not None, "set YEJI_INFLUX__TOKEN"
        return InfluxDBClient(influx.url, influx.token.get_secret_value(), org=influx.org, timeout=60_000)

    def bucket(self) -> str:
        """A new bucket."""
        name = f"bench.{uuid.uuid4().hex[:8]}"
        with self.client() as client:
            client.buckets_api().create_bucket(bucket_name=name, org=self.settings.influx.org)
        self.buckets.append(name)
        return name

    def kafka(self) -> KafkaSettings:
        """New topics."""
        tag = uuid.uuid4().hex[:8]
        names = ("frames", "rejected", "alerts", "feedback", "snapshots")
        kafka = KafkaSettings(
            brokers=self.settings.kafka.brokers,
            partitions=PARTITIONS,
            group=f"bench.{tag}",
            **{name: f"bench.{tag}.{name}" for name in names},
        )
        topics = Topics(kafka)
        topics.apply(topics.check())
        topics.close()
        self.topics += [getattr(kafka, name) for name in names]
        return kafka

    def clean(self) -> None:
        """Remove what was made."""
        admin = KafkaAdminClient(bootstrap_servers=self.settings.kafka.brokers)
        admin.delete_topics(self.topics)
        admin.close()
        with self.client() as client:
            for name in self.buckets:
                client.buckets_api().delete_bucket(client.buckets_api().find_bucket_by_name(name))


def produce(kafka: KafkaSettings, machines: int, frames: int, size: int) -> int:
    """Fill the frames topic; how many readings. ``size`` 0 = single readings, not frames.

    One message more a machine, ten seconds later, is not counted: the worker holds a machine's last seconds
    for stragglers (`intake.wait`), which is latency, not rate.
    """
    rng = np.random.default_rng(1)
    start = int(time.time() * 1000) - 100 * max(size, 1) * frames
    producer = KafkaProducer(
        bootstrap_servers=kafka.brokers, linger_ms=20, batch_size=1 << 18, max_request_size=1 << 22
    )
    for number in range(frames + 1):
        later = 10_000 if number == frames else 0
        for machine in range(machines):
            name = f"gwangju/ggm/body/press-line-2/press-{machine:03d}"
            t = start + later + (number * max(size, 1) + np.arange(max(size, 1))) * 100
            x = (50 + 10 * np.sin(t / 5000)[:, None] + rng.normal(0, 2, (len(t), 8))).round(3)
            if size:
                value = encode_frame(Frame(name, t, SENSORS, x))
            else:
                single = {
                    "machine": name,
                    "time": int(t[0]),
                    "sensors": dict(zip(SENSORS, x[0].tolist(), strict=True)),
                }
                value = json.dumps(single, separators=(",", ":")).encode()
            producer.send(kafka.frames, value, key=name.encode())
    producer.flush()
    producer.close()
    return machines * frames * max(size, 1)


def run(
    bench: Bench, program: str, kafka: KafkaSettings, readings: int, processes: int = 1
) -> dict[str, float]:
    """Run one program over the topic from its beginning; readings/s and CPU µs a reading."""
    kafka = kafka.model_copy(update={"group": f"bench.{uuid.uuid4().hex[:8]}"})
    snapshots = f"{kafka.group}.snapshots"
    topics = Topics(kafka.model_copy(update={"snapshots": snapshots}))
    topics.apply(topics.check())
    topics.close()
    bench.topics.append(snapshots)
    influx = bench.settings.influx
    assert influx.token is not None
    place = {
        "url": influx.url,
        "org": influx.org,
        "bucket": bench.bucket(),
        "token": influx.token.get_secret_value(),
    }
    plan: dict[str, Any] = {
        "brokers": kafka.brokers,
        "topic": kafka.frames,
        "group": kafka.group,
        "readings": readings,
        "total": readings,
        "influx": place,
        "folder": tempfile.mkdtemp(dir=bench.folder),
    }
    plan["settings"] = {
        "data": plan["folder"],
        "kafka": kafka.model_copy(update={"snapshots": snapshots}).model_dump(mode="json"),
        "influx": place | {"readings": "findings" not in program},
        "worker": {"report": 60},
    }
    if "trees" in program:
        plan["settings"]["classes"] = {"all": {"detectors": [{"kind": "half-space-trees"}]}}
    command = [sys.executable, str(Path(__file__).with_name("stream_programs.py")), program.split(",")[0]]
    environment = dict(os.environ, YEJI_BENCH=json.dumps(plan))
    before = services_cpu()
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    found = []
    for process in running:
        out, err = process.communicate(timeout=180)
        lines = [line for line in out.splitlines() if line.startswith("{")]
        if not lines:
            raise SystemExit(f"{program} ended without a result:\n{out[-2000:]}\n{err[-3000:]}")
        found.append(json.loads(lines[-1]))
    total = sum(one["readings"] for one in found)
    return {
        "rate": total / max(one["seconds"] for one in found),
        "cpu": sum(one["cpu"] for one in found) / total * 1e6,
        "services": sum(now - before.get(pid, now) for pid, now in services_cpu().items()) / total * 1e6,
    }


def services_cpu() -> dict[str, float]:
    """CPU seconds that each process of Kafka and InfluxDB has used so far, where /proc tells."""
    used: dict[str, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text().split("(", 1)[1].rsplit(")", 1)
        except (OSError, IndexError):
            continue
        if name in ("influxd", "java"):
            fields = rest.split()
            used[stat.parent.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


@dataclass(frozen=True)
class Feed:
    """A topic that was filled: ``readings`` in all."""

    kafka: KafkaSettings
    readings: int


def fill(bench: Bench, machines: int, frames: int, size: int) -> Feed:
    """A new topic with ``frames`` messages of each machine, of ``size`` readings; 0 = single readings."""
    kafka = bench.kafka()
    return Feed(kafka, produce(kafka, machines, frames, size))


def compare(bench: Bench, title: str, runs: list[tuple[str, Feed]], rounds: int) -> None:
    """Run the programs in turn, ``rounds`` times, and print medians and ratios to the first."""
    results: list[list[dict[str, float]]] = [[] for _ in runs]
    for _ in range(rounds):
        for (name, feed), some in zip(runs, results, strict=True):
            program, _, processes = name.partition(" x")
            some.append(run(bench, program, feed.kafka, feed.readings, int(processes or 1)))
    table = Table(title=f"{title}, median of {rounds}")
    headings = "program", "readings", "readings/s", "first is … times as fast", "CPU µs/reading", "services'"
    for column in headings:
        table.add_column(column, justify="left" if column == "program" else "right")
    for (name, feed), some in zip(runs, results, strict=True):
        rate, cpu, services = (
            statistics.median(one[key] for one in some) for key in ("rate", "cpu", "services")
        )
        ratio = statistics.median(a["rate"] / b["rate"] for a, b in zip(results[0], some, strict=True))
        table.add_row(
            name, f"{feed.readings:,}", f"{rate:,.0f}", f"{ratio:.2f}", f"{cpu:.2f}", f"{services:.2f}"
        )
    Console(width=110).print(table)


def settings_of_services() -> Settings:
    """The services of the settings, or those of the tests where YEJI_TEST_… names them."""
    settings = load_settings()
    if "YEJI_TEST_INFLUX_TOKEN" in os.environ:
        influx = {
            key.lower(): os.environ[f"YEJI_TEST_INFLUX_{key}"] for key in ("URL", "ORG", "BUCKET", "TOKEN")
        }
        settings = Settings(
            kafka=KafkaSettings(brokers=os.environ["YEJI_TEST_KAFKA"]), influx=InfluxSettings(**influx)
        )
    return settings


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("frames", "rivals", "singly", "single", "workers"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--machines", type=int, default=50)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the number of frames")
    options = parser.parse_args()
    settings = settings_of_services()
    m, scale, rounds = options.machines, options.scale, options.rounds

    def frames(count: int) -> int:
        return max(1, round(count * scale))

    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(settings, Path(folder))
        try:
            if options.only in (None, "frames", "workers", "singly"):
                many = fill(bench, m, frames(240), 100)
            if options.only in (None, "frames"):
                programs = ["yeji", "yeji, trees", "yeji, trees, findings", "raw"]
                compare(bench, "Frames of 100", [(name, many) for name in programs], rounds)
            if options.only in (None, "rivals"):
                programs = ["yeji, trees", "faust-river", "quix-river"]
                some = fill(bench, m, frames(80), 100)
                compare(bench, "Frames of 100", [(name, some) for name in programs], rounds)
            if options.only in (None, "single", "singly"):
                few = fill(bench, m, frames(1000), 0)
            if options.only in (None, "singly"):
                runs = [("yeji, trees", many), ("faust-river", few), ("quix-river", few)]
                compare(bench, "Frames for the first, one reading a message for the others", runs, rounds)
            if options.only in (None, "single"):
                programs = ["yeji", "faust-empty", "raw"]
                compare(bench, "One reading a message", [(name, few) for name in programs], rounds)
            if options.only in (None, "workers"):
                compare(bench, "Frames of 100", [("yeji", many), ("yeji x2", many)], rounds)
        finally:
            bench.clean()


if __name__ == "__main__":
    main()
