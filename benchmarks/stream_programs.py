"""The programs that `benchmarks/stream.py` runs beside one another, each in a process of its own.

Each takes the topic from its beginning and prints one line of JSON at its end: readings, seconds from the
first message to the last result acknowledged by InfluxDB (where it writes there), CPU seconds of the process.

All score with the same model: scaled half-space trees, 10 trees of height 8, window 250, one a machine.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

#: Set by the driver: brokers, topic, readings, influx (url, org, bucket, token), folder, settings.
PLAN: dict[str, Any] = json.loads(os.environ.get("YEJI_BENCH", "{}"))


class Clock:
    """From the first message to the last: wall time and CPU time."""

    def __init__(self) -> None:
        self.began: float | None = None
        self.cpu = self.last = self.last_cpu = 0.0
        self.readings = 0

    def start(self) -> None:
        """The first message has come."""
        if self.began is None:
            self.began, self.cpu = time.perf_counter(), time.process_time()

    def done(self, readings: int) -> bool:
        """So many more are done; True at the end, when the result is printed."""
        self.readings += readings
        self.last, self.last_cpu = time.perf_counter(), time.process_time()
        if self.readings < PLAN["readings"]:
            return False
        self.tell()
        return True

    def tell(self) -> None:
        """Print the result."""
        began = self.last if self.began is None else self.began
        result = {"readings": self.readings, "seconds": self.last - began, "cpu": self.last_cpu - self.cpu}
        print(json.dumps(result), flush=True)


def stop() -> None:
    """The measurement is over, and there is nothing to keep."""
    os._exit(0)


# -- Yeji


def yeji() -> None:
    """The worker as it is, with its statistics watched."""
    from pipeline.records import Results
    from streams.agents import processor, tally
    from streams.agents.build import build_app
    from streams.agents.run import run_worker
    from streams.settings import Settings

    clock = Clock()
    own = Path(PLAN["folder"]) / f"{os.getpid()}.done"
    accept, batch = processor.BatchProcessor.accept, tally.Tally.batch

    async def watched_accept(self: Any, *args: Any) -> Any:
        clock.start()
        return await accept(self, *args)

    def watched_batch(self: Any, results: Results, messages: int, batch_ms: float) -> None:
        batch(self, results, messages, batch_ms)
        clock.done(results.readings)
        own.write_text(str(clock.readings))

    def watch() -> None:
        """End when all workers together have done everything."""
        while sum(int(path.read_text() or 0) for path in own.parent.glob("*.done")) < PLAN["total"]:
            time.sleep(0.05)
        if clock.readings < PLAN["readings"]:
            clock.tell()
        os.kill(os.getpid(), signal.SIGTERM)

    processor.BatchProcessor.accept = watched_accept  # type: ignore[method-assign]
    tally.Tally.batch = watched_batch  # type: ignore[method-assign]
    threading.Thread(target=watch, daemon=True).start()
    run_worker(build_app(Settings(**PLAN["settings"])))


# -- the raw limit


def raw() -> None:
    """aiokafka and orjson: take and decode the same bytes, and do nothing with them."""
    from aiokafka import AIOKafkaConsumer

    async def main() -> None:
        clock = Clock()
        consumer = AIOKafkaConsumer(
            PLAN["topic"],
            bootstrap_servers=PLAN["brokers"],
            group_id=PLAN["group"],
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=4 << 20,
        )
        await consumer.start()
        while True:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                clock.start()
                readings = 0
                for record in records:
                    wire = orjson.loads(record.value)
                    readings += len(wire["time"]) if isinstance(wire["time"], list) else 1
                if clock.done(readings):
                    stop()

    asyncio.run(main())


# -- River by hand: what a first program does


class River:
    """A model, a health and an alarm a machine, reading by reading, as River is used."""

    def __init__(self) -> None:
        from river import anomaly, compose, preprocessing

        self.model = compose.Pipeline(
            preprocessing.MinMaxScaler(),
            anomaly.HalfSpaceTrees(n_trees=10, height=8, window_size=250, seed=1),
        )
        self.health, self.over = 100.0, 0

    def take(self, x: dict[str, float]) -> tuple[float, float, int]:
        """Score, health and state of one reading; then learn it."""
        score = self.model.score_one(x)
        self.model.learn_one(x)
        self.health += 0.001 * (100 * (1 - score) - self.health)
        self.over = self.over + 1 if score > 0.95 else 0
        return score, self.health, 2 if self.over > 10 else 1


MODELS: dict[str, River] = {}


def river_lines(value: bytes) -> tuple[int, str]:
    """Decode, check, score one frame; how many readings, and their line protocol."""
    wire = json.loads(value)
    machine, times, sensors = wire["machine"], wire["time"], wire["sensors"]
    if not isinstance(times, list):
        times, sensors = [times], {name: [v] for name, v in sensors.items()}
    if any(len(column) != len(times) for column in sensors.values()):
        return 0, ""
    model = MODELS.setdefault(machine, River()) if machine not in MODELS else MODELS[machine]
    head = machine.replace(" ", "\\ ")
    lines = []
    for i, stamp in enumerate(times):
        x = {name: column[i] for name, column in sensors.items() if column[i] is not None}
        score, health, state = model.take(x)
        fields = ",".join(f"{name}={v}" for name, v in x.items())
        lines.append(f"reading,machine={head} {fields},score={score},health={health},state={state}i {stamp}")
    return len(times), "\n".join(lines)


def influx_writer() -> Callable[[str], None]:
    """influxdb-client, synchronous, line protocol."""
    from influxdb_client import InfluxDBClient
    from influxdb_client.client.write_api import SYNCHRONOUS

    influx = PLAN["influx"]
    client = InfluxDBClient(influx["url"], influx["token"], org=influx["org"], timeout=60_000)
    api = client.write_api(write_options=SYNCHRONOUS)
    return lambda lines: api.write(influx["bucket"], influx["org"], lines, write_precision="ms")


def faust_river() -> None:
    """A plain Faust agent with River, writing each frame to InfluxDB from a thread."""
    import faust

    def build() -> faust.App:
        app = _faust()
        topic = app.topic(PLAN["topic"], key_serializer="raw", value_serializer="raw")
        clock, write = Clock(), influx_writer()

        @app.agent(topic)  # type: ignore[untyped-decorator]
        async def score(stream: faust.StreamT[bytes]) -> None:
            held: list[str] = []
            readings = 0
            async for value in stream:
                clock.start()
                n, lines = river_lines(value)
                held.append(lines)
                readings += n
                if readings >= 5000 or clock.readings + readings >= PLAN["readings"]:
                    await asyncio.to_thread(write, "\n".join(held))
                    if clock.done(readings):
                        stop()
                    held, readings = [], 0

        return app

    _run_faust(build)


def faust_empty() -> None:
    """A Faust agent that does nothing but count: Faust's ceiling."""
    import faust

    def build() -> faust.App:
        app = _faust()
        topic = app.topic(PLAN["topic"], key_serializer="raw", value_serializer="raw")
        clock = Clock()

        @app.agent(topic)  # type: ignore[untyped-decorator]
        async def count(stream: faust.StreamT[bytes]) -> None:
            taken = 0
            async for _ in stream:
                if not taken:
                    clock.start()
                taken += 1
                if taken == PLAN["readings"]:
                    clock.done(taken)
                    stop()

        return app

    _run_faust(build)


