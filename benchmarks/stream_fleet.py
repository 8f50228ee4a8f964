"""A whole fleet in one worker: memory, and how long a new worker takes to restore it from Kafka.

    python benchmarks/stream_fleet.py --machines 10000

Every machine sends 60 readings of 8 sensors (warm-up 30, half-space trees). The worker is ended and started
anew; restoring is timed from "Worker is up" until the last partition is taken over.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition
from stream import PARTITIONS, Bench, produce, settings_of_services

PROGRAM = (
    "import sys,json; from streams.agents.build import build_app; from streams.agents.run import run_worker; "
    "from streams.settings import Settings; run_worker(build_app(Settings(**json.load(open(sys.argv[1])))))"
)


def start(folder: Path, number: int) -> tuple[subprocess.Popen[bytes], Path]:
    """A worker, and its log."""
    log = folder / f"worker-{number}.log"
    with log.open("wb") as output:
        command = [sys.executable, "-c", PROGRAM, str(folder / "settings.json")]
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT), log


def resident_mb(process: subprocess.Popen[bytes]) -> float:
    """The most memory that the process held."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


def since(log: Path, event: str) -> list[dict[str, str]]:
    """The lines of a log in JSON that tell of ``event``."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def seconds(stamp: str) -> float:
    """A time stamp of the log in seconds."""
    return time.mktime(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")) + float(stamp[19:-1])


def main() -> None:
    """Fill, measure, restart, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--machines", type=int, default=10_000)
    machines = parser.parse_args().machines
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(settings_of_services(), Path(name))
        kafka = bench.kafka()
        produce(kafka, machines, 1, 60)
        influx = bench.settings.influx
        assert influx.token is not None
        place = {"url": influx.url, "org": influx.org, "token": influx.token.get_secret_value()}
        plan = {
            "data": name,
            "log": "json",
            "kafka": kafka.model_dump(mode="json"),
            "influx": {**place, "bucket": bench.bucket()},
            "worker": {"checkpoint": 5},
            "classes": {"all": {"learning": {"warmup": 30}, "detectors": [{"kind": "half-space-trees"}]}},
        }
        (bench.folder / "settings.json").write_text(json.dumps(plan))
        consumer = KafkaConsumer(bootstrap_servers=kafka.brokers, group_id=kafka.group)
        parts = [TopicPartition(kafka.frames, number) for number in range(PARTITIONS)]
        end = sum(consumer.end_offsets(parts).values())
        try:
            first, _ = start(bench.folder, 1)
            while sum(consumer.committed(part) or 0 for part in parts) < end:
                assert first.poll() is None, "the worker ended"
                time.sleep(0.5)
            print(f"{machines:,} machines: {resident_mb(first):,.0f} MB resident at most")
            first.terminate()
            first.wait(60)
            second, log = start(bench.folder, 2)
            while len(since(log, "Partition taken over")) < PARTITIONS:
                assert second.poll() is None, "the worker ended"
                time.sleep(0.2)
            up = seconds(since(log, "Worker is up")[0]["timestamp"])
            taken = max(seconds(line["timestamp"]) for line in since(log, "Partition taken over"))
            print(f"restored in {taken - up:.1f} s, {resident_mb(second):,.0f} MB resident at most")
            print(f"load of the machine: {os.getloadavg()[0]:.1f}")
            second.terminate()
            second.wait(60)
        finally:
            bench.clean()


if __name__ == "__main__":
    main()