def _faust() -> Any:
    import faust

    return faust.App(
        PLAN["group"],
        broker=f"kafka://{PLAN['brokers']}",
        consumer_auto_offset_reset="earliest",
        datadir=PLAN["folder"],
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
    )


def _run_faust(build: Callable[[], Any]) -> None:
    async def main() -> None:
        app = build()
        await app.start()
        await app.wait_until_stopped()

    asyncio.run(main())


def quix_river() -> None:
    """quixstreams (librdkafka) with River, writing to InfluxDB by a sink of its own kind."""
    from quixstreams import Application
    from quixstreams.sinks import BatchingSink, SinkBatch

    clock, write = Clock(), influx_writer()

    class Influx(BatchingSink):
        def write(self, batch: SinkBatch) -> None:
            items = [item.value for item in batch]
            write("\n".join(lines for _, lines in items))
            if clock.done(sum(n for n, _ in items)):
                stop()

    app = Application(
        broker_address=PLAN["brokers"],
        consumer_group=PLAN["group"],
        auto_offset_reset="earliest",
        commit_interval=0.5,
        loglevel="ERROR",
        auto_create_topics=False,
    )
    topic = app.topic(PLAN["topic"], value_deserializer="bytes", key_deserializer="bytes")

    def work(value: bytes) -> tuple[int, str]:
        clock.start()
        return river_lines(value)

    app.dataframe(topic).apply(work).sink(Influx())
    app.run()


PROGRAMS: dict[str, Callable[[], None]] = {
    "yeji": yeji,
    "raw": raw,
    "faust-river": faust_river,
    "faust-empty": faust_empty,
    "quix-river": quix_river,
}

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    PROGRAMS[sys.argv[1]]()
